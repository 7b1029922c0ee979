#!/bin/bash
# SPDX-License-Identifier: MIT
# A ChampSim trace that hvsim has written gives the same statistics as its source, read directly or converted back.
source tests/cli/lib.bash
repository=$PWD
cd "$work" || exit 1
source=$repository/workloads/sqlite.hvt

expect_code 0 "$HVSIM" trace convert "$source" sqlite.champsim.zst
grep -Eq '^hvsim: converted 8000000 accesses$' err || fail "the conversion said: $(<err)"
expect_code 0 "$HVSIM" trace convert sqlite.champsim.zst back.hvt
expect_equal "what comes back cannot be inexact" "hvsim: converted 8000000 accesses" "$(<err)"

# What is in a trace does not depend on its format.
contents='del(.command, .blocks, .file_bytes)'
for trace in "$source" sqlite.champsim.zst back.hvt; do
    expect_code 0 "$HVSIM" trace info "$trace" --format json
    jq -S "$contents" out >"$(basename "$trace").info"
done
expect_equal "its loads, stores and fetches are its accesses" 8000000 \
    "$(jq '.loads + .stores + .fetches' sqlite.champsim.zst.info)"
for info in sqlite.champsim.zst.info back.hvt.info; do
    cmp sqlite.hvt.info $info || fail "the contents of $info differ: $(diff sqlite.hvt.info $info)"
done

# same_statistics OPTION...: each trace gives the stats.csv of the source, byte for byte.
same_statistics() {
    local trace
    expect_code 0 "$HVSIM" run "$repository/configs/skylake.yaml" --trace "$source" "$@" --out expected
    for trace in sqlite.champsim.zst back.hvt; do
        expect_code 0 "$HVSIM" run "$repository/configs/skylake.yaml" --trace "$trace" "$@" --out got
        cmp expected/stats.csv got/stats.csv >&2 || fail "the statistics of $trace differ with: $*" \
            "$(diff expected/stats.csv got/stats.csv | head)"
    done
    rm -r expected got
}
same_statistics
expect_equal "the whole trace ran" 8000000 "$(number <("$HVSIM" run "$repository/configs/skylake.yaml" \
    --trace back.hvt --format json) '.stats["core.accesses"]')"
same_statistics --limit 1e6 --set paging.prefault=false --set paging.guest.page_size=2m
same_statistics --skip 3_000_001 --limit 5e5 --warmup 1e5 --set paging.mode=native
same_statistics --set workload.sample_period=100_003 --set workload.sample_length=1001 --set cache.l1i.size=4KiB

# The records are ChampSim's: 64 bytes an instruction, and one more for each that continues.
expect_code 0 "$HVSIM" trace convert "$source" --limit 1000 few.champsim
bytes=$(stat -c %s few.champsim)
((bytes % 64 == 0 && bytes / 64 >= 500 && bytes / 64 <= 1000)) || fail "few.champsim has $bytes bytes"
expect_equal "the first instruction's address" \
    "$("$HVSIM" trace convert "$source" --limit 1 first.lackey 2>/dev/null; sed -n '2s/^I  0*\([0-9a-f]*\),.*/\1/p' \
        first.lackey)" "$(od -An -tx8 -N8 few.champsim | tr -d ' ' | sed 's/^0*//')"

# Damage is a sentence with the record's number, and no result.
head -c 100 few.champsim >cut.champsim
expect_code 2 "$HVSIM" run "$repository/configs/skylake.yaml" --trace cut.champsim --out cut
expect_equal "a cut trace" \
    "hvsim: $PWD/cut.champsim, record 1: the trace ends after 36 of the record's 64 bytes" "$(<err)"
[[ ! -e cut ]] || fail "a cut trace left a result"
head -c $(($(stat -c %s sqlite.champsim.zst) / 2)) sqlite.champsim.zst >half.champsim.zst
expect_code 2 "$HVSIM" trace convert half.champsim.zst half.hvt
said="^hvsim: half.champsim.zst, record [1-9][0-9]*: cannot read 'half.champsim.zst': the zstd data ends too early$"
grep -Eq "$said" err || fail "half a trace: $(<err)"
[[ ! -e half.hvt ]] || fail "half a trace left a result"

# A long trace is read once before it runs, and no longer than until SIGINT comes.
for ((i = 0; i < 50; i++)); do cat sqlite.champsim.zst; done >long.champsim.zst
expect_interrupted "$HVSIM" run "$repository/configs/skylake.yaml" --trace long.champsim.zst --out long
expect_equal "the sentence" "hvsim: interrupted while trace '$PWD/long.champsim.zst' was read" "$(<err)"
[[ ! -e long ]] || fail "an interrupted reading left a result"
expect_interrupted "$HVSIM" trace info long.champsim.zst
expect_equal "the sentence" "hvsim: interrupted while trace 'long.champsim.zst' was read" "$(<err)"
