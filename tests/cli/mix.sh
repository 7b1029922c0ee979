#!/bin/bash
# SPDX-License-Identifier: MIT
# The parts of a mix are found by path, beside the file that names them, and by shipped name; the configuration that a
# result leaves behind repeats the run from anywhere.
source tests/cli/lib.bash
mkdir -p "$work/in/sub" "$work/elsewhere" "$HVSIM_DATA/workloads"
cd "$work/in" || exit 1

echo 'workload: {kind: sequential, footprint: 1MiB, accesses: 300}' >"$HVSIM_DATA/workloads/shipped.yaml"
echo 'workload: {kind: stride, footprint: 4MiB, accesses: 200}' >sub/beside.yaml
cat >sub/mix.yaml <<'MIX'
workload:
  kind: mix
  mix_as: phases
  parts: shipped, beside ,  sub/beside.yaml
  accesses: 2000
MIX

# Phases of 300, 200 and 200: of 2000 accesses, the sequential part makes those of 0..299, 700..999, 1400..1699.
expect_code 0 "$HVSIM" check sub/mix.yaml
expect_code 0 "$HVSIM" run sub/mix.yaml --out "$work/first"
expect_equal accesses 2000 "$(number "$work/first/result.json" '.stats["core.accesses"]')"
expect_equal parts "$(realpath "$HVSIM_DATA/workloads/shipped.yaml"),$PWD/sub/beside.yaml,$PWD/sub/beside.yaml" \
    "$(number "$work/first/result.json" '.config["workload.parts"]')"
(cd "$work/elsewhere" && expect_code 0 "$HVSIM" run "$work/first/config.yaml" --out "$work/second") || exit 1
cmp "$work/first/stats.csv" "$work/second/stats.csv" || fail "the configuration does not repeat the run"
cmp "$work/first/config.yaml" "$work/second/config.yaml" || fail "the configuration changes by being run"

# On the command line, names are files from here on, or shipped. The text names them.
expect_code 0 "$HVSIM" run sub/mix.yaml --set workload.parts=shipped,sub/beside.yaml
grep -q '^workload  2000 accesses, mix of .*/shipped.yaml,.*/sub/beside.yaml as phases, seed 1$' "$work/out" ||
    fail "the text does not name the parts: $(head -3 "$work/out")"
expect_code 2 "$HVSIM" run sub/mix.yaml --set workload.parts=beside
