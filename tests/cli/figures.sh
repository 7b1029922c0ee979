#!/bin/bash
# SPDX-License-Identifier: MIT
# hvsim figures: recipes run and are judged, a band that is missed is exit code 1, and a bad recipe is one sentence.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

# Shipped recipes are valid, and each has a title in the list.
expect_code 0 "$HVSIM" figures --list
expect_equal "figures with a source" "$(ls configs/figures/*.yaml | wc -l)" "$(grep -c '^  source: ' "$work/out")"
expect_code 0 "$HVSIM" list figures
grep -q '^walk-grid  *[A-Z]' "$work/out" || fail "walk-grid has no title in the list"

# Two quick ones; their bands are arithmetic.
expect_code 0 "$HVSIM" figures walk-grid walk-counts --out "$work/figures" -j 2
expect_equal "verdicts that hold" 13 "$(grep -c ' holds$' "$work/out")"
for file in table.csv plot.gp; do
    [[ -s $work/figures/walk-grid/$file && -s $work/figures/walk-counts/$file ]] || fail "there is no $file"
done
if command -v gnuplot >/dev/null; then
    [[ -s $work/figures/walk-grid/plot.png && -s $work/figures/walk-grid/plot.svg ]] || fail "there is no picture"
fi
expect_equal "cells of a walk, and the references in them" "24 24" \
    "$(awk -F, 'NR > 1 { cells++; refs += $6 } END { print cells, refs }' "$work/figures/walk-grid/table.csv")"

# Against a reference: the same, then one in which a cell was another.
expect_code 0 "$HVSIM" figures walk-grid --out "$work/figures" --reference results/reference
grep -q '^0 of 1 tables differ' "$work/out" || fail "$(<"$work/out")"
mkdir -p "$work/reference/walk-grid"
sed 's/^g4,h3,0,1,2,1,/g4,h3,0,1,2,7,/' "$work/figures/walk-grid/table.csv" >"$work/reference/walk-grid/table.csv"
expect_code 0 "$HVSIM" figures walk-grid --out "$work/figures" --reference "$work/reference"
grep -q '^walk-grid: 1 of 168 cells moved, most of all refs in line 3: 7 became 1$' "$work/out" || fail "$(<"$work/out")"

# recipe CHECK: a small recipe with this check.
recipe() {
    cat >"$work/small.yaml" <<YAML
title: Small
source: arithmetic
sweep:
  config: $PWD/configs/test/bare.yaml
  set: {workload: {kind: uniform, footprint: 1MiB, accesses: 100}}
  axes: {paging.mode: [native, nested]}
  metrics: [mmu.walk_refs_mean]
checks:
  - $1
YAML
}

# judge CODE VERDICT CHECK
judge() {
    recipe "$3"
    expect_code "$1" "$HVSIM" figures "$work/small.yaml" --out "$work/figures"
    grep -q -- "$2" "$work/out" || fail "no \"$2\" for $3:" "$(<"$work/out")"
}

refs=mmu.walk_refs_mean
judge 0 ' 6  *holds' "{what: x, value: '$refs[paging.mode=nested] / $refs[paging.mode=native]', band: [6, 6]}"
judge 0 ' 28  *holds' "{what: x, value: 'sum($refs[])', band: 28}"
judge 0 ' 14  *holds' "{what: x, value: 'mean($refs[])', band: 14}"
judge 0 ' 20  *holds' "{what: x, value: 'max($refs[]) - min($refs[])', band: 20}"
judge 0 ' -10  *holds' "{what: x, value: '2 * (1 - 3) * 3 - -2', band: -10}"
judge 0 'not covered: because' "{what: x, value: '$refs[paging.mode=nested]', not_covered: because}"
judge 1 'MISSED: the band is 5 .. 5.5' "{what: x, value: '24 / 4', band: [5, 5.5]}"
judge 1 'MISSED' "{what: x, value: '1 / 0', band: [0, 1e300]}"
judge 1 '^small, x: MISSED: the reason' "{what: x, value: 4, band: 5, shortfall: the reason}"
judge 0 ' 4  *holds' "{what: x, value: 4, band: 4, shortfall: the reason}"
! grep -q 'the reason' "$work/out" || fail "a reason for a miss that is none"

# R^2 of a line through (24, 4), (29, 4), (29, 5), (35, 5): squares 60.75 and 1, products 5.5, so 30.25 / 60.75.
cat >"$work/line.yaml" <<YAML
title: Line
source: arithmetic
sweep:
  config: $PWD/configs/test/bare.yaml
  set: {workload: {kind: uniform, footprint: 1MiB, accesses: 100}}
  axes: {paging.guest.levels: [4, 5], paging.host.levels: [4, 5]}
  metrics: [mmu.walk_refs_mean, mmu.walk_refs_guest]
checks:
  - {what: x, value: 'r2($refs[], mmu.walk_refs_guest[])', band: [0.49794, 0.49795]}
  - {what: x, value: '2 * r2($refs[], $refs[]) ', band: [1.999999, 2.000001]}
YAML
expect_code 0 "$HVSIM" figures "$work/line.yaml" --out "$work/figures"
expect_equal "lines that fit" 2 "$(grep -c ' holds$' "$work/out")"

# mistake SENTENCE CHECK: the check stands in line 9, from column 5 on.
mistake() {
    recipe "$2"
    expect_code 2 "$HVSIM" figures "$work/small.yaml" --out "$work/figures"
    expect_equal "the sentence for $2" "hvsim: $work/small.yaml:$1" "$(<"$work/err")"
}

mistake '9:5: a check needs band: [least, most], or not_covered: why the model cannot tell' '{what: x, value: 1}'
mistake '9:5: a check needs what: a text' '{value: 1, band: 1}'
mistake '9:35: band takes [least, most], or one number for both' '{what: x, value: "1", band:   [2, 1]}'
mistake '9:25: value: "mmu.walks" is none of the sweep'"'"'s metrics' '{what: x, value: "1+mmu.walks[]", band: 1}'
mistake '9:23: value: this is 2 rows of the table; a cell is one, and sum, mean, min and max take several' \
    "{what: x, value: \"$refs[]\", band: 1}"
mistake '9:54: value: axis paging.mode has no value "none"; it has native, nested' \
    "{what: x, value: \"$refs[paging.mode=none]\", band: 1}"
mistake '9:42: value: "mode" is no axis of the sweep' "{what: x, value: \"$refs[mode=native]\", band: 1}"
mistake '9:25: value: ")" is missing' '{what: x, value: "(1", band: 1}'
mistake '9:5: a check is a map: {what: ..., value: ..., published: ..., band: [..., ...]}' 'x'

mistake '9:26: value: r2 takes at least three rows; a line goes through any two points' \
    "{what: x, value: \"r2($refs[], $refs[])\", band: 1}"
mistake '9:46: value: r2 takes two metrics: "," is missing' "{what: x, value: \"r2($refs[])\", band: 1}"

recipe '{what: x, value: 1, band: 1}'
sed -i 's/^title: Small/titel: Small/' "$work/small.yaml"
expect_code 2 "$HVSIM" figures "$work/small.yaml"
expect_equal "an unknown key" "hvsim: $work/small.yaml:1:1: unknown key of a figure \"titel\"; did you mean \"title\"?" \
    "$(<"$work/err")"
expect_code 2 "$HVSIM" figures walk-gird
expect_equal "an unknown figure" 'hvsim: "walk-gird" is neither a file nor a shipped figure; did you mean "walk-grid"?' \
    "$(<"$work/err")"
