#!/bin/bash
# SPDX-License-Identifier: MIT
# On how many threads of the host a machine is run says nothing but how long it takes.
source tests/cli/lib.bash

cat >"$work/run.yaml" <<'YAML'
workload: {kind: zipf, footprint: 64MiB, accesses: 300000, warmup: 10000, theta: 0.8}
mmu.pwc.kind: none
YAML

# result THREADS OPTION...: what a run says, but for `host`.
result() {
    "$HVSIM" run "$work/run.yaml" --host-threads "$1" --format json "${@:2}" >"$work/json" || fail "the run failed: $*"
    jq 'del(.host)' "$work/json" || fail "not JSON"
}

# same OPTION...: one thread, two, more than there is use for, and as many as the host has.
same() {
    result 1 "$@" >"$work/one"
    for threads in 2 64; do
        result "$threads" "$@" | cmp - "$work/one" || fail "--host-threads $threads changes the result of $*"
    done
    "$HVSIM" run "$work/run.yaml" --format json "$@" | jq 'del(.host)' | cmp - "$work/one" ||
        fail "without --host-threads the result of $* is another"
}
same --set core.model=inorder
same --set core.model=window
same --set paging.prefault=false
same --set machine.cores=2 --set workload.accesses=50000
same --set machine.cores=2 --set workload.accesses=50000 --set timing.sync=quantum
same --interval 100000

# Another seed is another run: the comparisons above could have failed.
result 2 --set workload.seed=8 | cmp -s - "$work/one" && fail "the seed changes nothing"
exit 0
