#!/bin/bash
# SPDX-License-Identifier: MIT
# Solution of lab 4: the TLB's reach is that of the smaller page; a larger one on either side only shortens the walk.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

"$HVSIM" sweep lab-huge-pages -j 2 --out "$work/pages" >/dev/null 2>&1 || fail "the sweep failed"
# cell GUEST HOST COLUMN
cell() { awk -F, -v guest="$1" -v host="$2" -v n="$3" '$1 == guest && $2 == host { print $n }' "$work/pages/table.csv"; }
expect_equal "splintered: as many walks as with 4K pages" "$(cell 4k 4k 3)" "$(cell 2m 4k 3)"
expect_equal "splintered: as many walks as with 4K pages" "$(cell 4k 4k 3)" "$(cell 4k 2m 3)"
expect_equal "2M pages in both: 512 of them fit" 0 "$(cell 2m 2m 3)"

# Exercise 1: (g + 1)(h + 1) - 1 with a level less for each 2M leaf.
for cells in "4k 4k 24" "4k 2m 19" "2m 4k 19" "2m 2m 15"; do
    read -r guest host refs <<<"$cells"
    "$HVSIM" run skylake --set mmu.pwc.kind=none --set workload.footprint=8GiB --set workload.accesses=5000 \
        --set paging.guest.page_size="$guest" --set paging.host.page_size="$host" --format json >"$work/run.json"
    expect_equal "guest $guest, host $host" "$refs" "$(number "$work/run.json" '.stats."mmu.walk_refs_max"')"
done
