#!/bin/bash
# SPDX-License-Identifier: MIT
# What people are told of devices: idle time in the stack of cycles, strays in the timeline, the columns of registers,
# sentences that name a way out.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD
run() { "$HVSIM" run nic-10g --workload net-receive --set io.packets=500 "$@" || fail "the run failed: $*"; }

# A core that waits for its card does not handle interrupts meanwhile; the parts are the whole.
run >"$work/text"
run --format json >"$work/json"
row() { sed -n "/^Where the cycles went/,/^  all /s/^  $1  *\([0-9]*\) .*/\1/p" "$work/text"; }
idle=$(number "$work/json" '.stats["io.idle_cycles"]')
((idle > 0)) || fail "the core was never idle"
expect_equal "idle cycles" "$idle" "$(row 'waiting for a device')"
expect_equal "cycles of interrupts" "$(number "$work/json" ".stats[\"core.cycles_interrupt\"] - $idle")" \
    "$(row interrupts)"
expect_equal "the sum of the parts" "$(number "$work/json" '.stats["core.cycles"]')" \
    "$(sed -n '/^Where the cycles went/,/^  all /p' "$work/text" | grep '%' | grep -o ' [0-9]\+ ' |
        awk '{ sum += $1 } END { printf "%d", sum }')"
"$HVSIM" run skylake --set workload.accesses=1000 >"$work/text" || fail "the run failed"
expect_equal "waiting without a device" "" "$(row 'waiting for a device')"

# Each write that goes astray is in the timeline, blocked or not.
strays() { jq '[.traceEvents[] | select(.name == "'"$1"'")] | length' "$work/t.json"; }
run --set io.stray_interval=50 --format json --timeline "$work/t.json" >"$work/json"
expect_equal "blocked strays" "$(number "$work/json" '.stats["io.strays_blocked"]')" "$(strays 'stray, blocked')"
run --set io.stray_interval=50 --set paging.mode=native --set iommu.mode=off --format json --timeline "$work/t.json" \
    >"$work/json"
expect_equal "strays that nobody blocks" "$(number "$work/json" '.stats["io.strays"]')" "$(strays stray)"

# Registers with what the specification says of FSTS, FECTL and RTADDR: attributes RW1C, reset values, TTM.
"$HVSIM" list registers --format json >"$work/registers" || fail "list registers"
column() { jq -r '.[] | select(.name == "'"$1"'") | .'"$2" "$work/registers"; }
expect_equal "FSTS" "0x0 0x71" "$(column FSTS writable) $(column FSTS w1c)"
expect_equal "FECTL" "0x80000000 0x80000000" "$(column FECTL reset) $(column FECTL writable)"
expect_equal "RTADDR" 0xfffffffffffffc00 "$(column RTADDR writable)"
expect_equal "CAP" "iommu.* 0x0" "$(column CAP reset) $(column CAP writable)"

# mistake SETTINGS WORDS: the sentence ends in what to set.
mistake() {
    # shellcheck disable=SC2086  # words on purpose
    expect_code 2 "$HVSIM" run nic-10g $1
    grep -qF -- "$2" "$work/err" || fail "of $1: $(<"$work/err")"
}
mistake "--set io.device=storage --set io.pattern=receive" "set that to storage"
mistake "--set io.attach=emulated --set vcpu.interrupts=direct" "or io.attach to assigned"
mistake "--set io.device=dma --set io.pattern=read --set iommu.mode=nested" "set it to first or second"
mistake "--set mmu.physical_bits=36 --set machine.memory=64GiB" "or lower machine.memory"
