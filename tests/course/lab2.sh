#!/bin/bash
# SPDX-License-Identifier: MIT
# Solution of lab 2: the reach is entries x page size, and one page more costs all of it.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

"$HVSIM" sweep lab-tlb-reach -j 2 --out "$work/reach" >/dev/null 2>&1 || fail "the sweep failed"
# cell FOOTPRINT SIZE: the miss ratio of a row of the table
cell() { awk -F, -v footprint="$1" -v size="$2" '$1 == footprint && $2 == size { print $3 }' "$work/reach/table.csv"; }
expect_equal "1536 pages of 4K fit" 0 "$(cell $((6 << 20)) 4k)"
expect_equal "1537 pages do not" 1 "$(cell $((6148 << 10)) 4k)"
expect_equal "2M pages: the second level is not asked" "" "$(cell $((16 << 20)) 2m)"

"$HVSIM" mrc skylake --set workload.kind=chase --set workload.footprint=8MiB --set workload.accesses=8192 \
    --set workload.warmup=2048 --sizes 1536,2047,2048 --format csv >"$work/curve.csv" || fail "no curve"
expect_equal "2048 pages in a circle" $'1536,6144\n2047,6144\n2048,0' "$(cut -d, -f1,2 "$work/curve.csv" | tail -n +2)"

# Exercise 1: of random pages, 1536 of 2048 are in the TLB: a quarter misses.
"$HVSIM" run skylake --set workload.kind=uniform --set workload.footprint=8MiB --set workload.accesses=200000 \
    --set workload.warmup=50000 --set paging.mode=native --set tlb.l2.ways=full --format json >"$work/random.json"
ratio=$(number "$work/random.json" '.stats | ."tlb.l2.misses" / ."core.accesses" * 1000 | round')
((ratio > 230 && ratio < 270)) || fail "a quarter of random accesses should miss, not $ratio per mille"
