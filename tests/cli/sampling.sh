#!/bin/bash
# SPDX-License-Identifier: MIT
# Parts of a workload are run and converted: the same part gives the same statistics, however it is asked for.
source tests/cli/lib.bash
repository=$PWD
cd "$work" || exit 1
trace=$repository/workloads/sqlite.hvt
echo 'core.width: 4' >machine.yaml

stat_of() { number out ".stats[\"$1\"]"; }

# --skip and --limit are short for parameters.
expect_code 0 "$HVSIM" run machine.yaml --trace "$trace" --skip 1e6 --limit 2e5 --out short
expect_code 0 "$HVSIM" run machine.yaml --trace "$trace" --set workload.skip=1e6 --set workload.accesses=2e5 --out long
cmp short/stats.csv long/stats.csv || fail "--skip and --limit are not workload.skip and workload.accesses"
# The resolved configuration repeats the run.
expect_code 0 "$HVSIM" run short/config.yaml --out again
cmp short/stats.csv again/stats.csv || fail "the resolved configuration of a part is another run"

# A converted part holds the records that a run of that part executes.
expect_code 0 "$HVSIM" trace convert "$trace" part.hvt --skip 1e6 --limit 2e5
expect_code 0 "$HVSIM" trace info part.hvt --format json
cp out info.json
expect_code 0 "$HVSIM" run machine.yaml --trace "$trace" --skip 1e6 --limit 2e5 --format json
for pair in core.accesses:records core.instructions:instructions tlb.l1i.lookups:fetches; do
    expect_equal "$pair" "$(number info.json ".${pair#*:}")" "$(stat_of "${pair%:*}")"
done

# Of every 1000 the first 10: 8000 times 10 of eight million.
expect_code 0 "$HVSIM" run machine.yaml --trace "$trace" --set workload.sample_period=1000 \
    --set workload.sample_length=10 --format json
expect_equal "a hundredth" 80000 "$(stat_of core.accesses)"
cp out run.json
expect_code 0 "$HVSIM" trace convert "$trace" sample.hvt --sample 1000:10
expect_code 0 "$HVSIM" trace info sample.hvt --format json
for pair in core.accesses:records core.instructions:instructions tlb.l1i.lookups:fetches; do
    expect_equal "$pair" "$(number out ".${pair#*:}")" "$(number run.json ".stats[\"${pair%:*}\"]")"
done

# Synthetic streams as well: the second half of a walk through 1 MiB misses on pages that the first half never saw.
printf 'workload: {kind: sequential, footprint: 1MiB, accesses: 131072, seed: 7}\n' >walk.yaml
expect_code 0 "$HVSIM" run walk.yaml --skip 65536 --limit 65536 --format json
expect_equal "the second half" "65536 128" "$(stat_of core.accesses) $(stat_of mmu.walks)"
expect_equal "one pass and a half" "196608" \
    "$("$HVSIM" run walk.yaml --skip 65536 --limit 196608 --format json | jq '.stats["core.accesses"]')"

# What is left out may take long; SIGINT ends it.
expect_interrupted "$HVSIM" run walk.yaml --skip 1e15 --format json
expect_equal "nothing was run" "false 0" "$(number out '"\(.complete) \(.stats["core.accesses"])"')"
expect_interrupted "$HVSIM" run walk.yaml --set workload.sample_period=1e15 --set workload.sample_length=1 --format json
expect_equal "at most one access was run" "true" "$(number out '(.complete | not) and .stats["core.accesses"] <= 1')"
