#!/bin/bash
# SPDX-License-Identifier: MIT
# The capacity staircase: every preset has the TLB entries that it says, and a step costs the latency that it says.
#
# A chase over N neighbouring pages visits each of them once a cycle of N accesses, always in the same order. In a
# cache of E entries in E / ways = S sets, with true LRU, page p goes to set p mod S, and once a first cycle has warmed
# it up:
#
#     N = E        each set has `ways` pages and keeps them all: no miss
#     N = E + 1    one set has ways + 1 pages; the one that is needed next is always the one that was just evicted, so
#                  these ways + 1 pages miss in every cycle, and no other
#     N = E + S    each set has ways + 1 pages: N misses a cycle
#
# The second level sees the misses of the first only. From N = E1 + S1 of the first level on that is every access in
# the same cyclic order (a set with more than ways + 1 pages misses as well), so the same holds for it, and its misses
# are the page walks.
#
# A hit of the first level takes its latency, which is 0 in all presets; any other access that of the second level, its
# misses included. So core.cycles_tlb of a cycle is N times the one or N times the other.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

CYCLES=2 # that are measured, after one of warm-up

# run PAGES: sets misses, walks, and tlb_cycles of one cycle; all of them are whole numbers, or the run is no cycle.
run() {
    "$HVSIM" run "$config" --format json --set workload.kind=chase --set workload.footprint=$(($1 * 4))KiB \
        --set workload.accesses=$(((1 + CYCLES) * $1)) --set workload.warmup="$1" \
        --set tlb.l1d_4k.replacement=lru --set tlb.l2.replacement=lru --set core.model=inorder \
        --set paging.mode=native --set paging.guest.page_size=4k --set paging.guest.huge_fraction=0 \
        >"$work/run.json" || fail "cannot run $config over $1 pages"
    read -r misses walks tlb_cycles < <(jq -r --argjson cycles $CYCLES '[.stats["tlb.l1d.misses", "mmu.walks",
        "core.cycles_tlb"] / $cycles] | @tsv' "$work/run.json")
}

# step PAGES MISSES WALKS LATENCY: what a cycle over so many pages must count.
step() {
    run "$1"
    expect_equal "$config, $1 pages: misses of the first level, walks, cycles in TLBs, of one cycle" \
        "$2 $3 $(($1 * $4))" "$misses $walks $tlb_cycles"
}

# between PAGES MISSES WALKS: likewise, where some accesses hit the first level and others do not.
between() {
    run "$1"
    expect_equal "$config, $1 pages: misses of the first level, walks, of one cycle" "$2 $3" "$misses $walks"
}

# geometry: sets e1, w1, l1 (entries, ways and latency of the first level) and e2, w2, l2 (of the second).
geometry() {
    "$HVSIM" run "$config" --format json --set workload.accesses=1 >"$work/run.json" || fail "cannot run $config"
    read -r e1 w1 l1 e2 w2 l2 < <(jq -r '.config | [("tlb.l1d_4k", "tlb.l2") as $tlb | .[$tlb + ".entries"] as $entries
        | $entries, (.[$tlb + ".ways"] | if . == "full" then $entries else . end), .[$tlb + ".latency_cycles"]]
        | @tsv' "$work/run.json")
    s1=$((e1 / w1)) s2=$((e2 / w2))
    ((e1 + s1 < e2)) || fail "$config: $e2 entries of the second level do not hold what overflows $e1 of the first"
}

count=0
for config in configs/*.yaml configs/test/tiny.yaml; do
    geometry
    step $e1 0 0 $l1
    between $((e1 + 1)) $((w1 + 1)) 0
    step $((e1 + s1)) $((e1 + s1)) 0 $l2
    step $e2 $e2 0 $l2
    step $((e2 + 1)) $((e2 + 1)) $((w2 + 1)) $l2
    step $((e2 + s2)) $((e2 + s2)) $((e2 + s2)) $l2
    count=$((count + 1))
done
((count >= 17)) || fail "only $count machines were tried"
