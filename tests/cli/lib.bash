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

# number FILE EXPRESSION: what jq makes of a result, as text.
number() {
    jq -r "$2" "$1" || fail "jq cannot read $1"
}

work=$1
# Nothing that happens to be installed has a say.
export HVSIM_DATA=$work/data LC_ALL=C
