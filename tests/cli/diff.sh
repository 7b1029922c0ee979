#!/bin/bash
# SPDX-License-Identifier: MIT
# hvsim diff: what differs between two results, in order, in each format.
source tests/cli/lib.bash
cd "$work" || exit 1

# ---- Real runs -----------------------------------------------------------------------------------------------------

echo 'workload: {footprint: 16MiB, accesses: 20000}' >run.yaml
"$HVSIM" run run.yaml --out a >text || fail "the run failed"
"$HVSIM" run run.yaml --set tlb.l2.entries=3072 --set cache.llc.size=16MiB --format json >b.json ||
    fail "the run failed"

# A run and itself, and a rerun, which took another time: one sentence.
same="The results are the same: $(jq '.config | length' b.json) parameters, $(jq '.stats | length' b.json) statistics."
expect_code 0 "$HVSIM" diff a a
expect_equal "a result and itself" "$same" "$(<out)"
"$HVSIM" run run.yaml --out again >text || fail "the run failed"
cmp -s a/result.json again/result.json && fail "the times of two runs are the same, so this tests nothing"
expect_code 0 "$HVSIM" diff a/result.json again/
expect_equal "a result and its repetition" "$same" "$(<out)"

# Both parameters and no other; each number is that of the results; the order is by relative change.
expect_code 0 "$HVSIM" diff a b.json --format json
cp out diff.json
expect_equal "parameters" '[["tlb.l2.entries",1536,3072],["cache.llc.size",8388608,16777216]]' \
    "$(jq -c '[.config[] | [.name, .a, .b]]' diff.json)"
expect_equal "the statistics that moved" \
    "$(jq -cn 'input.stats as $a | input.stats as $b | [$a | keys[] | select($a[.] != $b[.])]' a/result.json b.json)" \
    "$(jq -c '[.stats[].name] | sort' diff.json)"
is() {
    [[ $(jq -n --slurpfile a a/result.json --slurpfile b b.json --slurpfile d diff.json \
        "\$a[0].stats as \$a | \$b[0].stats as \$b | \$d[0] | $1") == true ]] || fail "not so: $1"
}
is '.stats | length > 20'
is 'all(.stats[]; .a == $a[.name] and .b == $b[.name])'
is 'all(.stats[]; .change == null or (.change - (.b - .a) | fabs) < 1e-9 * ((.a | fabs) + (.b | fabs)))'
is 'all(.stats[]; .percent == null or (.percent - (.b - .a) / .a * 100 | fabs) < 1e-6)'
is '[.stats[] | .percent | if . == null then infinite else fabs end] | . == (sort | reverse)'
is '.only_a == {config: {}, stats: {}} and .only_b == .only_a and .a.complete and .b.complete'

# The CSV and the text have the same rows in the same order.
expect_code 0 "$HVSIM" diff a b.json --format csv
expect_equal "the head of the CSV" "section,name,a,b,change,percent" "$(head -1 out)"
expect_equal "the parameters of the CSV" \
    'config,tlb.l2.entries,1536,3072,, config,cache.llc.size,8388608,16777216,,' "$(grep '^config,' out | xargs)"
expect_equal "the order of the CSV" "$(jq -r '.stats[].name' diff.json)" "$(awk -F, '$1 == "stats" { print $2 }' out)"
[[ ! -s err ]] || fail "the CSV is talked about: $(<err)"
expect_code 0 "$HVSIM" diff a b.json
expect_equal "the order of the text" "$(jq -r '.stats[].name' diff.json)" \
    "$(sed '1,/^  statistic /d' out | awk '{ print $1 }')"
grep -Eq '^  cache\.llc\.size +8MiB +16MiB$' out || fail "sizes of the text: $(<out)"

# Exchanged, every change has the other sign.
expect_code 0 "$HVSIM" diff b.json a --format json
expect_equal "the reverse" "$(jq -cS '[.stats[] | {key: .name, value: .change}] | from_entries' diff.json)" \
    "$(jq -cS '[.stats[] | {key: .name, value: (if .change == null then null else -.change end)}] | from_entries' out)"

# ---- A difference in full ------------------------------------------------------------------------------------------

# result FILE COMMIT COMPLETE CONFIG STATS
result() {
    printf '{"hvsim": {"version": "0.1.0", "commit": "%s"}, "config": {%s}, "stats": {%s}, "complete": %s}\n' \
        "$2" "$4" "$5" "$3" >"$1"
}
result old.json abc true '"core.width": 4, "tlb.l2.sizes": ["4k"], "workload.trace": "a,b", "gone": 1' \
    '"core.cycles": 1000, "up": 0, "down": 8, "ratio": null, "tiny": 1000000, "still": 5, "lost": 0.5'
result new.json def false '"core.width": 4, "tlb.l2.sizes": ["4k", "2m"], "workload.trace": "", "core.rob": 224' \
    '"core.cycles": 1250, "up": 12, "down": 4, "ratio": 0.125, "tiny": 1000001, "still": 5, "found": null'
expect_code 0 "$HVSIM" diff old.json new.json
expect_equal "the text" 'A  old.json, hvsim 0.1.0 (abc)
B  new.json, hvsim 0.1.0 (def), PARTIAL: the run was interrupted
Different versions of hvsim: what moved may be the model'\''s doing and not the configuration'\''s.

Configuration: 2 of 3 parameters differ
  parameter          A         B
  tlb.l2.sizes    [4k]  [4k, 2m]
  workload.trace   a,b        ""

Statistics: 5 of 6 moved
  statistic          A        B  change  change %
  up                 0       12     +12      +inf
  ratio              -    0.125       -         -
  down               8        4      -4    -50.00
  core.cycles     1000     1250    +250    +25.00
  tiny         1000000  1000001      +1   +0.0001

Only in A: 1 parameter, 1 statistic
  gone    1
  lost  0.5

Only in B: 1 parameter, 1 statistic
  core.rob  224
  found       -' "$(<out)"
grep -n ' $' out && fail "blanks at the end of a line"

expect_code 0 "$HVSIM" diff old.json new.json --format csv
expect_equal "the CSV" 'section,name,a,b,change,percent
config,tlb.l2.sizes,[4k],"[4k, 2m]",,
config,workload.trace,"a,b",,,
stats,up,0,12,12,inf
stats,ratio,,0.125,,
stats,down,8,4,-4,-50
stats,core.cycles,1000,1250,250,25
stats,tiny,1000000,1000001,1,0.0001
config_only_a,gone,1,,,
stats_only_a,lost,0.5,,,
config_only_b,core.rob,,224,,
stats_only_b,found,,,,' "$(<out)"
expect_equal "what a spreadsheet cannot say" 'hvsim: different versions of hvsim wrote these results
hvsim: new.json is partial: the run was interrupted' "$(<err)"

expect_code 0 "$HVSIM" diff old.json new.json --format json
expect_equal "the JSON" '{"a":{"file":"old.json","version":"0.1.0","commit":"abc","complete":true},'\
'"b":{"file":"new.json","version":"0.1.0","commit":"def","complete":false},'\
'"config":[{"name":"tlb.l2.sizes","a":["4k"],"b":["4k","2m"]},{"name":"workload.trace","a":"a,b","b":""}],'\
'"stats":[{"name":"up","a":0,"b":12,"change":12,"percent":null},{"name":"ratio","a":null,"b":0.125,"change":null,'\
'"percent":null},{"name":"down","a":8,"b":4,"change":-4,"percent":-50.0},{"name":"core.cycles","a":1000,"b":1250,'\
'"change":250,"percent":25.0},{"name":"tiny","a":1000000,"b":1000001,"change":1,"percent":0.0001}],'\
'"only_a":{"config":{"gone":1},"stats":{"lost":0.5}},"only_b":{"config":{"core.rob":224},"stats":{"found":null}}}' \
    "$(tr -d '\n' <out | sed -E 's/([[{,:]) +/\1/g; s/ +([]}])/\1/g')"

# ---- Options -------------------------------------------------------------------------------------------------------

# names OPTION...: the statistics that are listed.
names() { "$HVSIM" diff old.json new.json --format json "$@" | jq -r '[.stats[].name] | join(" ")'; }
expect_equal "--all" "up ratio down core.cycles tiny still" "$(names --all)"
expect_equal "--threshold" "up ratio down core.cycles" "$(names --threshold 25)"
expect_equal "--threshold, just above" "up ratio down" "$(names --threshold 25.1)"
expect_equal "--only" "down" "$(names --only 'd*')"
expect_equal "--only, a part of the name" "core.cycles" "$(names --only cyc)"
expect_code 0 "$HVSIM" diff old.json new.json --threshold 30
grep -q '^Statistics: 5 of 6 moved; 2 by less than 30 %, not shown$' out || fail "--threshold: $(<out)"
expect_code 0 "$HVSIM" diff old.json old.json --only 'd*'
expect_equal "a part that is the same" "The results are the same: 0 parameters, 1 statistic." "$(<out)"
expect_code 0 "$HVSIM" diff old.json old.json --all
grep -Eq '^  still +5 +5 +0 +0$' out || fail "--all of the same: $(<out)"
expect_code 0 "$HVSIM" diff new.json new.json
grep -q '^B .* PARTIAL' out || fail "a partial result is not called so: $(<out)"
