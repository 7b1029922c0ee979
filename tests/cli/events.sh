#!/bin/bash
# SPDX-License-Identifier: MIT
# Events that a workload makes reach the software that owns the page tables: what they do, counted by arithmetic.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

# 1000 stores all over 16 pages, with an event about all of them in the middle: every page is touched before and after.
run_event() {
    expect_code 0 "$HVSIM" run configs/test/tiny.yaml --format json --set workload.kind=uniform \
        --set workload.footprint=64KiB --set workload.accesses=1000 --set workload.write_fraction=1 \
        --set "workload.events.$1_interval=500" --set "workload.events.$1_pages=16"
    expect_equal "accesses beside $1" 1000 "$(number "$work/out" '.stats["core.accesses"]')"
    expect_equal "aborted accesses beside $1" 0 "$(number "$work/out" '.stats["core.aborted"]')"
}

# expect_stat NAME VALUE
expect_stat() {
    expect_equal "$1" "$2" "$(number "$work/out" ".stats[\"$1\"]")"
}

run_event remap
expect_stat vmm.pages_unmapped 16
expect_stat vmm.page_faults 16
run_event protect
expect_stat vmm.pages_protected 16
expect_stat vmm.write_faults 16
expect_stat vmm.pages_copied 0
run_event fork
expect_stat vmm.pages_protected 16
expect_stat vmm.pages_copied 16
run_event migrate
expect_stat vmm.pages_migrated 16
run_event balloon
expect_stat vmm.pages_ballooned 16
expect_stat vmm.ept_violations 16

# A switch begins each of ten quanta, and each process has memory of its own, faulted in page by page.
printf 'workload: {kind: stride, footprint: 64KiB}\n' >"$work/part.yaml"
expect_code 0 "$HVSIM" run configs/test/tiny.yaml --format json --set workload.kind=mix \
    --set "workload.parts=$work/part.yaml,$work/part.yaml,$work/part.yaml" --set workload.mix_quantum=100 \
    --set workload.accesses=1000 --set paging.prefault=false
expect_stat vmm.process_switches 10
expect_stat vmm.page_faults 48
expect_stat core.accesses 1000
