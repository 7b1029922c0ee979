#!/bin/bash
# SPDX-License-Identifier: MIT
# Two runs of anything are the same bytes outside `host`, and the configuration that lies beside a result repeats it.
source tests/cli/lib.bash

# Everything random is in use: the workload, replacement, huge pages, demand paging.
cat >"$work/run.yaml" <<'YAML'
workload: {kind: zipf, footprint: 64MiB, accesses: 50000, warmup: 10000, theta: 0.8, seed: 7}
paging: {prefault: false, preset_flags: false, guest.huge_fraction: 0.3, host.huge_fraction: 0.6}
tlb.l2.replacement: random
mmu.nested_tlb: {entries: 16, replacement: srrip}
YAML

# result FORMAT DIR FILE: one run.
run() {
    "$HVSIM" run "$work/run.yaml" --format "$1" --out "$work/$2" >"$work/$3" || fail "the run failed"
}
run json a json.a
run json b json.b
run text a text.a
run text b text.b
run csv a csv.a
run csv b csv.b

for side in a b; do
    jq 'del(.host)' "$work/json.$side" >"$work/bare.$side" || fail "not JSON"
    grep -v '^host: ' "$work/text.$side" >"$work/people.$side"
    [[ $(grep -c '^host: ' "$work/text.$side") -eq 1 ]] || fail "the text has no line for the host"
done
cmp "$work/bare.a" "$work/bare.b" || fail "JSON differs between two runs"
cmp "$work/people.a" "$work/people.b" || fail "text differs between two runs"
cmp "$work/csv.a" "$work/csv.b" || fail "CSV differs between two runs"
cmp "$work/a/config.yaml" "$work/b/config.yaml" || fail "config.yaml differs between two runs"
cmp "$work/a/stats.csv" "$work/csv.a" || fail "stats.csv is not what --format csv prints"
jq 'del(.host)' "$work/a/result.json" | cmp - "$work/bare.a" || fail "result.json is not what --format json prints"
expect_equal "the files of a directory" "config.yaml result.json stats.csv" "$(ls -A "$work/a" | xargs)"

# The warm-up is a parameter, so the configuration alone repeats the run. From elsewhere, too.
cd "$work" && "$HVSIM" run "$work/a/config.yaml" --format json >again.json || fail "config.yaml does not run"
jq 'del(.host)' again.json | cmp - bare.a || fail "config.yaml gives another result"

# Another seed is another run: the comparison above could have failed.
"$HVSIM" run a/config.yaml --set workload.seed=8 --format json | jq .stats >other.json
jq .stats bare.a | cmp -s - other.json && fail "the seed changes nothing"

# --warmup and options before CONFIG mean the same as their parameters.
"$HVSIM" run --set workload.warmup=5 --format json a/config.yaml --warmup 20000 --set workload.warmup=10000 |
    jq 'del(.host)' | cmp - bare.a || fail "--set does not win over --warmup, or options before CONFIG are lost"
exit 0
