#!/bin/bash
# SPDX-License-Identifier: MIT
# Trace points tell each event of a walk, on stderr, and change no result.
source tests/cli/lib.bash
cat >"$work/cold.yaml" <<'YAML'
workload: {footprint: 16MiB, accesses: 1}
mmu: {pwc: {kind: none}}
YAML

traced() { # traced LIST: stderr of a run with these trace points
    expect_code 0 "$HVSIM" run "$work/cold.yaml" --trace-points "$1" --format csv
    cp "$work/out" "$work/$1.csv"
    cat "$work/err"
}

# One cold access: a miss in either TLB level, the 24 references of a 4x4 walk in the order of its grid.
expect_equal "TLB lookups" "miss level=l1d miss level=l2" "$(traced tlb | cut -d' ' -f3,4 | xargs)"
cells() { traced walk | sed -n 's/.* ref cell=\([^ ]*\) .*/\1/p' | xargs; }
expected=$(for row in g4 g3 g2 g1 data; do
    for column in h4 h3 h2 h1 g; do
        [[ $row.$column == data.g ]] || echo $row.$column
    done
done | xargs)
expect_equal "the cells" "$expected" "$(cells)"
expect_equal "answers of caches" 24 "$(traced cache | wc -l)"
expect_equal "no page-walk cache" 0 "$(traced pwc | wc -l)"

# A first touch without prefault: a page fault of the guest, then a violation of EPT.
expect_code 0 "$HVSIM" run "$work/cold.yaml" --set paging.prefault=false --trace-points fault --format csv
expect_equal "faults" "page fault EPT violation" \
    "$(sed -n 's/^[0-9]* fault \(.*\) gva=.*/\1/p' "$work/err" | xargs)"

# Watching changes nothing.
expect_code 0 "$HVSIM" run "$work/cold.yaml" --format csv
cmp "$work/out" "$work/walk.csv" || fail "trace points changed the result"

# A watched run takes none of the shortcuts that the core and the walker have for the common case; the results are the
# same to the last counter.
shortcuts_change_nothing() {
    "$HVSIM" run "$@" --format csv >"$work/fast.csv" || fail "the run failed: $*"
    "$HVSIM" run "$@" --format csv --trace-points tlb >"$work/slow.csv" 2>"$work/talk" || fail "the run failed: $*"
    cmp "$work/fast.csv" "$work/slow.csv" || fail "watching changed the result of: $*"
}
small=(--set workload.accesses=20000 --set workload.footprint=64MiB)
for kind in none translation entry; do
    for mode in native nested; do
        for more in paging.prefault=true paging.prefault=false paging.guest.huge_fraction=0.5 paging.preset_flags=false; do
            shortcuts_change_nothing configs/skylake.yaml "${small[@]}" --set mmu.pwc.kind=$kind \
                --set paging.mode=$mode --set $more --set workload.kind=zipf
        done
    done
done
shortcuts_change_nothing configs/zen5.yaml "${small[@]}"
shortcuts_change_nothing configs/skylake.yaml --workload workloads/sqlite.yaml --set workload.accesses=100000 --set workload.warmup=0
