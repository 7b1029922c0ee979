#!/bin/bash
# SPDX-License-Identifier: MIT
# Solution of lab 1: the references of a walk are (g + 1)(h + 1) - 1, of which g are the guest's own entries.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

# refs SETTING...: references of one translation with nothing cached, in all and of guest entries
refs() {
    local options=()
    for setting; do options+=(--set "$setting"); done
    "$HVSIM" walk skylake --set mmu.pwc.kind=none "${options[@]}" --format json >"$work/walk.json" || fail "no walk: $*"
    number "$work/walk.json" '.translations[0].totals | "\(.references) \(.guest_references)"'
}

expect_equal "native" "4 4" "$(refs paging.mode=native)"
expect_equal "nested" "24 4" "$(refs)"
# Exercise 2: with a 2M leaf a dimension has a level less.
expect_equal "2M host pages: 5 x 4 - 1" "19 4" "$(refs paging.host.page_size=2m)"
expect_equal "2M pages in both: 4 x 4 - 1" "15 3" "$(refs paging.host.page_size=2m paging.guest.page_size=2m)"
expect_equal "five levels in both: 6 x 6 - 1" "35 5" "$(refs paging.guest.levels=5 paging.host.levels=5)"
