#!/bin/bash
# SPDX-License-Identifier: MIT
# Every configuration and workload that ships is valid, has a title in the lists, and runs.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

for file in configs/*.yaml configs/test/*.yaml configs/sweeps/*.yaml configs/figures/*/*.yaml workloads/*.yaml; do
    expect_code 0 "$HVSIM" check "$file"
done
for kind in configs workloads sweeps; do
    untitled=$("$HVSIM" list $kind | awk 'NF < 3')
    [[ -z $untitled ]] || fail "without a title in the list of $kind: $untitled"
done

# A preset names its sources: each tag that a comment uses is in the list at its head, and each of the list is used.
for config in configs/*.yaml; do
    declared=$(sed -nE 's/^#   \[([a-z0-9]+)\] .*/\1/p' "$config" | sort)
    used=$(grep -v '^#   \[' "$config" | grep -oE '#.*' | grep -oE '\[[a-z0-9]+[],]' | tr -d '[],' | sort -u)
    [[ -n $used ]] || fail "$config names no source"
    expect_equal "the sources that $config uses" "$declared" "$used"
done

# Every machine runs every workload; of a large footprint only what is touched is mapped, and a graph, which is made
# before it is searched, is a small one. A device's guest is modelled for VMX only.
for config in configs/*.yaml configs/test/*.yaml; do
    for workload in workloads/*.yaml; do
        smaller=()
        grep -q 'kind: graph' "$workload" && smaller=(--set workload.footprint=4MiB)
        grep -q '^io:' "$workload" && grep -q 'format: npt' "$config" && continue
        expect_code 0 "$HVSIM" run "$config" --workload "$workload" --set workload.warmup=0 --format json \
            --set workload.accesses=2000 --set paging.prefault=false --set machine.memory=256GiB "${smaller[@]}"
        expect_equal "accesses of $workload on $config" 2000 "$(number "$work/out" '.stats["core.accesses"]')"
        expect_equal "aborted accesses of $workload on $config" 0 "$(number "$work/out" '.stats["core.aborted"]')"
    done
done

# Every sweep runs.
for file in configs/sweeps/*.yaml; do
    name=$(basename "$file" .yaml)
    expect_code 0 "$HVSIM" sweep "$name" --set workload.accesses=2000 --set workload.warmup=0 --out "$work/$name"
    [[ -s $work/$name/table.csv && -s $work/$name/plot.gp ]] || fail "$name leaves no results"
done
