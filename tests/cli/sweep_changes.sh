#!/bin/bash
# SPDX-License-Identifier: MIT
# A rerun computes what is missing or changed - parameters, the trace, hvsim - and nothing else; --dry-run says what.
source tests/cli/lib.bash
cd "$work" || exit 1
echo 'workload: {footprint: 1MiB, accesses: 2000}' >small.yaml
sweep() {
    cat >s.yaml <<YAML
config: small.yaml
set: {$1}
axes:
  tlb.l2.entries: [$2]
  tlb.l2.ways: [4]
  paging.mode: [native, nested]
metrics: [$3]
seeds: $4
YAML
}
# computes COUNT OPTION...: a rerun computes so many points.
computes() {
    local count=$1
    shift
    expect_code 0 "$HVSIM" sweep s.yaml --out r "$@"
    grep -q ", $count of them computed now" err || fail "not $count: $(<err)"
}

sweep core.width:\ 4 "16, 64" core.cpi 2
expect_code 0 "$HVSIM" sweep s.yaml --out r --dry-run
expect_equal "points of a dry run" 8 "$(grep -c '^ *[0-9]*  missing  tlb.l2.entries=' out)"
grep -q '^ *2  missing  tlb.l2.entries=16, tlb.l2.ways=4, paging.mode=native, seed=1000001$' out || fail "$(<out)"
grep -Eq '^8 of 8 points would be computed: about [0-9]+ s with -j [0-9]+, judging by the beginnings of [0-9]+$' out ||
    fail "no estimate: $(tail -1 out)"
[[ ! -e r ]] || fail "a dry run leaves something behind"
computes 8
computes 0

# Another value of an axis, in the middle; another metric, which every point has; one seed more: what is there stays.
sweep core.width:\ 4 "16, 32, 64" core.cpi 2
computes 4
sweep core.width:\ 4 "16, 32, 64" "core.cpi, dram.reads" 2
computes 0
head -1 r/table.csv | grep -q ',dram.reads,' || fail "the new metric is not in the table"
sweep core.width:\ 4 "16, 32, 64" core.cpi 3
computes 6
# What is taken away is not in the table, and costs nothing when it comes back.
sweep core.width:\ 4 "32, 16" core.cpi 3
computes 0
expect_equal "the rows" "32,4,native 32,4,nested 16,4,native 16,4,nested" \
    "$(tail -n +2 r/table.csv | cut -d, -f1-3 | xargs)"

# Another parameter of all points, in the file or on the command line; and back, by a result of that name gone.
sweep core.width:\ 2 "32, 16" core.cpi 3
expect_code 0 "$HVSIM" sweep s.yaml --out r --dry-run
expect_equal "changed points of a dry run" 12 "$(grep -c '^ *[0-9]*  changed  ' out)"
computes 12
computes 0 --set core.width=2
computes 12 --set core.width=1
rm "r/points/tlb.l2.entries=32,tlb.l2.ways=4,paging.mode=native,seed=1.json"
computes 1 --set core.width=1
computes 12 --set core.width=1 --fresh
# The key is of the resolved parameters: saying the same otherwise changes nothing.
sed -i 's/accesses: 2000/accesses: 2e3, seed: 1/' small.yaml
computes 0 --set core.width=1

# A result of another hvsim, one that was cut off, and one that is something else
point="r/points/tlb.l2.entries=32,tlb.l2.ways=4,paging.mode=native,seed=1.json"
cp "$point" kept
sed -i 's/"key": "[0-9a-f]*"/"key": "0123456789abcdef"/' "$point"
computes 1 --set core.width=1
cmp kept "$point" || fail "the same point has another result"
head -c 500 kept >"$point"
computes 1 --set core.width=1
echo '{}' >"$point"
computes 1 --set core.width=1
cmp kept "$point" || fail "the same point has another result"

# The content of a trace counts, not its name or its time.
printf 'I  1000,4\n L 2000,8\n S 3000,8\n' >a.lackey
printf 'I  1000,4\n L 2000,8\n S 9000,8\n' >b.lackey
for trace in a b; do
    "$HVSIM" trace convert $trace.lackey $trace.hvt 2>/dev/null || fail "cannot make a trace"
done
mkdir there
cp a.hvt there/t.hvt
mv small.yaml there
cat >there/s.yaml <<'YAML'
config: small.yaml
set: {workload: {kind: trace, trace: t.hvt}}
axes: {paging.mode: [native, nested]}
metrics: [core.accesses]
YAML
expect_code 0 "$HVSIM" sweep there/s.yaml --out t
expect_equal "a configuration and a trace beside the sweep" "native,3 nested,3" "$(tail -n +2 t/table.csv | xargs)"
touch there/t.hvt
expect_code 0 "$HVSIM" sweep there/s.yaml --out t
grep -q ' 0 of them' err || fail "the time of a trace counts: $(<err)"
cp b.hvt there/t.hvt
expect_code 0 "$HVSIM" sweep there/s.yaml --out t
grep -q ' 2 of them' err || fail "the content of a trace does not count: $(<err)"

# Without --out, by its name, which is the file's when it has none
expect_code 0 "$HVSIM" sweep there/s.yaml
[[ -s results/s/table.csv ]] || fail "no results/s"
(echo 'name: other'; cat there/s.yaml) >there/o.yaml
expect_code 0 "$HVSIM" sweep there/o.yaml
[[ -s results/other/table.csv ]] || fail "no results/other"
cmp results/s/table.csv results/other/table.csv || fail "a name changes results"

# A sweep that ships
mkdir -p "$HVSIM_DATA/configs/sweeps"
cp there/*.yaml there/t.hvt "$HVSIM_DATA/configs/sweeps"
expect_code 0 "$HVSIM" sweep o --out shipped
expect_code 0 "$HVSIM" check o
expect_equal "check" "o: ok" "$(<out)"
expect_code 0 "$HVSIM" list sweeps
grep -qx o out || fail "list sweeps: $(<out)"
