#!/bin/bash
# SPDX-License-Identifier: MIT
# The forms of `hvsim walk`: text, JSON, SVG and HTML, faults, and mistakes on its command line.
set -euo pipefail
source tests/cli/markup.bash

fail() {
    echo "$1"
    exit 1
}

# No cache holds a translation, so that a walk is whole.
cat >"$TMPDIR/cold.yaml" <<'EOF'
mmu.pwc.kind: none
tlb: {l1d_4k.entries: 0, l2.entries: 0}
workload.footprint: 4MiB
machine.memory: 16GiB
EOF
walk() { "$HVSIM" walk "$TMPDIR/cold.yaml" "$@"; }

# --- Text: as many numbered lines as references, in the order of the grid; the result; the formula.
numbered() { awk '$1 ~ /^[0-9]+$/ && $2 ~ /^(g[1-5]|data)\.(h[1-5]|g)$/ { print $1 " " $2 }'; }

walk >"$TMPDIR/text"
expected=$(n=0; for g in g4 g3 g2 g1; do for h in h4 h3 h2 h1 g; do echo "$((++n)) $g.$h"; done; done
    for h in h4 h3 h2 h1; do echo "$((++n)) data.$h"; done)
[[ $(numbered <"$TMPDIR/text") == "$expected" ]] || fail "the 24 lines of a 4x4 walk are not those of the grid"
grep -q '(4+1)(4+1)-1 = 24' "$TMPDIR/text" || fail "no formula"
[[ $(walk --set paging.mode=native | numbered | wc -l) == 4 ]] || fail "a native walk has 4 references"
[[ $(walk --set paging.guest.levels=5 --set paging.host.levels=5 | numbered | wc -l) == 35 ]] ||
    fail "a 5x5 walk has 35 references"
[[ $(walk --repeat 3 | grep -c '^=== translation') == 3 ]] || fail "--repeat 3 shows three translations"

# --- A fault is an answer: exit code 0, and its error code in words.
walk --gva 0x5000 --access store >"$TMPDIR/fault" || fail "a fault is no failure"
grep -q 'page fault.*level-4 entry' "$TMPDIR/fault" || fail "no page fault at level 4"
grep -q 'error code 0x6:' "$TMPDIR/fault" || fail "the error code is W/R and U/S: 6"
grep -Eq '^ +P = 0 +an entry was not present' "$TMPDIR/fault" || fail "bit P is not explained"
grep -Eq '^ +W/R = 1 +the access was a write' "$TMPDIR/fault" || fail "bit W/R is not explained"

# --- JSON: the tests of the explainer look inside; here, that it is one document with all translations.
walk --repeat 2 --format json >"$TMPDIR/json"
[[ $(grep -c '"translations"' "$TMPDIR/json") == 1 && $(grep -c '"totals"' "$TMPDIR/json") == 2 ]] ||
    fail "--repeat 2 is one document with two translations"

# --- SVG: well-formed, and nothing has to be fetched or executed.
for arguments in '' '--set paging.mode=native' '--gva 0x5000' '--gva 0x1234567890123456' '--repeat 2' \
    '--set paging.guest.levels=5 --set paging.host.levels=5 --set paging.host.page_size=1g'; do
    # shellcheck disable=SC2086 # several words
    walk $arguments --format svg >"$TMPDIR/walk.svg"
    well_formed "$TMPDIR/walk.svg" || fail "walk $arguments --format svg"
    grep -Eq '<script|@import|href|url\(' "$TMPDIR/walk.svg" && fail "the picture needs something from outside"
done
walk --format svg >"$TMPDIR/walk.svg"
for n in $(seq 24); do
    grep -q "font-weight=\"bold\">$n</text>" "$TMPDIR/walk.svg" || fail "no cell with number $n"
done
echo '<svg><text></svg>' >"$TMPDIR/broken.svg"
well_formed "$TMPDIR/broken.svg" >/dev/null && fail "the check of well-formedness finds nothing"

# --- HTML: a page that needs nothing but itself, with the same translations in it as the JSON.
data_of() { sed -n 's/^<script type="application\/json" id="data">\(.*\)<\/script>$/\1/p' "$1"; }
for arguments in '' '--set paging.mode=native' '--gva 0x5000 --access store' '--gva 0x1234567890123456' '--repeat 3'; do
    # shellcheck disable=SC2086 # several words
    walk $arguments --format html >"$TMPDIR/walk.html"
    well_formed "$TMPDIR/walk.html" || fail "walk $arguments --format html"
    grep -Eq 'https?:|@import|<link|[^-]src=|url\(' "$TMPDIR/walk.html" && fail "the page needs something from outside"
    # shellcheck disable=SC2086
    expected=$(walk $arguments --format json | jq -cS .translations)
    [[ $(data_of "$TMPDIR/walk.html" | jq -cS '[.walks[].walk]') == "$expected" ]] ||
        fail "other translations than in JSON: $arguments"
done

# --- The user's mistakes: one sentence on stderr, nothing on stdout, exit code 2.
mistake() {
    local sentence=$1 status=0
    shift
    "$HVSIM" walk "$@" >"$TMPDIR/out" 2>"$TMPDIR/err" || status=$?
    [[ $status == 2 ]] || fail "walk $*: exit code $status"
    [[ ! -s $TMPDIR/out && $(wc -l <"$TMPDIR/err") == 1 ]] || fail "walk $*: more than a sentence"
    grep -q -e "$sentence" "$TMPDIR/err" || fail "walk $*: $(cat "$TMPDIR/err")"
}
mistake 'not an address' "$TMPDIR/cold.yaml" --gva here
mistake 'not an address' "$TMPDIR/cold.yaml" --gva 0x10000000000000000
mistake 'did you mean "store"' "$TMPDIR/cold.yaml" --access stor
mistake 'not one of text, json, svg, html' "$TMPDIR/cold.yaml" --format xyz
mistake 'takes 1 to 100 with --format html' "$TMPDIR/cold.yaml" --format html --repeat 101
mistake 'takes 1 to' "$TMPDIR/cold.yaml" --repeat 0
mistake 'takes 1 to' "$TMPDIR/cold.yaml" --repeat 1e9
mistake 'CONFIG' --gva 0x1000
mistake 'no_such' "$TMPDIR/no_such.yaml"
mistake 'did you mean' "$TMPDIR/cold.yaml" --set paging.mod=native
