#!/bin/bash
# SPDX-License-Identifier: MIT
# The object that `hvsim run --format json` prints has the parts and the names that scripts rely on, and its figures
# agree with each other.
source tests/cli/lib.bash
echo 'workload: {footprint: 32MiB, accesses: 20000, warmup: 5000}' >"$work/run.yaml"
"$HVSIM" run "$work/run.yaml" --set core.width=3 --format json >"$work/r.json" || fail "the run failed"

is() {
    [[ $(jq "$1" "$work/r.json") == true ]] || fail "not so: $1"
}
is 'keys_unsorted == ["hvsim", "config", "stats", "complete", "host"]'
is '.hvsim | keys == ["commit", "version"]'
is '.complete == true'
is '.host | keys == ["accesses_per_second", "max_rss_bytes", "setup_seconds", "wall_seconds"]'
is '.host.wall_seconds > 0 and .host.max_rss_bytes > 1e6'
is '.host.accesses_per_second * .host.wall_seconds | . > 19999 and . < 20001'

# Every parameter and every statistic of the reference is there, and no other; those of a device and its IOMMU where they are.
"$HVSIM" params --format json | jq '[.[].name]' >"$work/names"
jq '.config | keys_unsorted' "$work/r.json" | cmp - "$work/names" || fail "config is not the list of parameters"
"$HVSIM" stats --format json | jq '[.[].name]' >"$work/names"
jq 'map(select(test("^(io|iommu)\\.") | not))' "$work/names" >"$work/others"
jq '.stats | keys_unsorted' "$work/r.json" | cmp - "$work/others" || fail "stats is not the list of statistics"
# has_statistics MODE LACKS: with a device in a mode of the IOMMU, every statistic but those that a pattern names.
has_statistics() {
    jq --arg lacks "$2" 'map(select(test($lacks) | not))' "$work/names" >"$work/others"
    "$HVSIM" run "$work/run.yaml" --set io.device=dma --set io.pattern=read --set io.packets=100 \
        --set iommu.mode="$1" --set iommu.policy=static --format json | jq '.stats | keys_unsorted' |
        cmp - "$work/others" || fail "a device in mode $1 lacks statistics"
}
has_statistics second '^iommu\.exclusion\.'
has_statistics exclusion '^iommu\.(?!exclusion\.)'

is '.config | .["core.width"] == 3 and .["workload.footprint"] == 33554432 and .["tlb.l1d_1g.ways"] == "full"'
is '.config | .["paging.mode"] == "nested" and .["tlb.l2.sizes"] == ["4k", "2m"]'
is '.stats["core.accesses"] == 15000'
is '.stats as $s | [$s | to_entries[] | select(.key | test("^core.cycles_(?!per_access)")) | .value] | add ==
    $s["core.cycles"]'
is '.stats as $s | ["l1d", "l1i", "l2"] | all($s["tlb." + . + ".hits"] + $s["tlb." + . + ".misses"] ==
    $s["tlb." + . + ".lookups"])'
is '.stats["tlb.l1i.miss_ratio"] == null'
is '.stats["core.cpi"] - .stats["core.cycles"] / .stats["core.instructions"] | fabs < 1e-9'

# A value in the CSV is the value in the JSON.
"$HVSIM" run "$work/run.yaml" --set core.width=3 --format csv >"$work/r.csv" || fail "the run failed"
expect_equal "the head of the CSV" "name,value,unit" "$(head -1 "$work/r.csv")"
expect_equal "core.cycles in the CSV" "$(number "$work/r.json" '.stats["core.cycles"]')" \
    "$(awk -F, '$1 == "core.cycles" { print $2 }' "$work/r.csv")"
