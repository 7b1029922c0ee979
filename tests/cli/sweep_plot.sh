#!/bin/bash
# SPDX-License-Identifier: MIT
# Every kind of plot is drawn without a complaint, draws itself again from its table alone, and may be changed.
source tests/cli/lib.bash
cd "$work" || exit 1
echo 'workload: {footprint: 1MiB, accesses: 2000}' >small.yaml
cp small.yaml other.yaml
command -v gnuplot >/dev/null || { echo "no gnuplot" >&2; exit 77; }

# make NAME AXES SEEDS PLOT: a sweep of three metrics
make() {
    cat >"$1.yaml" <<YAML
axes: {$2}
config: ${5-small.yaml}
seeds: $3
metrics: [core.cpi, core.cycles_data, core.cycles_base, core.instructions, core.accesses]
plot: {$4}
YAML
}
modes='paging.mode: [native, nested]'
make lines "tlb.l2.ways: [1, 2, 4], $modes" 1 'log: x'
make spread "tlb.l2.entries: [0, 12, 24], $modes, tlb.tagged: [true, false]" 2 'kind: lines, title: "O'"'"'Hara", y: [core.cpi, core.cycles_data]'
make words "$modes, core.width: [1, 2, 3, 4, 5, 6, 7, 8, 9]" 1 'x: paging.mode'
make sizes 'workload.footprint: [4KiB, 64KiB, 1MiB]' 2 'log: xy'
make lists 'tlb.l2.sizes: [[4k], [4k, 2m]], tlb.l1d_4k.ways: [full]' 1 'xlabel: "what, else", ylabel: "cost"'
make bars "$modes, core.width: [1, 2]" 3 'kind: bars, x: core.width'
make configs "$modes" 1 'kind: bars' '[small.yaml, other.yaml]'
make stack "$modes, core.width: [1, 2], tlb.tagged: [true, false]" 1 \
    'kind: stack, x: core.width, y: [core.cycles_base, core.cycles_data], per: core.instructions'
make heatmap "core.width: [1, 2, 3], $modes" 2 'kind: heatmap'
make narrow "core.width: [1, 2], workload.footprint: [512KiB, 1024KiB, 1536KiB, 2048KiB, 2560KiB, 3072KiB, \
    3584KiB, 4096KiB, 4608KiB, 5120KiB, 5632KiB, 6144KiB, 6656KiB, 7168KiB]" 1 \
    'kind: heatmap, x: workload.footprint, y: core.cycles_data, per: core.accesses'
make nothing "$modes" 1 'y: core.cpi'

for file in *.yaml; do
    name=${file%.yaml}
    [[ $name != small && $name != other ]] || continue
    expect_code 0 "$HVSIM" sweep "$file" --out "$name"
    expect_equal "what is said of $name" 1 "$(wc -l <err)"
    # Bytes 16 to 23 of a PNG are its width and height.
    expect_equal "the size of $name" "1280 800" "$(od -An -j16 -N8 -tu4 --endian=big "$name/plot.png" | xargs)"
    grep -q '</svg>' "$name/plot.svg" || fail "$name: no SVG"
    mkdir "again-$name"
    cp "$name/plot.gp" "$name/table.csv" "again-$name"
    (cd "again-$name" && gnuplot plot.gp) >said 2>&1 || fail "$name: gnuplot fails: $(<said)"
    [[ ! -s said ]] || fail "$name: gnuplot says $(<said)"
    for picture in plot.png plot.svg; do
        cmp "$name/$picture" "again-$name/$picture" || fail "$name: another $picture"
    done
done

# marks SWEEP: the points that its SVG draws, those of the legend included.
marks() { grep -c "xlink:href='#gpPt[0-9]*' transform='translate" "$1/plot.svg"; }
expect_equal "points of two lines and a legend" $((3 * 2 + 2)) "$(marks lines)"
expect_equal "points of eight lines and a legend" $((3 * 8 + 8)) "$(marks spread)"
for label in 4KiB 64KiB 1MiB 'the access stream: footprint' 'cycles per instruction'; do
    grep -q "<text>$label</text>" sizes/plot.svg || fail "sizes has no $label"
done
for label in base data 'cycles per instruction' 'native, tagged=false'; do
    grep -q "<text>$label</text>" stack/plot.svg || fail "stack has no $label"
done

# Many columns have their labels upright, and the scale says what is drawn.
grep -q 'set xtics rotate by 90 right' narrow/plot.gp || fail "narrow columns have labels that overlap"
grep -q '<text>cycles per access</text>' narrow/plot.svg || fail "narrow does not say what it shows"

# A plot that was changed is kept, and drawn; one that was not is written anew.
sed -i 's/^set ylabel .*/set ylabel "mine"/' lines/plot.gp
cp lines/plot.gp mine.gp
expect_code 0 "$HVSIM" sweep lines.yaml --out lines
grep -qx 'hvsim: lines/plot.gp was changed, and is kept' err || fail "not told: $(<err)"
cmp lines/plot.gp mine.gp || fail "a changed plot was overwritten"
grep -q '<text>mine</text>' lines/plot.svg || fail "a changed plot was not drawn"
rm lines/plot.gp
expect_code 0 "$HVSIM" sweep lines.yaml --out lines
cmp lines/plot.gp again-lines/plot.gp || fail "it was not written anew"
sed -i 's/log: x/log: y/' lines.yaml
expect_code 0 "$HVSIM" sweep lines.yaml --out lines
grep -q '^set logscale y' lines/plot.gp || fail "an unchanged plot is not written anew"

# Without gnuplot there is a table and a program, and that is told.
mkdir bin
expect_code 0 env PATH="$work/bin" "$HVSIM" sweep nothing.yaml --out bare
grep -qx 'hvsim: no pictures, because there is no gnuplot' err || fail "not told: $(<err)"
expect_equal "the files" "plot.gp points table.csv" "$(ls -A bare | xargs)"
