#!/bin/bash
# SPDX-License-Identifier: MIT
# Solution of lab 5: as many walks in a virtual machine, each of them longer; the cost follows the number of walks.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

"$HVSIM" sweep lab-virtualization -j 2 --out "$work/cost" >/dev/null 2>&1 || fail "the sweep failed"
# cell WORKLOAD MODE COLUMN
cell() { awk -F, -v w="$1" -v mode="$2" -v n="$3" '$1 == w && $2 == mode { print $n }' "$work/cost/table.csv"; }
# cost WORKLOAD: what nested is slower than native, in per mille
cost() { awk -v a="$(cell "$1" native 3)" -v b="$(cell "$1" nested 3)" 'BEGIN { printf "%d", (b / a - 1) * 1000 + 0.5 }'; }
for w in sqlite kvstore-8g graph-64m; do
    expect_equal "$w: walks" "$(cell $w native 4)" "$(cell $w nested 4)"
done
(($(cost kvstore-8g) > $(cost sqlite) && $(cost sqlite) > $(cost graph-64m))) ||
    fail "costs of store, database, graph: $(cost kvstore-8g) $(cost sqlite) $(cost graph-64m) per mille"
(($(cost kvstore-8g) > 100 && $(cost graph-64m) < 10)) || fail "the store should cost a tenth, the graph nothing"

# Exercise 1: with 2M host pages the walks are as many, and shorter.
"$HVSIM" run skylake --workload kvstore-8g --set workload.accesses=500e3 --set workload.warmup=100e3 \
    --set paging.host.page_size=2m --format json >"$work/huge.json" || fail "the run failed"
cheaper=$(number "$work/huge.json" ".stats.\"core.cpi\" < $(cell kvstore-8g nested 3)")
expect_equal "2M host pages help" true "$cheaper"
