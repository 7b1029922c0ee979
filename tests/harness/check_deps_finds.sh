#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/check-deps finds each kind of violation in a small tree made for it, and nothing in a clean one.
set -euo pipefail
tree=$1/tree
mkdir -p "$tree/scripts" "$tree"/sim/{base,tlb,mmu,sysc}
cp scripts/check-deps "$tree/scripts/"

echo '#include <stdint.h>' >"$tree/sim/base/types.h"
echo '#include "base/types.h"' >"$tree/sim/tlb/tlb.h"
echo '#include "tlb/tlb.h"' >"$tree/sim/mmu/walk.c"
echo '#include <systemc>' >"$tree/sim/sysc/shell.cpp"
"$tree/scripts/check-deps"

# expect TEXT: the check fails, and says TEXT and nothing else.
expect() {
    local said
    if said=$("$tree/scripts/check-deps" 2>&1); then
        echo "check-deps passed a tree in which it should have said: $1"
        exit 1
    fi
    if [[ $said != *"$1"* || $said == *$'\n'* ]]; then
        printf 'check-deps said:\n%s\ninstead of: %s\n' "$said" "$1"
        exit 1
    fi
}

printf '\n#include "mmu/walk.h"\n' >"$tree/sim/tlb/up.c"
expect 'sim/tlb/up.c:2: tlb may not include "mmu/walk.h".'
echo '#include "tbl/tlb.h"' >"$tree/sim/tlb/up.c"
expect 'sim/tlb/up.c:1: "tbl/tlb.h" is in no block; includes are written from sim/.'
echo '#  include <tlm.h>' >"$tree/sim/tlb/up.c"
expect 'sim/tlb/up.c:1: only sim/sysc/ may include SystemC.'
rm "$tree/sim/tlb/up.c"

touch "$tree/sim/tlb/fast.cpp"
expect 'sim/tlb/fast.cpp:1: only sim/sysc/ may hold C++.'
rm "$tree/sim/tlb/fast.cpp"

echo 'struct walk { uint64_t refs; };' >"$tree/sim/mmu/walk.h"
expect 'so sim/mmu/walk.h does not compile alone.'
rm "$tree/sim/mmu/walk.h"

mkdir "$tree/sim/gpu"
printf '#include <stdint.h>\n' >"$tree/sim/gpu/gpu.c"
expect 'sim/gpu/gpu.c:1: sim/gpu/ is no block that scripts/check-deps knows.'
rm -r "$tree/sim/gpu"

mkdir "$tree/build"
echo 'int plus_one(int x) { return x + 1; }' | gcc -x c++ -c - -o "$tree/build/plus.o"
ar rcs "$tree/build/libhvsim.a" "$tree/build/plus.o"
expect 'build/libhvsim.a:plus.o: _Z8plus_onei is a C++ symbol in the C library.'
