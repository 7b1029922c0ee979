#!/bin/bash
# SPDX-License-Identifier: MIT
# hvsim lint: which checks of a VM entry a VMCS fails, from each form of description.
source tests/cli/lib.bash

rules=$("$HVSIM" list rules --format json | jq length)
# The rules that are broken, in order, and what the entry comes to.
broken() { jq -r '[.broken[].rule] | join(" ")' "$work/out"; }
outcome() { jq -c '.outcome' "$work/out"; }

# Every description that ships enters on a processor with everything.
for name in $("$HVSIM" list vmcs --format json | jq -r '.[].name'); do
    expect_code 0 "$HVSIM" lint "$name"
    expect_equal "$name" "The VM entry would take place: each of the $rules rules holds." "$(tail -1 "$work/out")"
done

# Each line of this file breaks what its comment says, and nothing else is found over a good base.
expect_code 1 "$HVSIM" lint configs/vmcs/examples/broken.yaml --base long-mode --format json
expect_equal "broken" "primary_reserved msr_bitmaps virtual_nmis host_selector_rpl host_tr_null guest_cr4 guest_efer_lma \
guest_efer_lme guest_segment_g guest_tr_type guest_rflags_reserved" "$(broken)"
expect_equal "what comes first decides" '{"kind":"vmfail_valid","error":7}' "$(outcome)"
expect_equal "none twice" "0" "$(jq '[.broken[].rule] | length - (unique | length)' "$work/out")"
expect_equal "each with the manual's section and a field" true \
    "$(jq 'all(.broken[]; (.section | test("^27[.]")) and (.fields | length > 0))' "$work/out")"

# The log of a kernel, in which an external interrupt is injected into a guest with interrupts off.
expect_code 1 "$HVSIM" lint configs/vmcs/examples/kvm.log --format json
expect_equal "kvm.log" "guest_rflags_if" "$(broken)"
expect_equal "reason 33" 33 "$(jq '.outcome.reason' "$work/out")"

# A field a line, by name or by encoding; the high half of a 64-bit field alone.
cat >"$work/fields" <<'TEXT'
guest_rflags = 0x0
0x681c 0x8000000000000000
TEXT
expect_code 1 "$HVSIM" lint "$work/fields" --base long-mode --format json
expect_equal "RFLAGS, and nothing about RSP" "guest_rflags_reserved" "$(broken)"
echo '0x2801 0x1' >"$work/half"
expect_code 1 "$HVSIM" lint "$work/half" --base long-mode --format json
expect_equal "half of the link pointer" "link_pointer_address" "$(broken)"

# Hardware without a feature, with fewer address bits, and an entry from another mode.
expect_code 1 "$HVSIM" lint real-mode --without secondary.unrestricted_guest --format json
expect_equal "without unrestricted guests" "secondary_reserved" "$(broken)"
echo 'io_bitmap_a: 0x100000000' >"$work/far.yaml"
echo 'primary_controls: [use_io_bitmaps, activate_secondary_controls, use_msr_bitmaps]' >>"$work/far.yaml"
expect_code 0 "$HVSIM" lint "$work/far.yaml" --base long-mode
expect_code 1 "$HVSIM" lint "$work/far.yaml" --base long-mode --physical-bits 32 --format json
jq -e '[.broken[].rule] | index("io_bitmap_a") != null' "$work/out" >/dev/null || fail "4 GiB is not beyond 32 bits: $(broken)"
expect_code 1 "$HVSIM" lint long-mode --host 32-bit --format json
jq -e '[.broken[].rule] | index("host_address_space") != null' "$work/out" >/dev/null || fail "a 32-bit host: $(broken)"

# The tables: as many rows in text as in JSON, and every rule has words.
for table in fields controls exits rules; do
    "$HVSIM" list $table >"$work/text" || fail "list $table"
    expect_equal "rows of $table" "$("$HVSIM" list $table --format json | jq length)" \
        "$(($(wc -l <"$work/text") - 1))"
done
expect_equal "rules with words" 0 "$("$HVSIM" list rules --format json | jq '[.[] | select(.help == "")] | length')"
