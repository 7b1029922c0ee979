#!/bin/bash
# SPDX-License-Identifier: MIT
# Solution of lab 3: page-walk caches leave 2 of 4 and about 5 of 24 references; the leaves have the cycles.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

"$HVSIM" sweep lab-walk-caches -j 2 --out "$work/caches" >/dev/null 2>&1 || fail "the sweep failed"
# refs KIND MODE: references per walk, in tenths
refs() {
    awk -F, -v kind="$1" -v mode="$2" '$1 == kind && $2 == mode { printf "%d", $3 * 10 + 0.5 }' "$work/caches/table.csv"
}
expect_equal "native without caches" 40 "$(refs none native)"
expect_equal "nested without caches" 240 "$(refs none nested)"
native=$(refs translation native) nested=$(refs translation nested)
((native >= 10 && native <= 25)) || fail "native with caches: $native tenths"
((nested >= 2 * native && nested <= 4 * native)) || fail "nested with caches: $nested tenths, native $native"

# Exercise 1: the guest's leaf entry and the host's leaf entry of the data page.
"$HVSIM" run skylake --set workload.kind=uniform --set workload.footprint=4GiB --set workload.accesses=100000 \
    --format json >"$work/run.json" || fail "the run failed"
most=$(number "$work/run.json" '[.stats | to_entries[] | select(.key | test("^mmu.grid.*cycles$"))] | sort_by(-.value)
    | .[0:2] | map(.key) | sort | join(" ")')
expect_equal "cells with most cycles" "mmu.grid.data.h1.cycles mmu.grid.g1.g.cycles" "$most"
