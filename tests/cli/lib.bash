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

work=$1
# Nothing that happens to be installed has a say.
export HVSIM_DATA=$work/data LC_ALL=C
