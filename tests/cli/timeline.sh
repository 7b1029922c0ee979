#!/bin/bash
# SPDX-License-Identifier: MIT
# `hvsim run --timeline FILE`: trace events by the rules of the format, whose numbers and sums are the statistics.
source tests/cli/lib.bash
cd "$work" || exit 1

# Every track has something.
crowded_config 2500

# shown OPTION...: runs with and without a timeline, and checks it.
shown() {
    "$HVSIM" run run.yaml "$@" --format json >plain.json || fail "the run failed: $*"
    "$HVSIM" run run.yaml "$@" --format json --timeline t.json >seen.json || fail "the run failed: $*"
    jq 'del(.host)' plain.json >expected
    jq 'del(.host)' seen.json | cmp - expected || fail "--timeline changed the result: $*"

    # The format. An event of 0.4 ns a cycle begins and ends where its cycles say, to the picosecond.
    jq -e '.traceEvents as $events
        | ($events | map(select(.ph == "X"))) as $spans
        | ($events | map(select(.ph == "M" and .name == "thread_name"))) as $threads
        | ($events | all((.ph == "X" or .ph == "M") and .pid >= 1 and .tid >= 0))
        and ($threads | length == (map([.tid]) | unique | length))
        and (([$spans[] | [.pid, .tid]] | unique) - [$threads[] | [.pid, .tid]] == [])
        and ($spans | all((.ts - .args.start * 0.0004 | fabs) < 1e-6 and .dur >= 0
            and (.dur - .args.cycles * 0.0004 | fabs) < 2e-6 and (.name | length) > 0))
        and ($spans | group_by(.tid) | all([., .[1:]] | transpose | all(.[1] == null or
            .[0].args.start + .[0].args.cycles <= .[1].args.start)))
        ' t.json >/dev/null || fail "this is no timeline: $*"

    # The figures
    jq -e --slurpfile result seen.json '
        $result[0].stats as $s | ($s | keys | map(select(test("^core[0-9]+[.]cycles$"))) | length | if . == 0 then 1
            else . end) as $cores
        | (.traceEvents | map(select(.ph == "X"))) as $spans
        | def of(track): $spans | map(select(.cat == track));
          def cycles: map(.args.cycles) | add // 0;
        (of("walk") | length) == $s["mmu.walks"]
        and (of("walk") | cycles) == $s["mmu.walk_cycles"]
        and (of("walk") | map(select(.name != "walk")) | length)
            == $s["mmu.faults_guest_page"] + $s["mmu.faults_violation"]
        and (of("queue") | cycles) == $s["mmu.walk_queue_cycles"]
        and (of("miss") | length) == $s["cache.l1d.misses"]
        and (of("miss") | map(select(.name == "DRAM")) | length) == $s["cache.llc.misses"]
        and (of("miss") | cycles) == $s["core.cycles_data"]
        and (of("fault") | cycles) == $s["core.cycles_fault"]
        and (of("exit") | cycles) == $s["core.cycles_exit"]
        and (of("interrupt") | cycles) == $s["core.cycles_interrupt"]
        and (of("fault") | map(select(.name == "page fault")) | length) == $s["vmm.page_faults"]
        and (of("exit") | map(select(.name == "EPT violation")) | length) == $s["vmm.ept_violations"]
        and (of("fault") | map(select(.name == "process switch")) | length) == $s["vmm.process_switches"]
        and (of("exit") | map(select(.name == "virtual processor switch")) | length) == $s["vmm.vcpu_switches"]
        and (of("interrupt") | map(select(.name == "waiting for a shootdown")) | length) <= $s["vmm.shootdowns"]
        # Something runs at each moment, from one switch to the next.
        and (of("process") | cycles) == $s["core.cycles"]
        and (of("process") | length) == $s["vmm.process_switches"] + $s["vmm.vcpu_switches"] + $cores
        and (of("vcpu") | length) == (if $result[0].config["paging.mode"] == "nested"
            then $s["vmm.vcpu_switches"] + $cores else 0 end)
        and .otherData.cycles == $s["machine.cycles"] and .otherData.cut == false
        ' t.json >/dev/null || fail "the timeline does not agree with the statistics: $*"
}

shown
shown --set paging.mode=native --set vm.count=1
shown --set machine.cores=2
shown --set machine.cores=2 --set timing.sync=quantum --set timing.quantum_cycles=3000
shown --set mmu.pwc.kind=entry --set mmu.nested_tlb.entries=16 --set check.stale=true
cp t.json before.json
shown --set mmu.pwc.kind=entry --set mmu.nested_tlb.entries=16 --set check.stale=true
cmp t.json before.json || fail "the timeline differs between two runs"

# Whoever watches already goes on watching.
"$HVSIM" run run.yaml --format csv --trace-points all >/dev/null 2>points || fail "the run failed"
"$HVSIM" run run.yaml --format csv --trace-points all --timeline t.json --vcd t.vcd --interval 1000 --out out \
    >/dev/null 2>points.seen || fail "the run failed"
[[ -s points ]] || fail "there are no trace points"
cmp points points.seen || fail "--timeline changed the trace points"

# The limit keeps the beginning, and says so.
"$HVSIM" run run.yaml --format json --timeline whole.json >seen.json || fail "the run failed"
"$HVSIM" run run.yaml --format json --timeline t.json --activity-limit 100 >cut.json 2>talk || fail "the run failed"
jq 'del(.host)' seen.json >expected
jq 'del(.host)' cut.json | cmp - expected || fail "--activity-limit changed the result"
end=$(number t.json .otherData.cycles)
expect_equal "the talk" "hvsim: the recording of activity ends at cycle $end of $(number cut.json \
    '.stats["machine.cycles"]'), after 100 spans; --activity-limit takes more" "$(<talk)"
jq -e --slurpfile whole whole.json '
    def spans: .traceEvents | map(select(.ph == "X" and .cat != "process" and .cat != "vcpu") | [.cat, .args.start]);
    .otherData.cut and (spans | length >= 95 and length <= 100)
    and (spans | . == ($whole[0] | spans)[:length])' t.json >/dev/null || fail "the cut timeline is not the beginning"
