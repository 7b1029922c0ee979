#!/bin/bash
# SPDX-License-Identifier: MIT
# hvsim report: one page for a run, a sweep, or a directory of either, with everything in it. What it looks like and
# does in a browser is another test, report_browser.sh.
source tests/cli/lib.bash
source tests/cli/markup.bash
cd "$work" || exit 1

data_of() { sed -n 's/^<script type="application\/json" id="data">\(.*\)<\/script>$/\1/p' "$1"; }

# report DIR...: makes the page and leaves its data in $work/data.json.
report() {
    expect_code 0 "$HVSIM" report "$@"
    page=$(<out)
    well_formed "$page" || fail "the page of $*"
    grep -Eq 'https?:|@import|<link|[^-]src=|url\(' "$page" && fail "the page of $* needs something from outside"
    data_of "$page" >data.json
    jq -e .title data.json >/dev/null || fail "no data in the page of $*"
}
is() {
    [[ $(jq "$1" data.json) == true ]] || fail "not so: $1"
}

# ---- A run ---------------------------------------------------------------------------------------------------------

cat >run.yaml <<'YAML'
workload: {footprint: 8MiB, accesses: 20000}
tlb.l2.entries: 3072
YAML
"$HVSIM" run run.yaml --out run >/dev/null || fail "the run failed"
report run
expect_equal "its name" run/report.html "$page"
[[ ! -s err ]] || fail "a whole report is talked about: $(<err)"

# Everything of the result is there, and what differs from the defaults can be told.
is '.title == "run" and (.points | length) == 1 and .left_out == []'
expect_equal "statistics" "$(jq -cS .stats run/result.json)" \
    "$(jq -cS '[.stats[] | {key: .name, value}] | from_entries' data.json)"
expect_equal "parameters" "$(jq -cS .config run/result.json)" \
    "$(jq -cS '[.config[] | {key: .name, value}] | from_entries' data.json)"
is 'all(.stats[], .config[]; .help != null and .unit != null)'
expect_equal "what is not as by default" "tlb.l2.entries workload.accesses workload.footprint" \
    "$(jq -r '[.config[] | select(.value != .default) | .name] | sort | join(" ")' data.json)"
is '[.key_figures[].stat] - [.stats[].name] == []'
jq -e '[.cycle_parts[].stat] as $parts | [.stats[] | select(.name | IN($parts[])) | .value] | add' data.json >sum
expect_equal "the stack is all cycles" "$(number run/result.json '.stats["core.cycles"]')" "$(<sum)"

# The walk is that of `hvsim walk` with the run's own configuration: all 24, then as configured, then warm.
walk() { "$HVSIM" walk run/config.yaml --format json "$@" | jq -cS '.translations[-1]'; }
all=(--set mmu.pwc.kind=none --set mmu.nested_tlb.entries=0)
no_tlbs=()
for tlb in l1d_4k l1d_2m l1d_1g l1i_4k l1i_2m l2 l2_1g; do no_tlbs+=(--set "tlb.$tlb.entries=0"); done
expect_equal "every reference" "$(walk "${all[@]}")" "$(jq -cS '.walks[0].walk' data.json)"
expect_equal "cold" "$(walk)" "$(jq -cS '.walks[1].walk' data.json)"
expect_equal "warm" "$(walk "${no_tlbs[@]}" --repeat 2)" "$(jq -cS '.walks[2].walk' data.json)"
is '.walks[0].walk.totals.references == 24 and (.walks[0].walk.references[-1].cell == "data.h1")'

# The same bytes again, and elsewhere on request.
cp run/report.html first.html
expect_code 0 "$HVSIM" report run/ -o second.html
expect_equal "the name on request" second.html "$(<out)"
cmp first.html second.html || fail "the page of the same result differs"

# ---- A sweep -------------------------------------------------------------------------------------------------------

# A sweep's directory as `hvsim sweep` leaves it, of one real result with other names and figures.
mkdir -p sweep/points
for entries in 512 1024; do
    for mode in native nested; do
        jq --argjson entries $entries --arg mode $mode '.config["tlb.l2.entries"] = $entries
            | .config["tlb.l2.ways"] = 4 | .config["paging.mode"] = $mode | .stats["core.cpi"] = $entries / 10
            | .sweep = {point: {"tlb.l2.entries": "\($entries)", "paging.mode": $mode}, seed: 1, key: "0"}
            | del(.host)' run/result.json >"sweep/points/tlb.l2.entries=$entries,paging.mode=$mode.json"
    done
done
printf 'tlb.l2.entries,paging.mode,core.cpi\n512,native,51.2\n512,nested,51.2\n' >sweep/table.csv
printf '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>' >sweep/plot.svg
echo 'not a picture' >sweep/other.svg
: >sweep/points/.hidden.json
report sweep
expect_equal "one sentence" "hvsim: sweep/other.svg is left out: it is no SVG picture" "$(<err)"
is '.left_out == ["sweep/other.svg is left out: it is no SVG picture"]'
is '[.axes[].name] == ["tlb.l2.entries", "paging.mode"] and .swept'
expect_equal "the points, 512 before 1024" "512 512 1024 1024" \
    "$(jq -r '.axes[] | select(.name == "tlb.l2.entries") | .values | join(" ")' data.json)"
is '[.stats[] | select(.name == "core.cpi") | .values] == [[51.2, 51.2, 102.4, 102.4]]'
is '[.stats[] | select(.name == "core.cycles") | has("values")] == [false]'
is '.tables == [{name: "table.csv", columns: ["tlb.l2.entries", "paging.mode", "core.cpi"],
    rows: [["512", "native", "51.2"], ["512", "nested", "51.2"]]}]'
expect_equal "the plot" "$(<sweep/plot.svg)" "$(jq -r '.plots[0].svg' data.json | base64 -d)"
grep -q 'alert(1)' "$page" && fail "the plot is part of the page, and not a picture in it"
is '.points[.walk_of].label == "tlb.l2.entries=512,paging.mode=nested" and .walks[0].walk.totals.references == 24'

# ---- A directory of directories ------------------------------------------------------------------------------------

mkdir -p all/empty all/.hidden
cp -r run all/run
cp -r run all/again
cp -r sweep all/sweep
cp run/result.json all/.hidden
report all
is '[.points[].label] == ["again", "run", "sweep/tlb.l2.entries=512,paging.mode=native",
    "sweep/tlb.l2.entries=512,paging.mode=nested", "sweep/tlb.l2.entries=1024,paging.mode=native",
    "sweep/tlb.l2.entries=1024,paging.mode=nested"]'
is '.swept == false and [.plots[].name] == ["sweep/plot.svg"]'

# ---- What cannot be read is left out -------------------------------------------------------------------------------

echo '{"stats": {}}' >sweep/points/broken.json
mkfifo sweep/points/pipe.json
printf 'a,b\n1\n' >sweep/table.csv
report sweep
is '(.points | length) == 4 and (.left_out | length) == 3 and .tables == []'
expect_equal "three sentences" 3 "$(grep -c '^hvsim: ' err)"
grep -q 'points/broken.json is not a result' err || fail "$(<err)"
grep -q 'sweep/table.csv:2:1: this table is left out' err || fail "$(<err)"

# ---- Hostile names -------------------------------------------------------------------------------------------------

# Names of directories and parameters' texts are the user's own; none ends an element, whatever it holds.
hostile='</script><script>document.title="broken"</script><!--'
directory='<b>&"run'
mkdir "$directory"
jq --arg text "$hostile" '.config["workload.trace"] = $text | .config["workload.parts"] = "]]>" | .hvsim.commit = $text
    | .stats["mmu.walk_cycles_mean"] = null' run/result.json >"$directory/result.json"
report "$directory"
is '.title == "<b>&\"run"'
expect_equal "the text as it was" "$hostile" \
    "$(jq -r '.config[] | select(.name == "workload.trace") | .value' data.json)"
expect_equal "two scripts" 2 "$(grep -o '<script' "$page" | wc -l)"
newline=$'new\nline\xff'
cp -r run "$newline"
report "$newline" -o newline.html
is '.title == "new?line?"'

# ---- A hundred points take no time ---------------------------------------------------------------------------------

mkdir -p hundred/points
for ((i = 0; i < 100; i++)); do
    cp sweep/points/tlb.l2.entries=512,paging.mode=nested.json "hundred/points/$i.json"
done
start=$(date +%s)
report hundred
(($(date +%s) - start < 20)) || fail "a report of 100 points took more than 20 seconds"
is '(.points | length) == 100 and .axes[0].name == "tlb.l2.entries"'

# ---- A page that cannot be written ---------------------------------------------------------------------------------

(trap '' XFSZ; ulimit -f 1; "$HVSIM" report run 2>err >out)
expect_equal "too large a page" "hvsim: cannot write run/report.html: File too large" "$(<err)"
cmp first.html run/report.html || fail "the old page is gone"
expect_equal "left behind" "" "$(find run -name '*.tmp')"
"$HVSIM" report run >/dev/full 2>err && fail "a full standard output is no failure"
exit 0
