#!/bin/bash
# SPDX-License-Identifier: MIT
# Devices from the command: forms of a network card in a sweep, the same bytes each time, mistakes, interruption.
source tests/cli/lib.bash
export HVSIM_DATA=$PWD

# A machine without a device has none of its statistics.
expect_code 0 "$HVSIM" run skylake --set workload.accesses=1000 --format csv
grep -qE '^(io|iommu)\.' "$work/out" && fail "a machine without a device prints statistics of one"

# The four forms and the native one in the order of what a packet costs, with the exits of each.
cat >"$work/forms.yaml" <<'YAML'
name: forms
config: nic-10g
workload: net-receive
set: {io.packets: 1000, io.moderation_ns: 0, io.link_mbps: 1000}
metrics: [io.cpu_cycles_per_packet, io.exits_per_packet]
axes:
  io.attach: [posted, assigned, paravirtual, emulated]
YAML
expect_code 0 "$HVSIM" sweep "$work/forms.yaml" --out "$work/forms"
cost=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
                { print $(at["io.cpu_cycles_per_packet"]) }' "$work/forms/table.csv")
expect_equal "the order of the forms" "$(sort -g <<<"$cost")" "$cost"
expect_equal "points of the sweep" 4 "$(wc -l <<<"$cost")"

# Every preset of a device, twice: the same bytes but for the host's.
for settings in "nic-10g --workload net-transmit" "nic-200g --set io.packets=5000" \
    "pcie-bench --set io.packets=5000" "skylake --workload disk-read --set io.packets=1000" \
    "skylake --workload net-request-response --set io.packets=200 --set machine.cores=2"; do
    for side in a b; do
        # shellcheck disable=SC2086  # words on purpose
        expect_code 0 "$HVSIM" run $settings --set workload.accesses=2000 --format json
        jq 'del(.host)' "$work/out" >"$work/$side"
    done
    cmp "$work/a" "$work/b" || fail "two runs differ: $settings"
    expect_equal "failed DMAs of $settings" 0 "$(number "$work/a" '.stats["io.dma_failed"]')"
    expect_equal "blocked requests of $settings" 0 "$(number "$work/a" '.stats["iommu.blocked"]')"
done

# Whether anybody watches does not matter, nor the width of the quantum.
expect_code 0 "$HVSIM" run skylake --workload net-receive --set io.packets=500 --format csv
mv "$work/out" "$work/plain"
expect_code 0 "$HVSIM" run skylake --workload net-receive --set io.packets=500 --format csv \
    --timeline "$work/timeline.json" --set timing.quantum_cycles=200
cmp "$work/out" "$work/plain" || fail "a watched run gives another result"
expect_equal "device interrupts in the timeline" true \
    "$(number "$work/timeline.json" '[.traceEvents[] | select(.name == "device interrupt")] | length > 100')"

# A run with a device and no end stops when told to.
expect_interrupted "$HVSIM" run skylake --workload net-receive --set io.packets=1e12

# A form that does not go is a sentence.
expect_code 2 "$HVSIM" run skylake --workload net-receive --set iommu.mode=off
grep -q 'which only an IOMMU keeps within' "$work/err" || fail "no sentence about the IOMMU: $(<"$work/err")"
expect_code 2 "$HVSIM" run skylake --workload net-receive --set iommu.mode=exclusion
grep -q 'translates nothing; set it to second' "$work/err" || fail "no sentence about exclusion: $(<"$work/err")"
expect_code 2 "$HVSIM" run skylake --workload net-receive --set paging.mode=native --set iommu.mode=exclusion
grep -q 'set iommu.policy to static, not strict' "$work/err" || fail "no sentence about a policy: $(<"$work/err")"
expect_code 2 "$HVSIM" run zen5 --workload net-receive
grep -q 'needs paging.mode nested with EPT' "$work/err" || fail "no sentence about NPT: $(<"$work/err")"
exit 0
