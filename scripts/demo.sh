#!/bin/bash
# SPDX-License-Identifier: MIT
# What does a two-dimensional page walk cost on a real program? Records SQLite on this machine, runs the trace native
# and nested over sizes of the second-level TLB, says where the cycles of the walks went, and plots it. `make demo`
# calls it once packages and program are there.
#
#   scripts/demo.sh [OUTPUT-FOLDER]        default: results/demo; HVSIM names the program, default: build/hvsim
set -euo pipefail
export LC_ALL=C # numbers have a decimal point in every country
cd "$(dirname "$0")/.."

hvsim=${HVSIM:-build/hvsim}
out=${1:-results/demo}
config=skylake
sizes=(512 1024 1536 2048 4096)
shown=1536    # the size whose walks are looked at closely: Skylake's own
records=24e6  # about half a minute of recording on two slow cores
start_up=3e6  # what sqlite3 does before its query
warmup=8e6    # the first touches of pages

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# ---- A trace of a real program ------------------------------------------------------------------------------------

record_sqlite() {
    sqlite3 "$work/shop.db" <workloads/sqlite/prepare.sql >/dev/null &&
        "$hvsim" record -o "$out/sqlite.hvt" --skip $start_up --limit $records -- \
            sqlite3 "$work/shop.db" '.read workloads/sqlite/query.sql' >/dev/null
}

# Leaves the trace's name in $trace. Without a new recording there is still the committed one.
get_trace() {
    echo "Recording SQLite, 100000 lookups in a database of 17 MB, under valgrind (half a minute or so) ..."
    if command -v valgrind >/dev/null && command -v sqlite3 >/dev/null && record_sqlite; then
        trace=$out/sqlite.hvt
    else
        echo "No recording: valgrind or sqlite3 is missing or failed. The demo goes on with a trace from elsewhere."
        trace=workloads/sqlite.hvt
        warmup=2e6
    fi
    "$hvsim" trace info "$trace" --format json | jq -r --arg trace "$trace" '
        def millions: . / 1e5 | round / 10;
        "\($trace): \(.records | millions) M accesses (\(.loads | millions) M loads, \(.stores | millions) M stores, " +
        "\(.fetches | millions) M instruction fetches),\nwhich touch \(.pages) pages of 4 KiB"'
}

# ---- Runs ---------------------------------------------------------------------------------------------------------

# run NAME MODE SET...: the result in $work/NAME.json. All TLBs have eight ways, so that only their size differs.
run() {
    local name=$1 mode=$2
    shift 2
    "$hvsim" run $config --trace "$trace" --warmup $warmup --format json \
        --set paging.mode="$mode" --set tlb.l2.ways=8 "${@/#/--set=}" >"$work/$name.json"
}

# Native and nested side by side: two runs, two cores.
run_pair() {
    local name=$1
    shift
    run "native-$name" native "$@" &
    run "nested-$name" nested "$@"
    wait $!
}

run_all() {
    echo
    echo "Running it natively and in a virtual machine on $config.yaml, with ${#sizes[@]} sizes of the L2 TLB ..."
    for size in "${sizes[@]}"; do
        run_pair "$size" tlb.l2.entries="$size"
    done
    run_pair bare tlb.l2.entries=$shown mmu.pwc.kind=none
}

# ---- The table ----------------------------------------------------------------------------------------------------

# One line of CSV for a size; all figures that the table, the plot and the last sentences use.
row() {
    jq -rn --slurpfile native "$work/native-$1.json" --slurpfile nested "$work/nested-$1.json" --arg size "$1" '
        def share: .["mmu.walk_cycles"] / .["core.cycles"] * 100;
        def figures: .["core.cpi"], .["mmu.walk_refs_mean"], .["mmu.walk_cycles_mean"], share;
        $native[0].stats as $one | $nested[0].stats as $two
        | [$size, 1000 * $two["tlb.l2.misses"] / $two["core.instructions"], ($one | figures), ($two | figures)]
        | map(if . == null then "" else . end) | map(tostring) | join(",")'
}

columns() { echo "cpi_$1,walk_refs_$1,walk_cycles_$1,walk_time_percent_$1"; }

make_table() {
    {
        echo "l2_tlb_entries,l2_tlb_misses_per_1000_instructions,$(columns native),$(columns nested)"
        for size in "${sizes[@]}"; do
            row "$size"
        done
    } >"$out/table.csv"
}

show_table() {
    cat <<'TEXT'

                misses    cycles per       references   cycles          share of time
  L2 TLB      per 1000    instruction      per walk     per walk        in page walks
 entries  instructions  native  nested  native nested  native nested   native  nested
TEXT
    awk -F, 'NR > 1 { printf "%8d %13.2f %7.3f %7.3f %7.1f %6.1f %7.1f %6.1f %6.2f %% %5.2f %%\n",
        $1, $2, $3, $7, $4, $8, $5, $9, $6, $10 }' "$out/table.csv"
    cat <<'TEXT'

native: one page table turns the program's addresses into the machine's. nested: in a virtual machine the guest's table
yields guest-physical addresses, and each of them is translated once more by the host's table.

TEXT
    awk -F, -v shown=$shown '{ more = sprintf("%.1f %% more cycles", ($7 / $3 - 1) * 100) }
        $1 == shown { printf "With %d entries running in a virtual machine takes %s", $1, more }
        END { printf "; with %d it takes %s.\n", $1, more }' <(tail -n +2 "$out/table.csv")
}

# ---- Where the walk cycles went -----------------------------------------------------------------------------------

# The grid of a nested run, in per cent of its walk cycles: guest steps down, host levels across.
show_grid() {
    jq -r '
        def pad: tostring | (" " * (8 - length)) + .;
        .stats as $s | $s["mmu.walk_cycles"] as $all
        | def share($cell): ($s["mmu.grid.\($cell).cycles"] // 0) / (if $all == 0 then 1 else $all end) * 1000 | round
              | if . == 0 then "." else "\(. / 10 | floor).\(. % 10)" end;
        (["", "h4", "h3", "h2", "h1", "guest"] | map(pad) | join("")),
        ("g4", "g3", "g2", "g1", "data"
            | . as $row | [$row, (("h4", "h3", "h2", "h1") | share("\($row).\(.)")), share("\($row).g")]
            | map(pad) | join(""))' "$work/nested-$1.json"
}

# dominant NAME: the dearest two cells, "data.h1 50 % and g1.g 50 %".
dominant() {
    jq -r '.stats as $s | $s["mmu.walk_cycles"] as $all
        | [$s | to_entries[] | select((.key | test("^mmu[.]grid[.].*[.]cycles$")) and .value > 0)
            | {cell: (.key | ltrimstr("mmu.grid.") | rtrimstr(".cycles")), percent: (100 * .value / $all)}]
        | sort_by(-.percent)[:2] | map("\(.cell) \(.percent | round) %") | join(" and ")' "$work/nested-$1.json"
}

# mean MODE NAME STATISTIC: with one decimal.
mean() {
    jq -r --arg name "$3" '.stats[$name] * 10 | round / 10' "$work/$1-$2.json"
}

show_walks() {
    cat <<TEXT

Where the cycles of nested walks went, L2 TLB of $shown entries, in per cent of all:

$(show_grid $shown)

Row g4..g1: to read a guest page-table entry of that level, its address is walked through host levels h4..h1, then the
entry is read (column guest). Row data: the host walk for the address that the guest's tables yielded. Of these 24
references the page-walk caches leave $(mean nested $shown mmu.walk_refs_mean) a walk (a dot is one that they save). \
The dearest are $(dominant $shown).

The same without page-walk caches; now the dearest are $(dominant bare):

$(show_grid bare)

A native walk then makes $(mean native bare mmu.walk_refs_mean) references and a nested one \
$(mean nested bare mmu.walk_refs_mean), in $(mean native bare mmu.walk_cycles_mean) and \
$(mean nested bare mmu.walk_cycles_mean) cycles: this is what the caches are for.
TEXT
}

# ---- The plot -----------------------------------------------------------------------------------------------------

# The plot is a file of its own that gnuplot runs from its folder, to be edited and run again.
write_plot() {
    cat >"$out/plot.gp" <<'GNUPLOT'
# Time in page walks over the size of the L2 TLB. Run in this folder: gnuplot plot.gp
set datafile separator ","
set style line 1 lc rgb "#0072b2" lw 3 pt 7 ps 1.5
set style line 2 lc rgb "#d55e00" lw 3 pt 5 ps 1.5
set border 3 lw 1.5
set tics nomirror out
set grid ytics lc rgb "#dddddd" lt 1 lw 1
set title "SQLite on a Skylake-like core: what page walks cost"
set xlabel "entries of the second-level TLB (log scale)"
set ylabel "time in page walks (% of all cycles)"
set logscale x 2
set xrange [448:4681]
stats "table.csv" every ::1 using 10 nooutput
set yrange [0:STATS_max > 0 ? 1.25 * STATS_max : 1] # room for the key above the highest point
set xtics (512, 1024, 1536, 2048, 4096)
set key inside right top samplen 3
plots = "plot 'table.csv' every ::1 using 1:10 with linespoints ls 2 title 'nested (in a virtual machine)', \
    '' every ::1 using 1:6 with linespoints ls 1 title 'native'"

set terminal pngcairo size 1280,720 font "Sans,20"
set output "plot.png"
eval plots
set terminal svg size 1280,720 font "Sans,20" background "#ffffff"
set output "plot.svg"
eval plots
GNUPLOT
    if command -v gnuplot >/dev/null; then
        (cd "$out" && gnuplot plot.gp)
    else
        echo "No picture: this machine has no gnuplot."
    fi
}

# ---- All of it ----------------------------------------------------------------------------------------------------

get_trace
run_all
make_table
show_table
show_walks
write_plot
cat <<TEXT

Written to $out/: $(cd "$out" && ls -m)

To try next:
  everything about one run          $hvsim run $config --trace $trace
  huge pages in the host            $hvsim run $config --trace $trace --set paging.host.page_size=2m
  another machine, a larger memory  $hvsim run zen5 --workload uniform-64g
  one walk, step by step            $hvsim walk $config --set mmu.pwc.kind=none
TEXT
