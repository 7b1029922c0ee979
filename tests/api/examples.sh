#!/bin/bash
# SPDX-License-Identifier: MIT
# A user's way to the library: installed, found by pkg-config, the examples of the documentation built and run.
source tests/cli/lib.bash
build=$(dirname "$HVSIM")
if [[ $build == */build-san ]]; then
    echo "left out under sanitizers: what is installed is built without" >&2
    exit 77
fi

prefix=$work/installed
make -s -o all install PREFIX="$prefix" >"$work/log" 2>&1 || fail "make install" "$(<"$work/log")"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export HVSIM_DATA=$prefix/share/hvsim

# build NAME: with all warnings, as C and its header as C++.
build() {
    local flags
    flags=$(pkg-config --cflags --libs hvsim) || fail "pkg-config does not find hvsim"
    # shellcheck disable=SC2086
    gcc -std=c11 -Wall -Wextra -Werror "docs/examples/$1.c" $flags -o "$work/$1" || fail "$1 does not build"
}
# shellcheck disable=SC2046
echo '#include <hvsim.h>' | g++ -fsyntax-only -Wall -Wextra -Werror -x c++ - $(pkg-config --cflags hvsim) || fail "as C++"

build hello
expect_code 0 "$work/hello"
expect_equal "the greeting" "hello" "$(head -1 "$work/out")"
grep -q '^ended by hlt after [0-9]* cycles$' "$work/out" || fail "$(<"$work/out")"

# Eight pages fault once each; the second round, without exits, takes less time.
build demand
expect_code 0 "$work/demand"
expect_equal "EPT violations" "8 0" "$(awk '{print $3}' "$work/out" | xargs)"
awk '{cycles[NR] = $6} END {exit !(cycles[1] > 8 * 800 && cycles[2] < cycles[1] / 2)}' "$work/out" || fail "$(<"$work/out")"

build bare
expect_code 0 "$work/bare"
expect_equal "the ends" "VMLAUNCH before VMXON: exception, vector 6
VMXON: succeeded
VMLAUNCH without a VMCS: VMfailInvalid
VMCLEAR: succeeded
VMPTRLD: succeeded
VMLAUNCH of an empty VMCS: VMfailValid" "$(head -6 "$work/out")"
grep -q '^error 7: VM entry with invalid control field(s); [0-9]* rules are broken, among them:$' "$work/out" ||
    fail "$(<"$work/out")"
grep -q 'VMWRITE to the exit reason: succeeded' "$work/out" || fail "$(<"$work/out")" # IA32_VMX_MISC bit 29

build iommu
expect_code 0 "$work/iommu"
expect_equal "what the card reaches" "in memory: hello
another page: blocked, reason 05H: a write without write permission
another device: blocked, reason 02H: the context entry is not present
first record: device 0300, reason 05H
forged: blocked, reason 26H: the requester is not the one that the interrupt-remapping entry names
interrupt 61H: the guest left, external_interrupt" "$(tail -6 "$work/out")"

# Against the insides of the simulator: the built-in software that owns an IOMMU.
gcc -std=c11 -Wall -Wextra -Werror -D_GNU_SOURCE -Isim docs/examples/dma.c "$build/libhvsim.a" -lm -o "$work/dma" ||
    fail "dma does not build"
expect_code 0 "$work/dma"
expect_equal "what devices reach" "mapped: 0x800040
another device: blocked, reason 39H: the scalable-mode root entry is not present
unmapped, not invalidated: 0x800040
invalidated: blocked, reason 79H: a second-stage entry allows neither read nor write: it is not present
the card's interrupt: vector 51H to processor 2
forged by another device: blocked, reason 26H: the requester is not the one that the interrupt-remapping entry names" \
    "$(head -6 "$work/out")"
expect_equal "what check.stale says" 1 "$(grep -c '^stale IOTLB entry used .* an IOTLB invalidation is missing' "$work/out")"
