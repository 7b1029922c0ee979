#!/bin/bash
# SPDX-License-Identifier: MIT
# A sweep that is killed again and again ends as one that nobody disturbed, to the byte; so does one with other -j.
source tests/cli/lib.bash
cd "$work" || exit 1
cat >hundred.yaml <<'YAML'
config: tiny.yaml
set: {workload.kind: zipf, workload.accesses: 20000}
axes:
  tlb.l2.entries: [8, 16, 24, 32, 40]
  mmu.nested_tlb.entries: [0, 2]
  paging.mode: [native, nested]
seeds: 5
metrics: [core.cpi, mmu.walk_refs_mean, mmu.nested_tlb.hits]
plot: {x: tlb.l2.entries, y: core.cpi}
YAML
cat >tiny.yaml <<'YAML'
tlb: {l1d_4k: {entries: 4}, l2: {entries: 16, ways: 4}}
workload: {footprint: 1MiB}
YAML
points() { find "$1/points" -name '*.json' 2>/dev/null | wc -l; }

expect_code 0 "$HVSIM" sweep hundred.yaml -j 1 --out undisturbed
expect_equal "the points" 100 "$(points undisturbed)"
expect_equal "the talk" "hvsim: 100 points, 100 of them computed now; results are in undisturbed" "$(<err)"
expect_equal "the files" "plot.gp plot.png plot.svg points table.csv" "$(ls -A undisturbed | xargs)"
expect_equal "the rows" 21 "$(wc -l <undisturbed/table.csv)"
cp out printed

expect_code 0 "$HVSIM" sweep hundred.yaml -j 2 --out two
diff -r undisturbed two || fail "-j 2 makes other results than -j 1"
cmp out printed || fail "-j 2 prints another table than -j 1"

# Killed once so many points are there, and a few milliseconds later: before, while and after a file is written.
RANDOM=1
kill_five_times() {
    local least pid code
    rm -rf killed
    for least in 7 23 41 66 88; do
        "$HVSIM" sweep hundred.yaml -j 2 --out killed >/dev/null 2>&1 &
        pid=$!
        until (($(points killed) >= least)); do kill -0 $pid 2>/dev/null || break; done
        sleep "0.00$((RANDOM % 10))"
        kill -KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
        code=$?
        [[ $code -ne 0 ]] || return 1
        [[ $code -eq 137 ]] || fail "exit code $code after a kill"
    done
    (($(points killed) < 100))
}

# On a busy machine the sweep may be over before the last kill: then all begins again.
attempt=1
until kill_five_times; do
    ((attempt++ < 10)) || fail "always killed too late"
done
before=$(points killed)
find killed/points -name '*.json' -printf '%f %T+\n' | sort >there
expect_code 0 "$HVSIM" sweep hundred.yaml --out killed
# What died last may have ended a point after it was counted.
computed=$(sed -nE 's/^hvsim: 100 points, ([0-9]+) of them computed now.*/\1/p' err)
((computed > 0 && computed <= 100 - before)) || fail "$before points were there, and $computed were computed"
find killed/points -name '*.json' -printf '%f %T+\n' | sort | comm -23 there - >touched
[[ ! -s touched ]] || fail "computed again: $(<touched)"
diff -r undisturbed killed || fail "a sweep that was killed ends in other results"
cmp out printed || fail "a sweep that was killed prints another table"

# Nothing is left to do.
expect_code 0 "$HVSIM" sweep hundred.yaml --out killed
expect_equal "the talk" "hvsim: 100 points, 0 of them computed now; results are in killed" "$(<err)"
diff -r undisturbed killed || fail "a rerun changes the results"

# A point is what `hvsim run` says, but for the host's part; `hvsim diff` reads it.
point=undisturbed/points/tlb.l2.entries=24,mmu.nested_tlb.entries=2,paging.mode=nested,seed=1000001.json
expect_code 0 "$HVSIM" run tiny.yaml --set workload.kind=zipf --set workload.accesses=20000 --set tlb.l2.entries=24 \
    --set mmu.nested_tlb.entries=2 --set workload.seed=1000001 --format json
cp out run.json
cmp <(jq 'del(.host)' run.json) <(jq 'del(.sweep)' $point) || fail "a point is not what a run is"
expect_code 0 "$HVSIM" diff $point run.json --format json
expect_equal "the difference between a point and a run" 0 "$(number out '.stats | length')"

# An engine's way in: points one by one, in any order, make the same.
for number in 100 1 57; do
    expect_code 0 "$HVSIM" sweep hundred.yaml --point $number --out alone
done
for file in alone/points/*; do
    cmp "$file" "undisturbed/points/${file##*/}" || fail "--point makes another $file"
done
expect_equal "the points" 3 "$(points alone)"
expect_code 2 "$HVSIM" sweep hundred.yaml --point 101 --out alone
expect_equal "--point" "hvsim: --point takes a whole number from 1 to 100" "$(<err)"
