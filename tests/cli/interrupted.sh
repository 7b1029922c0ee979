#!/bin/bash
# SPDX-License-Identifier: MIT
# SIGINT ends a run with what there is, marked as partial; SIGKILL leaves the old files or the new, never half of one.
source tests/cli/lib.bash
cd "$work" || exit 1
printf 'workload: {footprint: 1MiB, accesses: 1e15}\n' >endless.yaml
printf 'workload: {footprint: 1MiB, accesses: 1000}\n' >short.yaml

# interrupt SIGNAL OPTION...: a run that nothing else would end gets the signal once it is on its way.
interrupt() {
    local code=0 pid signal=$1
    shift
    rm -f events
    # Job control: without it, a script's background child ignores SIGINT.
    set -m
    "$HVSIM" run endless.yaml --trace-points walk "$@" >out 2>events &
    pid=$!
    set +m
    until [[ -s events ]]; do sleep 0.01; done
    kill -"$signal" "$pid"
    wait "$pid" || code=$?
    [[ $code -eq 3 ]] || fail "exit code $code after SIG$signal"
    grep -Eq '^hvsim: interrupted after [0-9]+ of 1000000000000000 accesses; the result is partial$' events ||
        fail "SIG$signal is not talked about: $(tail -1 events)"
}

interrupt INT --format json --out partial
expect_equal "complete" false "$(number out .complete)"
expect_equal "complete in the directory" false "$(number partial/result.json .complete)"
# As many accesses as were made, which are whole slices, and a stack that sums up.
jq -e '.stats as $s | ($s["core.accesses"] > 0) and ($s["core.accesses"] < 1e15) and
    ($s["tlb.l1d.lookups"] == $s["core.accesses"]) and
    ([$s | to_entries[] | select(.key | test("^core.cycles_(?!per_access)")) | .value] | add) == $s["core.cycles"]' \
    out >/dev/null || fail "the partial figures do not agree"
expect_equal "the files" "config.yaml result.json stats.csv" "$(ls -A partial | xargs)"

# What shows time is whole and goes as far as the run came.
interrupt INT --format json --interval 10000 --timeline t.json --vcd w.vcd
jq -e --slurpfile timeline t.json '.stats["core.cycles"] as $cycles | .intervals[-1].cycles == $cycles and
    ([.intervals[].stats["core.accesses"]] | add) == .stats["core.accesses"] and
    ($timeline[0].otherData | if .cut then .cycles < $cycles else .cycles == $cycles end)' out >/dev/null ||
    fail "the intervals or the timeline do not agree with the partial run"
expect_equal "the last cycle of the VCD" "$(number t.json .otherData.cycles)" "$(tac w.vcd | awk '$2 == "aaaaa" {
    for (i = 2; i <= length($1); i++) cycle = 2 * cycle + substr($1, i, 1); print cycle; exit }')"
expect_equal "what is left" "w.vcd" "$(find . -name '*.vcd*' | sed 's/^[.][/]//')"

interrupt INT
grep -q '^PARTIAL   interrupted after ' out || fail "the text does not say that it is partial"

# The same for SIGTERM, as batch systems send it.
interrupt TERM --format json
expect_equal "complete" false "$(number out .complete)"

# SIGKILL at any moment: each file is that of seed 1 or that of seed 2.
for seed in 1 2; do
    "$HVSIM" run short.yaml --set workload.seed=$seed --out "seed$seed" >/dev/null || fail "the run failed"
done
bare() { jq -S 'del(.host)' "$1"; }
cp -r seed1 out.d
for ((i = 0; i < 60; i++)); do
    seed=$((i % 2 + 1))
    "$HVSIM" run short.yaml --set workload.seed=$seed --out out.d >/dev/null 2>&1 &
    sleep "0.0$((10 + i))"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    for file in config.yaml stats.csv; do
        cmp -s out.d/$file seed1/$file || cmp -s out.d/$file seed2/$file || fail "$file is neither old nor new"
    done
    bare out.d/result.json >now || fail "result.json is not JSON"
    cmp -s now <(bare seed1/result.json) || cmp -s now <(bare seed2/result.json) ||
        fail "result.json is neither old nor new"
done
exit 0
