#!/bin/bash
# SPDX-License-Identifier: MIT
# The pages of hvsim report and hvsim walk in a real browser: what they show, stepping by fragment, keys and clicks,
# sorting and searching, contrast in light and dark, nothing outside its place. Skipped where there is no Chromium.
source tests/cli/lib.bash
for browser in chromium chromium-browser google-chrome ''; do
    [[ -z $browser ]] || ! command -v "$browser" >/dev/null || break
done
if [[ -z $browser ]]; then
    echo "no Chromium here (apt-get install chromium): the pages are not looked at in a browser"
    exit 77
fi
cd "$work" || exit 1

# look FILE FRAGMENT OPTION...: opens a page and leaves its document in $work/dom. With a script in $work/hook.js, that
# has run too, and what it returned is in $work/seen as JSON.
look() {
    local file=$1 fragment=$2
    shift 2
    awk '/^<\/body>/ { print "<script>//<![CDATA["
            print "(async () => { const sleep = () => new Promise((done) => setTimeout(done, 50));"
            while ((getline line <"hook.js") > 0) print line
            print "})().catch(String).then((seen) => {"
            print "    document.body.dataset.seen = encodeURIComponent(JSON.stringify(seen)); });"
            print "//]]></script>" }
        { print }' "$file" >hooked.html
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --user-data-dir="$work/profile" --window-size=1280,900 --virtual-time-budget=5000 --dump-dom "$@" \
        "file://$work/hooked.html$fragment" >dom 2>browser.log || fail "the browser failed: $(tail -3 browser.log)"
    grep -q 'Written by hvsim' dom || fail "the scripts of $file did not come to their end"
    grep -o 'data-seen="[^"]*"' dom | head -1 | sed 's/data-seen="\(.*\)"/\1/; s/+/%2B/g' |
        jq -Rr '@text "\(.)" | gsub("%(?<h>..)"; "\\u00" + .h) | "\"" + . + "\"" | fromjson' >seen
}
saw() {
    [[ $(jq "$1" seen) == true ]] || fail "not so: $1"$'\n'"$(<seen)"
}

echo 'workload: {footprint: 8MiB, accesses: 20000}' >run.yaml
"$HVSIM" run run.yaml --out run >/dev/null || fail "the run failed"
"$HVSIM" report run -o run.html >/dev/null || fail "no report"
"$HVSIM" walk run.yaml --set mmu.pwc.kind=none --format html >walk.html || fail "no page of a walk"

# ---- The last reference and the data page --------------------------------------------------------------------------

data_page=$("$HVSIM" walk run.yaml --set mmu.pwc.kind=none --format json | jq -r '.translations[0].result.hpa')
cat >hook.js <<'JS'
    const text = (selector) => (document.querySelector(selector) || {textContent: ''}).textContent;
    return {step: document.querySelector('.walk').dataset.step, page: text('#data-page'), status: text('.status'),
        now: text('.cell.now b'), later: document.querySelectorAll('.cell.later').length,
        reached: document.querySelectorAll('.page-cell.reached').length,
        strange: /undefined|NaN|\[object/.test(document.querySelector('main').innerText),
        top: Math.round(document.querySelector('.walk').getBoundingClientRect().top),
        sections: [...document.querySelectorAll('h2')].map((h2) => h2.textContent)};
JS
for page in walk run; do
    look $page.html '#walk=24'
    saw '.step == "24" and .now == "24" and .later == 0 and .reached == 1 and .strange == false'
    saw ".page | test(\"hPA *$data_page\")"
    saw '.status | test("24 of 24.*the walk is over")'
done
saw '.top >= -1 and .top < 450'
saw '.sections == ["Summary", "Key figures", "Where the cycles went", "Page walks", "A walk, step by step",
    "All statistics", "Configuration"]'
look run.html '#walk=3'
saw '.step == "3" and .now == "3" and .later == 21 and .reached == 0 and .page == ""'
look run.html '#walk=99999'
saw '.step == "24"'
look run.html '#walk=x'
saw '.step == "0" and .later == 24'

# ---- Keys and clicks -----------------------------------------------------------------------------------------------

cat >hook.js <<'JS'
    const walk = document.querySelector('.walk');
    const steps = [];
    const key = (name, target, more) => {
        const event = new KeyboardEvent('keydown', {key: name, bubbles: true, ...more});
        (target || document.activeElement).dispatchEvent(event);
        steps.push(Number(walk.dataset.step));
    };
    const button = (name) => [...walk.querySelectorAll('.controls button')].find((b) => b.textContent === name);
    key('ArrowRight', document.body); /* outside of a report's walk, a key is none of its affair */
    walk.querySelector('.cell[tabindex="0"]').focus();
    for (const name of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowLeft',
        'End', 'ArrowRight', 'ArrowUp', 'Home', 'ArrowLeft']) {
        key(name);
    }
    key('ArrowRight', null, {ctrlKey: true});
    key('a');
    const outcome = {steps, focus: document.activeElement.className};
    key('End');
    outcome.stops = walk.querySelectorAll('.cell[tabindex="0"]').length;
    outcome.focus = document.activeElement.textContent;
    outcome.current = walk.querySelectorAll('[aria-current="step"]').length;
    button('First').click();
    button('Next').click();
    button('Next').click();
    outcome.clicks = walk.dataset.step;
    outcome.fragment = location.hash;
    [...walk.querySelectorAll('.cell')].find((c) => c.textContent.startsWith('17')).click();
    outcome.cell = walk.dataset.step;
    location.hash = '#walk=5';
    await sleep();
    outcome.followed = walk.dataset.step;
    const chooser = walk.querySelector('select');
    if (chooser) {
        chooser.selectedIndex = 2;
        chooser.dispatchEvent(new Event('change'));
        button('Last').click();
        outcome.third = location.hash;
    }
    outcome.unnamed = [...document.querySelectorAll('button, select, input')].filter((e) =>
        !e.textContent.trim() && !e.getAttribute('aria-label') && !e.labels.length).length;
    return outcome;
JS
look run.html ''
# 3 is g4.h2; down is g3.h2 (8) and g2.h2 (13), up 8 again, left 7; up from the last, data.h1, is g1.h1 (19).
saw '.steps == [0, 1, 2, 3, 8, 13, 8, 7, 24, 24, 19, 0, 0, 0, 0, 24]'
saw '(.focus | startswith("24")) and .stops == 1 and .current == 1 and .unnamed == 0'
saw '.clicks == "2" and .fragment == "#walk=2" and .cell == "17" and .followed == "5"'
warm=$(sed -n 's/^<script type="application\/json" id="data">\(.*\)<\/script>$/\1/p' run.html |
    jq '.walks[2].walk.totals.references')
saw ".third == \"#walk=$warm&view=3\""
look walk.html ''
saw '.steps[:4] == [1, 2, 3, 4]' # on a page of its own, keys work wherever the focus is

# ---- Sorting, searching, light and dark, print ---------------------------------------------------------------------

cat >hook.js <<'JS'
    const section = document.getElementById('statistics');
    const rows = () => [...section.querySelectorAll('tbody tr')].filter((row) => !row.hidden);
    const values = () => rows().map((row) => Number(row.children[1].textContent.replace(/,/g, '')));
    const head = section.querySelectorAll('th button')[1];
    const ascending = (list) => list.every((v, i) => i === 0 || list[i - 1] <= v || Number.isNaN(v));
    const outcome = {withoutZeros: rows().length};
    section.querySelector('input[type="checkbox"]').click();
    outcome.all = rows().length;
    head.click();
    outcome.up = ascending(values()) && head.parentElement.getAttribute('aria-sort') === 'ascending';
    head.click();
    outcome.down = ascending(values().filter((v) => !Number.isNaN(v)).reverse());
    const search = section.querySelector('input[type="search"]');
    search.value = 'walk_refs MAX';
    search.dispatchEvent(new Event('input'));
    outcome.found = rows().map((row) => row.children[0].textContent);
    const colour = () => getComputedStyle(document.body).backgroundColor;
    outcome.before = colour();
    document.getElementById('theme').click();
    outcome.after = colour();
    window.dispatchEvent(new Event('beforeprint'));
    outcome.folded = document.querySelectorAll('details:not([open])').length;
    return outcome;
JS
look run.html ''
saw ".all == $(jq '.stats | length' run/result.json) and .withoutZeros < .all and .up and .down and .folded == 0"
saw '.found == ["mmu.walk_refs_max"]'
saw '.before == "rgb(255, 255, 255)" and .after != .before'
light=$(jq -r .before seen) dark=$(jq -r .after seen)
look run.html '' --blink-settings=preferredColorScheme=0
saw ".before == \"$dark\" and .after == \"$light\""

# ---- Contrast and room ---------------------------------------------------------------------------------------------

# The least contrast between a text and what is behind it (WCAG 2.1: 4.5 is enough), and texts that leave their place.
cat >contrast.js <<'JS'
    const parse = (colour) => (colour.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    const luminance = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
        .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        if (!element) {
            return [255, 255, 255];
        }
        const [r, g, b, a = 1] = parse(getComputedStyle(element).backgroundColor);
        const below = a < 1 ? behind(element.parentElement) : [0, 0, 0];
        return [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
    };
    const worst = {contrast: 21, text: ''};
    document.querySelectorAll('details').forEach((details) => { details.open = true; });
    for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join('').trim();
        if (!text || !element.checkVisibility() || element.closest('script, svg, [aria-disabled="true"]')) {
            continue;
        }
        const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < worst.contrast) {
            Object.assign(worst, {contrast, text});
        }
    }
    const cells = [...document.querySelectorAll('.cell, .cards div, .saved')];
    return {worst, wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        cut: cells.filter((c) => c.scrollWidth > c.clientWidth + 1).length, cells: cells.length,
        empty: [...document.querySelectorAll('img')].filter((i) => i.naturalWidth === 0).length,
        images: document.querySelectorAll('img').length};
JS
cp contrast.js hook.js
for scheme in 0 1; do
    for page in walk run; do
        look $page.html '#walk=17' --blink-settings=preferredColorScheme=$scheme
        saw '.worst.contrast >= 4.5 and .wide <= 0 and .cut == 0 and .cells >= 24 and .empty == 0'
    done
done
look run.html '#walk=17' --window-size=500,900
saw '.wide <= 0'

# ---- A sweep -------------------------------------------------------------------------------------------------------

mkdir -p sweep/points
for entries in 1024 512 64; do
    for mode in native nested; do
        jq --argjson entries $entries --arg mode $mode '.config["tlb.l2.entries"] = $entries
            | .config["tlb.l2.ways"] = 4 | .config["paging.mode"] = $mode | .stats["core.cpi"] = $entries
            | .sweep = {point: {"tlb.l2.entries": "\($entries)", "paging.mode": $mode}, seed: 1, key: "0"}
            | .stats["core.cycles_per_access"] = $entries / 8' \
            run/result.json >"sweep/points/$mode-$entries.json"
    done
done
printf 'tlb.l2.entries,core.cpi\n64,8\n' >sweep/table.csv
cat >sweep/plot.svg <<'SVG'
<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><script>document.title = "broken"</script>
<rect width="400" height="200" fill="white"/><text x="9" y="99">a plot</text></svg>
SVG
"$HVSIM" report sweep -o sweep.html >/dev/null || fail "no report of a sweep"
look sweep.html '#walk=24' --blink-settings=preferredColorScheme=0
saw '.worst.contrast >= 4.5 and .wide <= 0 and .cut == 0 and .cells >= 24 and .images == 1 and .empty == 0'
cat >hook.js <<'JS'
    const rows = [...document.querySelectorAll('#results tbody tr')];
    const column = (n) => rows.map((row) => row.children[n].textContent);
    const bars = [...document.querySelectorAll('#cycles tbody svg')].map((svg) =>
        Math.round([...svg.children].reduce((sum, rect) => sum + Number(rect.getAttribute('width')), 0)));
    const outcome = {title: document.title, sizes: column(0), modes: column(1), bars};
    const chooser = document.querySelector('#statistics select');
    const shown = () => [...document.querySelectorAll('#statistics tbody tr')]
        .find((row) => row.children[0].textContent === 'core.cpi').children[1].textContent;
    chooser.selectedIndex = 0;
    chooser.dispatchEvent(new Event('change'));
    outcome.first = shown();
    document.querySelector('#grid select').selectedIndex = 5;
    document.querySelector('#grid select').dispatchEvent(new Event('change'));
    outcome.last = shown();
    outcome.chosen = chooser.selectedIndex;
    return outcome;
JS
look sweep.html ''
saw '.title == "sweep" and .sizes == ["64", "64", "512", "512", "1024", "1024"]'
saw '.modes == ["native", "nested", "native", "nested", "native", "nested"]'
saw '.bars == [63, 63, 500, 500, 1000, 1000]' # in thousandths of the longest: 64/1024, 512/1024
saw '.first == "64" and .last == "1,024" and .chosen == 5'

# ---- Hostile names -------------------------------------------------------------------------------------------------

hostile='</script><img src=x onerror="document.title=1"><script>document.title="broken"</script>'
mkdir '<b>bold'
jq --arg text "$hostile" '.config["workload.trace"] = $text | .hvsim.commit = $text' run/result.json \
    >'<b>bold/result.json'
"$HVSIM" report '<b>bold' -o hostile.html >/dev/null || fail "no report of hostile names"
cat >hook.js <<'JS'
    return {title: document.title, heading: document.querySelector('h1').textContent,
        strange: document.querySelectorAll('main img, h1 b, main script').length,
        text: document.querySelector('#configuration').textContent.includes('onerror="document.title=1"')};
JS
look hostile.html ''
saw '.title == "<b>bold" and .heading == "<b>bold" and .strange == 0 and .text'

# ---- Other walks ---------------------------------------------------------------------------------------------------

cat >hook.js <<'JS'
    const strange = /undefined|NaN|\[object/.test(document.querySelector('main').innerText);
    return {step: document.querySelector('.walk').dataset.step, strange,
        page: document.querySelector('#data-page h3').textContent, cells: document.querySelectorAll('.cell').length};
JS
walked() { # walked STEPS TITLE OPTION...: the last step and what is shown there
    local steps=$1 title=$2
    shift 2
    "$HVSIM" walk run.yaml "$@" --format html >other.html || fail "no page of walk $*"
    look other.html '#walk=999'
    saw ".step == \"$steps\" and .cells == $steps and .strange == false and (.page | startswith(\"$title\"))"
}
walked 35 'The data page' --set paging.guest.levels=5 --set paging.host.levels=5 --set mmu.pwc.kind=none
walked 4 'The data page' --set paging.mode=native
walked 5 'The walk ends: page fault' --gva 0x5000 --access store --set mmu.pwc.kind=none
walked 0 'The walk ends: non-canonical' --gva 0x1234567890123456
