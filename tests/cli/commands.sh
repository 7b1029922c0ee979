#!/bin/bash
# SPDX-License-Identifier: MIT
# Help, version, lists, references, and finding files by name.
source tests/cli/lib.bash
mkdir -p "$HVSIM_DATA/configs" "$HVSIM_DATA/workloads"
printf '# SPDX-License-Identifier: MIT\n# A test of lists\nworkload.accesses: 1000\n' \
    >"$HVSIM_DATA/configs/aa-test.yaml"
printf 'workload: {footprint: 1MiB, accesses: 77}\n' >"$HVSIM_DATA/workloads/aa-tiny.yaml"
cd "$work" || exit 1

# Help goes to stdout, names each command, and each command has its own.
expect_code 0 "$HVSIM" --help
cp out help
[[ ! -s err ]] || fail "help on stderr"
expect_code 0 "$HVSIM" help
cmp out help || fail "help and --help differ"
commands=$(awk '/^  [a-z]+  / { print $1 }' help)
[[ $(wc -w <<<"$commands") -ge 8 ]] || fail "the help lists only: $commands"
for command in $commands; do
    [[ $command != help ]] || continue
    expect_code 0 "$HVSIM" "$command" --help
    grep -q "^Usage: hvsim $command" out || fail "the help of $command does not begin with its usage: $(<out)"
    cp out own
    expect_code 0 "$HVSIM" help "$command"
    cmp out own || fail "help $command and $command --help differ"
done
expect_code 0 "$HVSIM" run --help
for option in workload trace set warmup out format trace-points; do
    grep -q -- "--$option=" out || fail "run --help does not know --$option"
done
expect_code 0 "$HVSIM" trace convert --help
grep -q '^Usage: hvsim trace convert' out || fail "trace convert has no help of its own"

expect_code 0 "$HVSIM" --version
grep -Eq '^hvsim [0-9]+\.[0-9]+\.[0-9]+ \([^ ]+\)$' out || fail "not a version: $(<out)"

# Lists
expect_code 0 "$HVSIM" list configs
grep -Eq '^aa-test +A test of lists$' out || fail "list configs: $(<out)"
expect_equal "a sorted list" "$(LC_ALL=C sort out)" "$(<out)"
expect_code 0 "$HVSIM" list workloads
grep -Eq '^aa-tiny' out || fail "list workloads: $(<out)"

# A name, a path, a file that is beside another, and the order in which they win
result() { "$HVSIM" run "$@" --format json | jq -r '.config["workload.accesses"]'; }
expect_equal "a shipped name" 1000 "$(result aa-test)"
expect_equal "a shipped workload" 77 "$(result aa-test --workload aa-tiny)"
expect_equal "--set wins" 55 "$(result --set workload.accesses=55 aa-test --workload aa-tiny)"
expect_equal "the last --set wins" 56 "$(result aa-test --set workload.accesses=55 --set workload.accesses=56)"
echo 'workload.accesses: 2000' >aa-test
expect_equal "a file before a shipped name" 2000 "$(result aa-test)"
rm aa-test

# The reference
expect_code 0 "$HVSIM" params
lines=$(wc -l <out)
expect_equal "as many parameters in JSON" $((lines - 1)) "$("$HVSIM" params --format json | jq length)"
expect_code 0 "$HVSIM" params 'tlb.l2.*'
awk 'NR > 1 && $1 !~ /^tlb\.l2\./ { exit 1 }' out || fail "a pattern that does not select: $(<out)"
grep -Eq '^tlb\.l2\.entries +1536 +0 \.\. 1048576 ' out || fail "no row of tlb.l2.entries: $(<out)"
expect_code 0 "$HVSIM" stats walk_refs
grep -Eq '^mmu\.walk_refs_max +references ' out || fail "no row of mmu.walk_refs_max: $(<out)"

# check
expect_code 0 "$HVSIM" check aa-tiny
expect_equal "check" "aa-tiny: ok" "$(<out)"
echo 'workload.footprint: 128GiB' >large.yaml
expect_code 0 "$HVSIM" check large.yaml

# A trace of a file is found beside that file, from anywhere, and the result says where it is.
mkdir -p there elsewhere
printf 'I  1000,4\n L 2000,8\n S 3000,8\n' >there/t.lackey
expect_code 0 "$HVSIM" trace convert there/t.lackey there/t.hvt
echo 'workload: {kind: trace, trace: t.hvt}' >there/w.yaml
cd elsewhere || exit 1
expect_code 0 "$HVSIM" run aa-test --workload ../there/w.yaml --set workload.accesses=100 --format json
expect_equal "the path of the trace" "$(realpath ../there/t.hvt)" "$(number ../out '.config["workload.trace"]')"
expect_equal "no more accesses than the trace has" 3 "$(number ../out '.config["workload.accesses"]')"
expect_code 0 "$HVSIM" run aa-test --trace ../there/t.hvt --set workload.accesses=2 --format json
expect_equal "fewer than the trace has" 2 "$(number ../out '.stats["core.accesses"]')"

expect_code 0 "$HVSIM" trace info ../there/t.hvt --format json
expect_equal "trace info" '[3,1,1,1,3]' "$(jq -c '[.records, .loads, .stores, .fetches, .pages]' ../out)"
expect_code 0 "$HVSIM" trace info ../there/t.hvt
grep -Eq '^  accesses +3$' ../out || fail "trace info: $(<../out)"

# Trace points go to stderr, one line an event, and change no figure.
expect_code 0 "$HVSIM" run aa-test --format csv
cp ../out plain.csv
expect_code 0 "$HVSIM" run aa-test --format csv --trace-points walk,fault
cmp ../out plain.csv || fail "trace points change the result"
grep -Eq '^[0-9]+ walk ' ../err || fail "no trace point of a walk"
others=$(grep -Ev '^[0-9]+ (walk|fault) ' ../err)
[[ -z $others ]] || fail "other trace points: $others"
