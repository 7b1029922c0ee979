#!/bin/bash
# SPDX-License-Identifier: MIT
# What people read: the figures of the text are those of the JSON, and the grid has the levels that exist.
source tests/cli/lib.bash
echo 'workload: {footprint: 16MiB, accesses: 20000}' >"$work/run.yaml"

run() {
    "$HVSIM" run "$work/run.yaml" "$@" --format json >"$work/r.json" &&
        "$HVSIM" run "$work/run.yaml" "$@" >"$work/r.txt" || fail "the run failed"
}

# figure LABEL: the number behind a label, and shown EXPRESSION: the JSON's, with two decimals.
figure() { sed -n "s/^  $1  *\([0-9.]*\).*/\1/p" "$work/r.txt" | head -1; }
shown() { printf '%.2f' "$(number "$work/r.json" "$1")"; }

run --set mmu.pwc.kind=none
expect_equal "cycles per access" "$(shown '.stats["core.cycles_per_access"]')" "$(figure 'cycles per access')"
expect_equal "references per walk" 24.00 "$(figure 'references per walk')"
expect_equal "L2 misses" "$(shown '.stats["tlb.l2.miss_ratio"] * 100')" "$(figure 'L2 TLB miss ratio')"
expect_equal "core.cycles" "$(number "$work/r.json" '.stats["core.cycles"]')" "$(figure all)"

# The grid of the 24: one reference in each cell but the data's own.
grid() { echo && grep -A7 '^References per walk' "$work/r.txt" | tail -7; }
expect_equal "the grid of references" '
              h4      h3      h2      h1       g     sum
  g4        1.00    1.00    1.00    1.00    1.00    5.00
  g3        1.00    1.00    1.00    1.00    1.00    5.00
  g2        1.00    1.00    1.00    1.00    1.00    5.00
  g1        1.00    1.00    1.00    1.00    1.00    5.00
  data      1.00    1.00    1.00    1.00       .    4.00
  sum       5.00    5.00    5.00    5.00    4.00   24.00' "$(grid)"

run --set mmu.pwc.kind=none --set paging.mode=native --set paging.guest.levels=5
expect_equal "the grid of a native walk" '
               g     sum
  g5        1.00    1.00
  g4        1.00    1.00
  g3        1.00    1.00
  g2        1.00    1.00
  g1        1.00    1.00
  sum       5.00    5.00' "$(grid)"
grep -q 'paging    native: 5 levels, 4k pages' "$work/r.txt" || fail "the head does not say what was run"

# Without walks there is no grid, and a ratio of nothing is a dash.
"$HVSIM" run "$work/run.yaml" --set workload.footprint=4KiB --warmup 1000 >"$work/r.txt" || fail "the run failed"
grep -q 'per walk, by' "$work/r.txt" && fail "a run without walks has a grid"
grep -q '^  references per walk  *-$' "$work/r.txt" || fail "0/0 is not shown as a dash"

# No line ends in blanks.
grep -n ' $' "$work/r.txt" && fail "blanks at the end of a line"
exit 0
