#!/bin/bash
# SPDX-License-Identifier: MIT
# Every function that hvsim.h declares is called by a test of this folder.
source tests/cli/lib.bash
functions=$(grep -o '\bhv_[a-z_]*(' sim/api/hvsim.h | sort -u)
declared=0
for function in $functions; do
    # Those that stand in comments alone are no declarations.
    grep -v '^ \*\|^/\*' sim/api/hvsim.h | grep -q "\b$function" || continue
    declared=$((declared + 1))
    grep -qs -- "\b$function" tests/api/*.c || fail "no test of tests/api calls $function)"
done
[[ $declared -ge 40 ]] || fail "only $declared declarations were found in hvsim.h"
echo "functions of hvsim.h: $declared of $declared called by tests"
