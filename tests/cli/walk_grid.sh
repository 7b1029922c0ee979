#!/bin/bash
# SPDX-License-Identifier: MIT
# How many references does a page walk make when nothing is cached?
#
#     native: one a level        nested: (g + 1)(h + 1) - 1
#
# g and h are the levels that are walked: all of them for 4K pages, one less for 2M, two less for 1G. Each walk of a run
# must make exactly so many, and the cells of the grid must add up to the whole.
source tests/cli/lib.bash

cat >"$work/cold.yaml" <<'YAML'
workload: {kind: uniform, footprint: 4MiB, accesses: 500}
mmu:
  pwc.kind: none
  nested_tlb.entries: 0
tlb:
  l1d_4k.entries: 0
  l1d_2m.entries: 0
  l1d_1g.entries: 0
  l1i_4k.entries: 0
  l1i_2m.entries: 0
  l2.entries: 0
  l2_1g.entries: 0
YAML

# walked LEVELS LEAF: the levels that a walk to such a leaf reads.
walked() {
    case $2 in
        4k) echo "$1" ;;
        2m) echo $(($1 - 1)) ;;
        1g) echo $(($1 - 2)) ;;
    esac
}

failures=0
cells=0

# check EXPECTED KEY=VALUE...: every walk of this run makes so many references.
check() {
    local expected=$1 settings=() got
    shift
    for setting; do settings+=(--set "$setting"); done
    "$HVSIM" run "$work/cold.yaml" --format json "${settings[@]}" >"$work/run.json" || fail "cannot run: $*"
    got=$(jq -r --argjson expected "$expected" '.stats as $s
        | def total(what):
            [$s | to_entries[] | select(.key | startswith("mmu.grid.") and endswith(what)) | .value] | add;
        [$s["mmu.walks"] == 500, $s["mmu.walk_refs_max"] == $expected, $s["mmu.walk_refs"] == 500 * $expected,
         total(".refs") == $s["mmu.walk_refs"], total(".cycles") == $s["mmu.walk_cycles"],
         $s["mmu.walk_refs_guest"] + $s["mmu.walk_refs_host"] == $s["mmu.walk_refs"]]
        | all' "$work/run.json")
    if [[ $got != true ]]; then
        echo "$*: expected $expected references a walk, got $(jq -c '.stats | {walks: ."mmu.walks",
            refs: ."mmu.walk_refs", max: ."mmu.walk_refs_max"}' "$work/run.json")" >&2
        failures=$((failures + 1))
    fi
    cells=$((cells + 1))
}

for levels in 4 5; do
    for leaf in 4k 2m 1g; do
        check "$(walked $levels $leaf)" paging.mode=native paging.guest.levels=$levels paging.guest.page_size=$leaf
    done
done

for guest_levels in 4 5; do
    for host_levels in 4 5; do
        for guest_leaf in 4k 2m 1g; do
            for host_leaf in 4k 2m 1g; do
                g=$(walked $guest_levels $guest_leaf) h=$(walked $host_levels $host_leaf)
                check $(((g + 1) * (h + 1) - 1)) paging.mode=nested \
                    paging.guest.levels=$guest_levels paging.guest.page_size=$guest_leaf \
                    paging.host.levels=$host_levels paging.host.page_size=$host_leaf
            done
        done
    done
done
((cells == 6 + 36)) || fail "$cells cells were tried"

# The pages under the guest's tables may have another size (t levels) than those under the data (h levels): each of the
# g guest entries costs t + 1, and the data page h.
for table_leaf in 4k 2m 1g; do
    for data_leaf in 4k 2m 1g; do
        t=$(walked 4 $table_leaf) h=$(walked 4 $data_leaf)
        check $((4 * (t + 1) + h)) paging.mode=nested paging.host.page_size=$data_leaf \
            paging.host.table_page_size=$table_leaf
    done
done

# The levels of NPT are the same.
check 24 paging.mode=nested paging.host.format=npt
((failures == 0)) || fail "$failures of $cells cells are wrong"
