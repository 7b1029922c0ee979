#!/bin/bash
# SPDX-License-Identifier: MIT
# A real program is recorded, its trace described, converted there and back, and run.
source tests/cli/lib.bash
command -v valgrind >/dev/null || exit 77
cd "$work" || exit 1
echo 'core.width: 4' >machine.yaml

# The program's own options are its own, with and without `--`.
expect_code 0 "$HVSIM" record -o ls.hvt -- ls -d .
expect_equal "the program's output" . "$(<out)"
grep -Eq '^hvsim: recorded [0-9]+ accesses into ls.hvt, [0-9.]+ MiB$' err || fail "record said: $(<err)"
expect_code 0 "$HVSIM" record --limit 1e5 -o limited.hvt ls -d .
expect_equal "the limit" 100000 "$("$HVSIM" trace info limited.hvt --format json | jq .records)"
expect_code 1 "$HVSIM" record -o failed.hvt -- sh -c 'exit 7'
grep -q 'sh ended with exit code 7; its trace was kept' err || fail "record said: $(<err)"
[[ -s failed.hvt ]] || fail "the trace of a failing program was not kept"

expect_code 0 "$HVSIM" trace info limited.hvt --format json
# An instruction that crosses a line of 64 bytes is fetched twice.
jq -e '.loads + .stores + .fetches == .records and .instructions <= .fetches and (.command | contains("ls"))' out \
    >/dev/null || fail "the parts of the trace do not add up: $(<out)"
cp out info.json

# lackey's text and back: the same accesses
expect_code 0 "$HVSIM" trace convert limited.hvt text.lackey.xz
expect_code 0 "$HVSIM" trace convert text.lackey.xz back.hvt
counts='[.records, .loads, .stores, .fetches, .instructions, .pages]'
expect_equal "there and back" "$(jq -c "$counts" info.json)" \
    "$("$HVSIM" trace info back.hvt --format json | jq -c "$counts")"

# All accesses are executed, and instructions are fetched through the instruction side.
expect_code 0 "$HVSIM" run machine.yaml --trace limited.hvt --format json
jq -e --slurpfile info info.json '.stats as $s | $info[0] as $i |
    $s["core.accesses"] == $i.records and $s["core.aborted"] == 0 and
    $s["core.instructions"] == $i.instructions and
    $s["tlb.l1i.lookups"] == $i.fetches and $s["tlb.l1d.lookups"] == $i.loads + $i.stores' out >/dev/null ||
    fail "the run is not that of the trace: $(jq -c .stats out)"
