#!/bin/bash
# SPDX-License-Identifier: MIT
# `hvsim run --vcd FILE`: signals whose integrals over time are the statistics.
source tests/cli/lib.bash
cd "$work" || exit 1

crowded_config 3000

# A reader of VCD that knows nothing of the simulator: for each signal what its value sums up to over the cycles that
# it lasts, and for each value the cycles (T) and how often it is taken on (N). The cycle of a time is the signal
# `cycle`, which has to be the time in cycles of 3 GHz, rounded to picoseconds.
cat >integrate.awk <<'AWK'
function bad(what) { print "line " NR ": " what > "/dev/stderr"; failed = 1; exit 1 }
function binary(text,    i, value) {
    for (i = 1; i <= length(text); i++) value = 2 * value + substr(text, i, 1)
    return value
}
function settle(    id, length_cycles) {
    if (!(cycle_id in pending)) { if (length(pending) > 0) bad("signals change without the cycle") ; return }
    if (time != int(pending[cycle_id] * 1000000 / 3000 + 0.5)) bad("time " time " is not cycle " pending[cycle_id])
    length_cycles = pending[cycle_id] - cycle
    if (length_cycles < 0) bad("time goes back")
    for (id in value) { sum[id] += value[id] * length_cycles; spent[id, value[id]] += length_cycles }
    cycle = pending[cycle_id]
    for (id in pending) {
        if (id == cycle_id || id in value && value[id] == pending[id]) continue
        value[id] = pending[id]
        taken[id, value[id]]++
    }
    delete pending
}
$1 == "$scope" { if ($3 != "SystemC") scope = $3 "." }
$1 == "$upscope" { scope = "" }
$1 == "$timescale" { getline; if ($0 !~ /^ *1 ps$/) bad("a timescale of " $0) }
$1 == "$var" { name[$4] = scope $5; width[$4] = $3; if ($5 == "cycle") cycle_id = $4 }
$1 == "$date" || $1 == "$version" { bad("a section that is the host's affair") }
/^#/ { settle(); if (substr($1, 2) + 0 < time) bad("time goes back"); time = substr($1, 2) + 0 }
/^b/ {
    if (!($2 in name)) bad("no variable " $2)
    if (length($1) - 1 > width[$2]) bad("a value of more bits than the variable has")
    pending[$2] = binary(substr($1, 2))
}
END {
    if (failed) exit 1
    settle()
    print "end", cycle
    for (id in name) if (id != cycle_id) print name[id], sum[id] + 0
    for (pair in spent) { split(pair, part, SUBSEP); print name[part[1]] " T" part[2], spent[pair] }
    for (pair in taken) { split(pair, part, SUBSEP); print name[part[1]] " N" part[2], taken[pair] }
}
AWK

# read_back FILE: the figures in FILE.sums.
read_back() {
    awk -f integrate.awk "$1" >"$1.sums" || fail "$1 is no VCD"
}

# total FILE PATTERN: the sum of the figures whose names match, over all cores.
total() {
    awk -v pattern="^($2)\$" '{ value = $NF; sub(/ [^ ]*$/, ""); if ($0 ~ pattern) sum += value }
        END { printf "%d", sum }' "$1.sums"
}

stat() { number seen.json ".stats[\"$1\"]"; }

shown() {
    "$HVSIM" run run.yaml "$@" --format json >plain.json || fail "the run failed: $*"
    "$HVSIM" run run.yaml "$@" --format json --vcd w.vcd >seen.json 2>talk || fail "the run failed: $*"
    [[ ! -s talk ]] || fail "SystemC talks: $(<talk)"
    jq 'del(.host)' plain.json >expected
    jq 'del(.host)' seen.json | cmp - expected || fail "--vcd changed the result: $*"
    read_back w.vcd
    expect_equal "the end of $*" "$(stat machine.cycles)" "$(total w.vcd end)"
    expect_equal "walkers of $*" "$(stat mmu.walk_cycles)" "$(total w.vcd 'core[0-9]+.walkers_busy')"
    expect_equal "queue of $*" "$(stat mmu.walk_queue_cycles)" "$(total w.vcd 'core[0-9]+.walk_queue')"
    expect_equal "misses of $*" "$(stat core.cycles_data)" "$(total w.vcd 'core[0-9]+.misses')"
    expect_equal "the system of $*" "$(stat core.cycles_fault)" "$(total w.vcd 'core[0-9]+.mode T1')"
    expect_equal "the hypervisor of $*" "$(stat core.cycles_exit)" "$(total w.vcd 'core[0-9]+.mode T2')"
    expect_equal "interrupts of $*" "$(stat core.cycles_interrupt)" "$(total w.vcd 'core[0-9]+.mode T3')"
}

shown
shown --set paging.mode=native --set vm.count=1
shown --set machine.cores=2
shown --set machine.cores=2 --set timing.sync=quantum --set timing.quantum_cycles=3000
shown --set vm.count=1 --set sched.processes=1
cp w.vcd before.vcd
shown --set vm.count=1 --set sched.processes=1
cmp w.vcd before.vcd || fail "the file differs between two runs"

# Modes: with all memory mapped before, the system runs for switches of process, the hypervisor for those of virtual
# processors, of which there are two in turn: the warm-up of 4 * 300 accesses ends in the third turn, of vCPU 0.
shown --set paging.prefault=true
expect_equal "times that the system ran" "$(stat vmm.process_switches)" "$(total w.vcd 'core0.mode N1')"
expect_equal "times that the hypervisor ran" "$(stat vmm.vcpu_switches)" "$(total w.vcd 'core0.mode N2')"
((  $(stat vmm.process_switches) > 10 && $(stat vmm.vcpu_switches) > 5 )) || fail "there are no switches to see"
expect_equal "times that vCPU 1 ran" "$((($(stat vmm.vcpu_switches) + 1) / 2))" "$(total w.vcd 'core0.vcpu N1')"
expect_equal "processes" "$(stat machine.cycles)" "$(total w.vcd 'core0.process T[0-9]+')"

# The limit leaves a whole file of the beginning.
"$HVSIM" run run.yaml --format json --vcd w.vcd --timeline t.json --activity-limit 50 >cut.json 2>talk ||
    fail "the run failed"
read_back w.vcd
expect_equal "walks of the beginning" "$(jq '[.traceEvents[] | select(.cat == "walk") | .args.cycles] | add' t.json)" \
    "$(total w.vcd core0.walkers_busy)"

# GTKWave's own reader, where it is installed
if command -v vcd2fst >/dev/null; then
    vcd2fst before.vcd before.fst || fail "GTKWave cannot read the file"
fi
exit 0
