#!/bin/bash
# SPDX-License-Identifier: MIT
# What the pages of this tree link to and show is there, and so are the headings that they link to.
source tests/cli/lib.bash

# The anchors of a page: its headings as GitHub and GitLab write them.
anchors() {
    sed -n 's/^##* *//p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9_ -]//g; s/ /-/g'
}

check_link() {
    local page=$1 link=$2
    local file=${link%%#*} anchor=
    [[ $link == *'#'* ]] && anchor=${link#*#}
    local target=${file:+$(dirname "$page")/$file}
    [[ -e ${target:-$page} ]] || fail "$page links to $link, which is not there"
    [[ -z $anchor || ${target:-$page} != *.md ]] || anchors "${target:-$page}" | grep -qx -- "$anchor" ||
        fail "$page links to $link, which has no such heading"
}

links=0
while read -r page; do
    while read -r link; do
        check_link "$page" "$link"
        links=$((links + 1))
    done < <(grep -o '](\([^) ]*\))' "$page" | sed 's/^](//; s/)$//' | grep -v '^https\?:')
done < <(find README.md docs workloads results/reference -name '*.md')
((links > 30)) || fail "only $links links were found"
