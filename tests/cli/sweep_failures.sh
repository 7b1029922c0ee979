#!/bin/bash
# SPDX-License-Identifier: MIT
# A point that dies is told and takes no other with it; a sweep that is interrupted goes on later; and two sweeps do not
# work in one directory.
source tests/cli/lib.bash
cd "$work" || exit 1
echo 'workload: {footprint: 1MiB}' >small.yaml

# One point of four takes more processor time than it may have. It shares its preparation with another.
cat >long.yaml <<'YAML'
config: small.yaml
axes:
  workload.accesses: [1000, 1e12]
  core.width: [2, 4]
  zip: [[workload.accesses, core.width]]
  paging.mode: [native, nested]
metrics: [core.accesses]
YAML
cat >shared.yaml <<'YAML'
config: small.yaml
set: {workload.accesses: 3e5}
axes:
  check.stale: [false, true]
  tlb.l2.ways: [4, 12]
metrics: [core.accesses]
YAML
expect_code 1 bash -c 'ulimit -St 1; "$HVSIM" sweep long.yaml --out long'
for point in "3 (workload.accesses=1000000000000, core.width=4, paging.mode=native" \
    "4 (workload.accesses=1000000000000, core.width=4, paging.mode=nested"; do
    grep -qF "hvsim: point $point, seed=1) failed: its process was killed by signal 24 (CPU time limit exceeded)" err ||
        fail "not told: $(<err)"
done
expect_equal "the table" "workload.accesses,core.width,paging.mode,core.accesses
1000,2,native,1000
1000,2,nested,1000
1000000000000,4,native,
1000000000000,4,nested," "$(<long/table.csv)"
[[ -s long/plot.png && -s long/plot.svg ]] || fail "what there is has not been drawn"

# Any process of a sweep may be killed; a rerun computes what that took away. On a busy machine a sweep may be over
# before the kill: then it is tried again.
expect_code 0 "$HVSIM" sweep shared.yaml --out whole
victims() { pgrep -P "$1"; }

# Starts the sweep and kills its child, or its child's child; succeeds when the sweep has noticed.
kill_one() {
    local generation=$1 pid victim code=0
    rm -rf shared
    "$HVSIM" sweep shared.yaml -j 1 --out shared >out 2>err &
    pid=$!
    until victim=$(victims $pid) && { [[ $generation -eq 1 ]] || victim=$(victims "$victim"); }; do
        kill -0 $pid 2>/dev/null || break
    done
    # shellcheck disable=SC2086 # there may be several, or none
    kill -KILL $victim 2>/dev/null
    wait $pid || code=$?
    [[ $code -ne 0 ]] || return 1
    [[ $code -eq 1 ]] || fail "exit code $code after a kill in generation $generation: $(<err)"
}

for generation in 1 2; do
    for ((attempt = 1; attempt <= 20; attempt++)); do
        ! kill_one $generation || break
    done
    [[ $attempt -le 20 ]] || fail "no process of generation $generation could be killed in time"
    grep -q 'failed: .* killed by signal 9 (Killed), by somebody or for want of memory' err || fail "$(<err)"
    expect_code 0 "$HVSIM" sweep shared.yaml --out shared
    # None, if the process died with its point already written.
    grep -qE 'hvsim: 4 points, [0-4] of them computed now' err || fail "after generation $generation: $(<err)"
    diff -r whole shared || fail "a killed process changes the results"
done

# A trace that breaks is a sentence of its point.
good_and_damaged_traces
cat >traces.yaml <<'YAML'
config: small.yaml
set: {workload.kind: trace}
axes: {workload.trace: [good.hvt, damaged.hvt], core.width: [2, 4]}
metrics: [core.accesses]
YAML
expect_code 1 "$HVSIM" sweep traces.yaml --out traces
expect_equal "what failed" 2 "$(grep -c "failed: trace '$PWD/damaged.hvt' is damaged at record 65536" err)"
expect_equal "the table" "good.hvt,2,98304 good.hvt,4,98304 damaged.hvt,2, damaged.hvt,4," \
    "$(tail -n +2 traces/table.csv | xargs)"

# SIGINT and SIGTERM end a sweep; what is done stays, and the rest is done later.
cat >endless.yaml <<'YAML'
config: small.yaml
axes: {workload.accesses: [1000, 1e15], paging.mode: [native, nested]}
metrics: [core.accesses]
YAML
for signal in INT TERM; do
    rm -rf interrupted
    set -m # without job control, a script's background child ignores SIGINT
    "$HVSIM" sweep endless.yaml -j 1 --out interrupted >out 2>err &
    pid=$!
    set +m
    until [[ $(find interrupted/points -name '*.json' 2>/dev/null | wc -l) -eq 2 ]]; do sleep 0.01; done
    child=$(victims $pid)
    kill -$signal $pid
    code=0
    wait $pid || code=$?
    [[ $code -eq 3 ]] || fail "exit code $code after SIG$signal"
    expect_equal "the talk" \
        "hvsim: interrupted with 2 of 4 points done; the same command goes on from there" "$(<err)"
    ! kill -0 "$child" 2>/dev/null || fail "a process goes on after SIG$signal"
    expect_equal "the files" points "$(ls -A interrupted)"
done
sed -i 's/1e15/2000/' endless.yaml
expect_code 0 "$HVSIM" sweep endless.yaml --out interrupted
expect_equal "the talk" "hvsim: 4 points, 2 of them computed now; results are in interrupted" "$(<err)"

# Two in one directory
sed -i 's/2000/1e15/' endless.yaml
"$HVSIM" sweep endless.yaml --out interrupted >/dev/null 2>&1 &
pid=$!
until victims $pid >/dev/null; do kill -0 $pid || fail "it ended"; done
expect_code 2 "$HVSIM" sweep endless.yaml --out interrupted
expect_equal "two sweeps" "hvsim: another hvsim sweep is working in interrupted; wait for it, or choose another --out" \
    "$(<err)"
kill -KILL $pid
wait $pid 2>/dev/null
exit 0
