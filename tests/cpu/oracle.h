/* SPDX-License-Identifier: MIT */
/*
 * The window model worked out instruction by instruction, as its definition reads: every instruction has a dispatch
 * and a retirement slot of its own. Written apart from sim/cpu/core_window.c so that it can disagree. It knows the
 * bench machine's latencies and nothing of caches: the first access to a line misses.
 */
#ifndef HV_TESTS_CPU_ORACLE_H
#define HV_TESTS_CPU_ORACLE_H

#include "lab.h"

struct oracle_limits {
    uint64_t width, rob, mshrs, store_buffer;
};

struct oracle_result {
    hv_cycles cycles;      /* until the last instruction has retired */
    uint64_t merges;       /* accesses that waited for a line under way */
    uint64_t misses;       /* first-level data misses */
};

struct oracle_result oracle_run(const struct lab *l, const struct oracle_limits *limits);

#endif
