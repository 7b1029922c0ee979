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
exit 0
