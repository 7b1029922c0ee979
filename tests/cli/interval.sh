#!/bin/bash
# SPDX-License-Identifier: MIT
# `hvsim run --interval N`: the run cut into pieces that sum up to it, in each format, without changing it.
source tests/cli/lib.bash
cd "$work" || exit 1

# Everything that counts counts: demand paging, two VMs of two processes, on one core or two.
cat >run.yaml <<'YAML'
workload: {kind: zipf, footprint: 8MiB, accesses: 6000, warmup: 500}
paging: {prefault: false, preset_flags: false}
mmu.nested_tlb.entries: 8
sched: {processes: 2, process_quantum: 900, vcpu_quantum: 2500}
vm.count: 2
vcpu.threads: true
YAML

# pieces N OPTION...: runs with and without intervals; the series is in series.json.
pieces() {
    local n=$1
    shift
    "$HVSIM" run run.yaml "$@" --format json >plain.json || fail "the run failed: $*"
    "$HVSIM" run run.yaml "$@" --format json --interval "$n" --out out >series.json || fail "the run failed: $*"

    # The result is that of a run without intervals; so is the file of it, which has no series.
    jq 'del(.host)' plain.json >expected
    jq 'del(.host, .intervals)' series.json | cmp - expected || fail "--interval changed the result: $*"
    jq 'del(.host)' out/result.json | cmp - expected || fail "--interval changed result.json: $*"
    expect_equal "the files" "config.yaml intervals.csv result.json stats.csv" "$(ls -A out | xargs)"

    jq -e --argjson n "$n" '
        .stats as $all | .intervals as $rows
        | ($rows | length > 3)
        # Borders are multiples of N, in order; the last is the end of the run.
        and ([$rows[:-1][].cycles % $n] | all(. == 0))
        and ([$rows[].cycles] | . == (. | unique))
        and ($rows[-1].cycles == $all["machine.cycles"])
        # All have the same names: those of the result but maxima and percentiles.
        and ([$rows[].stats | keys_unsorted] | unique | length == 1)
        and ($rows[0].stats | keys_unsorted) == ($all | keys_unsorted | map(select(test("_(max|p[0-9]+)$") | not)))
        # What is no ratio sums up.
        and ([$rows[0].stats | keys_unsorted[] | select(test("_ratio$|_mean$|cpi$|_per_access$") | not)]
            | length > 100 and all(. as $name | ([$rows[].stats[$name]] | add) == $all[$name]))
        # Ratios are of the interval; of nothing there is none.
        and ($rows | all(.stats | if .["core.instructions"] == 0 then .["core.cpi"] == null else
            .["core.cpi"] - .["core.cycles"] / .["core.instructions"] | fabs < 1e-9 end))
        ' series.json >/dev/null || fail "the intervals of $n cycles do not agree with the run: $*"

    # The CSV holds the same.
    jq -r '["cycles"] + (.intervals[0].stats | keys_unsorted) | join(",")' series.json >expected
    head -1 out/intervals.csv | cmp - expected || fail "the head of intervals.csv is not what JSON says: $*"
    jq -r '.intervals[] | [.cycles, .stats["core.accesses"], .stats["mmu.walks"], .stats["dram.reads"]] | join(",")' \
        series.json >expected
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { print $1 "," $at["core.accesses"] "," $at["mmu.walks"] "," $at["dram.reads"] }' out/intervals.csv |
        cmp - expected || fail "intervals.csv is not what JSON says: $*"
}

pieces 100000
pieces 7777 --set workload.accesses=1000
pieces 1e6 --set paging.mode=native --set vm.count=1
pieces 100000 --set machine.cores=2
pieces 500 --set machine.cores=2 --set workload.accesses=600
pieces 100000 --set machine.cores=2 --set timing.sync=quantum
# The cores of the machine are beside their sum.
jq -e '.intervals | all(.stats | .["core0.accesses"] + .["core1.accesses"] == .["core.accesses"])' series.json \
    >/dev/null || fail "the cores do not sum up"

# A series is the same bytes on every rerun.
"$HVSIM" run run.yaml --interval 50000 --format csv --out again >/dev/null || fail "the run failed"
"$HVSIM" run run.yaml --interval 50000 --format csv --out again2 >stats.csv || fail "the run failed"
cmp again/intervals.csv again2/intervals.csv || fail "the series differs between two runs"
cmp stats.csv again/stats.csv || fail "--format csv prints something else than the statistics"

# For people: a line for each interval, below the result. One core that hits everywhere makes an access a cycle.
cat >steady.yaml <<'YAML'
paging.mode: native
core.width: 1
workload: {kind: sequential, footprint: 4KiB, accesses: 4512, warmup: 512, instructions_per_access: 1}
YAML
"$HVSIM" run steady.yaml --interval 1500 >text || fail "the run failed"
sed -n '/^Intervals of 1500 cycles$/,$p' text >table
expect_equal "the heading" "until cycle accesses CPI L1 TLB miss % L2 TLB miss % walks cycles/walk DRAM reads" \
    "$(sed -n 2p table | xargs)"
expect_equal "the table" "1500 1500 1.00 0.00 - 0 - 0
3000 1500 1.00 0.00 - 0 - 0
4000 1000 1.00 0.00 - 0 - 0" "$(tail -n +3 table | sed 's/  */ /g; s/^ //')"
