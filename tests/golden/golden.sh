#!/bin/bash
# SPDX-License-Identifier: MIT
# The golden runs print what they printed before, byte for byte; scripts/golden shows what moved.
source tests/cli/lib.bash

scripts/golden || fail "see the difference above"

# What arithmetic knows about the expectations themselves, lest a rewrite make a mistake the expectation.
# expected RUN STATISTIC VALUE
expected() {
    expect_equal "$2 of $1" "$3" "$(awk -F, -v name="$2" '$1 == name { print $2 }' "tests/golden/$1.csv")"
}
expected bare-uniform mmu.walks 20000
expected bare-uniform mmu.walk_refs $((20000 * 24))
expected bare-uniform mmu.walk_refs_guest $((20000 * 4))
expected bare-uniform mmu.walk_refs_max 24
expected bare-native-5 mmu.walk_refs $((20000 * 5))
expected splintered-bare mmu.walk_refs $((20000 * 19))
expected demand vmm.page_faults 4096
expected demand mmu.walks $((10000 + 2 * 4096))
expected sqlite core.accesses 1000000
expected agile-2 mmu.walk_refs $((20000 * (4 + 4 * 2)))
shadow() { awk -F, -v name="$1" '$1 == name { print $2 }' tests/golden/shadow.csv; }
expected shadow vmm.shadow_writes $(($(shadow vmm.pages_unmapped) + $(shadow vmm.page_faults)))
expected shadow vmm.shadow_reflected "$(shadow vmm.page_faults)"
expected shadow mmu.walks $((20000 + $(shadow vmm.page_faults)))
expected shadow mmu.walk_refs $((4 * $(shadow mmu.walks)))
expected nic-assigned io.handled 1000
card() { awk -F, -v name="$1" '$1 == name { print $2 }' tests/golden/nic-assigned.csv; }
expected nic-assigned io.exits $((2 * $(card io.interrupts_handled)))
expected nic-assigned tlb.l1d.lookups $((1000 + $(card io.doorbells)))
expected dma-knee iommu.requests 20800
expected dma-knee iommu.walks $((20800 / 64))

# Little's law in every run: how many there are on average = the rate at which they come x the mean time that one stays.
# Means are printed with many digits, so nothing but rounding may differ.
for run in tests/golden/*.csv; do
    awk -F, '{ value[$1] = $2 }
        function holds(mean, number, time) {
            expected = value[number] / value["core.cycles"] * value[time]
            off = value[mean] - expected
            return value[mean] > 0 && off < 1e-9 * expected && off > -1e-9 * expected
        }
        END { exit !(holds("mmu.walkers_busy_mean", "mmu.walks", "mmu.walk_cycles_mean") &&
                     holds("dram.occupancy_mean", "dram.reads", "dram.read_cycles_mean")) }' "$run" ||
        fail "Little's law does not hold in $run"
done
# The window reorders time, not what happens.
counters() { grep -Ev 'cycles|_mean|merged|^core\.(m|cpi|cycles)' "tests/golden/$1.csv"; }
for pair in skylake-nested:skylake-window sqlite:sqlite-window; do
    cmp <(counters "${pair%:*}") <(counters "${pair#*:}") || fail "${pair#*:} counts differently from ${pair%:*}"
done
value() { awk -F, -v name="$2" '$1 == name { print $2 }' "tests/golden/$1.csv"; }
beyond=$(($(value bare-window core.cycles) - $(value bare-window mmu.walk_cycles)))
((beyond >= 0 && beyond < 300)) || fail "bare-window took $beyond cycles more than its walks"
exit 0
