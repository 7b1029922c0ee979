#!/bin/bash
# SPDX-License-Identifier: MIT
# Writes the reference pages from the tables in the program; `make docs` calls it.
#
#   scripts/docs.sh [FOLDER]        default: docs/reference; HVSIM names the program, default: build/hvsim
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
hvsim=${HVSIM:-build/hvsim}
out=${1:-docs/reference}
mkdir -p "$out"
trap 'rm -f "$out"/*.md.new' EXIT

# A bar would end a cell of a table.
cells='
    def cell: tostring | gsub("\\|"; "\\|");
    def code: if . == "" then "" else "`\(cell)`" end;'

# Rows by their dotted name without its last part: each group is one table, made by `table`.
sections='
    def group: .name | split(".") | .[:-1] | join(".");
    reduce .[] as $row ([]; ($row | group) as $group
        | if length > 0 and .[-1].group == $group then .[-1].rows += [$row]
          else . + [{group: $group, rows: [$row]}] end)
    | .[] | "", "## \(.group)", "", table'

parameters() {
    echo "# Parameters"
    echo
    echo "Written by \`make docs\` from the tables that the program itself reads; \`hvsim params\` prints the same. A"
    echo "configuration file holds these names, nested or dotted; \`--set NAME=VALUE\` sets one on the command line."
    "$hvsim" params --format json | jq -r "$cells"'
        def size: . as $bytes | first(([1073741824, "GiB"], [1048576, "MiB"], [1024, "KiB"], [1, ""])
            | select($bytes % .[0] == 0) | "\($bytes / .[0])\(.[1])");
        def default_text: if .type == "size" then .default | size
            elif .type == "set" then "[\(.default | join(", "))]" else .default | tostring end;
        def accepted: if .choices then .choices | join(", ") else .range // "" end;
        def table: "| name | default | accepted | unit | meaning |", "|---|---|---|---|---|",
            (.rows[] | "| `\(.name | split(".")[-1])` | \(default_text | code) | \(accepted | cell) | " +
                "\(.unit | cell) | \(.help | cell) |");'"$sections"
}

statistics() {
    echo "# Statistics"
    echo
    echo "Written by \`make docs\` from the tables that the program itself reads; \`hvsim stats\` prints the same. A ratio"
    echo "is derived from two counters; one of nothing is \`null\` in JSON and \`-\` in text."
    "$hvsim" stats --format json | jq -r "$cells"'
        def table: "| name | unit | meaning |", "|---|---|---|",
            (.rows[] | "| `\(.name | split(".")[-1])` | \(.unit // "" | cell) | \(.help | cell) |");'"$sections"
}

# A table of `hvsim list`: its title, what it lists, the columns of the page and the members that they hold.
listing() {
    local title=$1 list=$2 head=$3 members=$4
    echo
    echo "## $title"
    echo
    echo "| ${head//,/ | } |"
    echo "$head" | sed 's/[^,]//g; s/,/---|/g; s/.*/|---|&/'
    "$hvsim" list "$list" --format json | jq -r "$cells"'
        .[] | "| " + ([(.[$members | split(",")[]] // "") | tostring | cell] | .[0] |= code | join(" | ")) + " |"' \
        --arg members "$members"
}

vmx() {
    echo "# VMX"
    echo
    echo "Written by \`make docs\` from the tables that the program itself reads; \`hvsim list rules\` and so on print the"
    echo "same. Sections are those of the Software Developer's Manual, Vol. 3C, in the editions of 2022 to 2024, where"
    echo "VM entries are chapter 27; before, it is 26, and in that of March 2026 (325462-091) it is 29."
    listing "Exit reasons" exits "name,number,meaning" "name,number,help"
    listing "What a VM entry checks" rules "name,section,a violation comes to,rule" "name,section,outcome,help"
    listing "Controls" controls "name,bit,meaning" "name,bit,help"
    listing "Fields of a VMCS" fields "name,encoding,type,width,meaning" "name,encoding,type,width,help"
}

iommu() {
    echo "# IOMMU"
    echo
    echo "Written by \`make docs\` from the tables that the program itself reads; \`hvsim list faults\` and \`hvsim list"
    echo "registers\` print the same. Names are those of the VT-d specification; FPD is an entry's fault-processing disable."
    listing "Fault reasons" faults "number,condition,of,recorded,meaning" "number,name,area,recorded,help"
    listing "Registers" registers "name,offset,bytes,kind,reset,writable,cleared by 1,meaning" \
        "name,offset,bytes,kind,reset,writable,w1c,help"
}

# A page is there as a whole or not at all.
write_page() {
    "$1" >"$out/$1.md.new"
    mv "$out/$1.md.new" "$out/$1.md"
}

write_page parameters
write_page statistics
write_page vmx
write_page iommu
