#!/bin/bash
# SPDX-License-Identifier: MIT
# A result that cannot be written is a sentence and exit code 2, and never half a file.
source tests/cli/lib.bash
cd "$work" || exit 1
echo 'workload: {footprint: 1MiB, accesses: 1000}' >small.yaml

# Standard output on a full disk, with little and with much to print
for command in --version "list configs" params "params --format json" "stats --format json" "run small.yaml" \
    "run small.yaml --format json" "run small.yaml --format csv" "run --help" --help; do
    [[ $command != list* || -n $("$HVSIM" list configs) ]] || continue
    code=0
    read -r -a words <<<"$command"
    "$HVSIM" "${words[@]}" >/dev/full 2>err || code=$?
    [[ $code -eq 2 ]] || fail "$command onto a full disk: exit code $code"
    expect_equal "$command onto a full disk" \
        "hvsim: cannot write the result to standard output: No space left on device" "$(<err)"
done

# Standard output that is closed
code=0
"$HVSIM" params >&- 2>err || code=$?
[[ $code -eq 2 ]] || fail "closed stdout: exit code $code"
expect_equal "closed stdout" "hvsim: cannot write the result to standard output: Bad file descriptor" "$(<err)"

# A reader that has seen enough is no mistake, whether SIGPIPE ends the program or is ignored.
"$HVSIM" params 2>err | true
[[ ! -s err ]] || fail "a closed pipe is complained about: $(<err)"
(trap '' PIPE; exec "$HVSIM" params) 2>err | true
[[ ! -s err ]] || fail "a closed pipe is complained about with SIGPIPE ignored: $(<err)"

# leftovers DIR: nothing there but whole files of an earlier run.
leftovers() {
    local others
    others=$(find "$1" -mindepth 1 ! -name result.json ! -name config.yaml ! -name stats.csv)
    [[ -z $others ]] || fail "left behind: $others"
}

# A file that may not grow so far: the new directory stays empty, an old result stays whole.
limited() {
    (trap '' XFSZ; ulimit -f 1; "$HVSIM" run small.yaml --out "$1" 2>err | cat >/dev/null; exit "${PIPESTATUS[0]}")
}
code=0
limited new || code=$?
[[ $code -eq 2 ]] || fail "a limit of one block: exit code $code"
expect_equal "a limit of one block" "hvsim: cannot write new/config.yaml: File too large" "$(<err)"
[[ -z $(ls -A new) ]] || fail "left behind: $(ls -A new)"

"$HVSIM" run small.yaml --out old >/dev/null || fail "the run failed"
cp -r old kept
limited old && fail "a limit of one block was no failure"
diff -r old kept || fail "the old result was changed"
leftovers old

# The same for what shows time: a sentence each, and nothing beside the result.
shows() { # shows SENTENCE OPTION...
    local expected=$1 code
    shift
    (trap '' XFSZ; ulimit -f 1; exec "$HVSIM" run small.yaml "$@" 2>err) | cat >out
    code=${PIPESTATUS[0]}
    [[ $code -eq 2 ]] || fail "a limit of one block and $*: exit code $code"
    expect_equal "a limit of one block and $*" "hvsim: $expected" "$(<err)"
    grep -q 'cycles per access' out || fail "the result was lost with $*"
    [[ ! -e shown && -z $(find . -name '*.tmp*') ]] || fail "left behind by $*: $(ls -A)"
}
shows 'cannot write shown: File too large' --timeline shown
shows 'cannot write shown: what SystemC wrote is not whole, the disk may be full' --vcd shown
shows 'cannot keep the intervals in a temporary file: File too large' --interval 100
grep -q '^Intervals' out && fail "half of the intervals are shown"

# A file system that is full, where we may make one
if ! unshare -rm mount -t tmpfs -o size=16k none "$work" 2>/dev/null; then
    echo "no file system of our own here: that case is left out" >&2
    exit 0
fi
cat >in_full.sh <<'INNER'
mkdir disk && mount -t tmpfs -o size=16k none disk || exit 90
"$HVSIM" run small.yaml --out disk/result >out 2>err
code=$?
find disk -mindepth 2 >left
exit $code
INNER
code=0
unshare -rm bash in_full.sh || code=$?
[[ $code -eq 2 ]] || fail "a full disk: exit code $code"
grep -Eq '^hvsim: cannot write disk/result/[a-z.]+: No space left on device$' err || fail "a full disk: $(<err)"
grep -q '\.tmp$' left && fail "left behind: $(<left)"
grep -q 'cycles per access' out || fail "the result was lost with the directory"
exit 0
