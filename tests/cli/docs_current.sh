#!/bin/bash
# SPDX-License-Identifier: MIT
# The committed reference pages say what the program's tables say.
source tests/cli/lib.bash

scripts/docs.sh "$work/reference" || fail "the reference pages cannot be written"
diff -ru docs/reference "$work/reference" || fail "the reference pages are stale: run \`make docs\` and commit them"

# Every row of the tables is in a page, so the pages are not alike by being empty.
expect_equal "parameters" "$("$HVSIM" params --format json | jq length)" \
    "$(grep -c '^| `' "$work/reference/parameters.md")"
expect_equal "statistics" "$("$HVSIM" stats --format json | jq length)" \
    "$(grep -c '^| `' "$work/reference/statistics.md")"
expect_equal "tables of VMX" \
    "$(for table in exits rules controls fields; do "$HVSIM" list $table --format json; done | jq -s 'map(length) | add')" \
    "$(grep -c '^| `' "$work/reference/vmx.md")"
