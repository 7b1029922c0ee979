# SPDX-License-Identifier: MIT
# What the tests of the command share; each begins with `source tests/cli/lib.bash` in the root of the repository.
set -uo pipefail

# Ends the test.
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# expect_code CODE COMMAND...: the command ends with this exit code; its stdout and stderr are in $work/out and err.
expect_code() {
    local expected=$1 code=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [[ $code -eq $expected ]] || fail "exit code $code, not $expected, of: $*" "$(<"$work/err")"
}

# expect_equal WHAT EXPECTED GOT
expect_equal() {
    [[ $2 == "$3" ]] || fail "$1: expected"$'\n'"$2"$'\n'"but got"$'\n'"$3"
}

# expect_interrupted COMMAND...: a command that would take long ends with exit code 3 when SIGINT comes.
expect_interrupted() {
    local pid code=0
    set -m # without job control, a script's background child ignores SIGINT
    "$@" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    set +m
    # The last digit of the mask of caught signals has SIGINT's bit.
    until grep -Eq '^SigCgt:.*[2367abef]$' "/proc/$pid/status"; do sleep 0.01; done
    kill -INT "$pid"
    wait "$pid" || code=$?
    [[ $code -eq 3 ]] || fail "exit code $code after SIGINT, not 3, of: $*" "$(<"$work/err")"
}

# number FILE EXPRESSION: what jq makes of a result, as text.
number() {
    jq -r "$2" "$1" || fail "jq cannot read $1"
}

# make_trace FILE: a trace of 98304 fetches all over 4 MiB.
make_trace() {
    awk 'BEGIN { for (i = 0; i < 98304; i++) { x = (x * 1103515245 + 12345) % 2147483648
        printf "I  %x,4\n", int(x / 4) % 1048576 * 4 } }' >trace.lackey
    "$HVSIM" trace convert trace.lackey "$1" 2>/dev/null || fail "cannot make a trace"
}

# good_and_damaged_traces: good.hvt, and damaged.hvt, which breaks after most of its records.
good_and_damaged_traces() {
    make_trace good.hvt
    cp good.hvt damaged.hvt
    printf 'damage' | dd of=damaged.hvt bs=1 seek=$(($(stat -c %s good.hvt) * 8 / 10)) conv=notrunc status=none
}

# crowded_config MHZ: run.yaml of demand paging and two VMs of two processes, so that every kind of thing happens.
crowded_config() {
    cat >run.yaml <<YAML
machine.clock_mhz: $1
workload: {kind: zipf, footprint: 8MiB, accesses: 2000, warmup: 300}
paging: {prefault: false, preset_flags: false}
sched: {processes: 2, process_quantum: 150, vcpu_quantum: 450}
vm.count: 2
vcpu.threads: true
YAML
}

work=$1
# Nothing that happens to be installed has a say.
export HVSIM_DATA=$work/data LC_ALL=C
