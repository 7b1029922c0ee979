/* SPDX-License-Identifier: MIT */
/*
 * A second, independent simulation of what several cores do to each other through the last-level cache and DRAM, for
 * machines that are simple enough to write down in one file: native 4-level paging with 4K pages mapped ahead, at most
 * one fully associative data TLB, a data cache and a second level per core, LRU everywhere, loads and stores only.
 *
 * It shares no code with the simulator's timing: events are taken strictly in the order of time and, at the same time,
 * of core numbers. Only the accesses themselves and the bytes of the page tables come from the machine.
 */
#ifndef HV_TESTS_MACHINE_REFERENCE_H
#define HV_TESTS_MACHINE_REFERENCE_H

#include <stdio.h>

#include "machine/machine.h"

enum { REFERENCE_CORES = 8 };

struct reference_counts {
    uint64_t hits, misses, walk_hits, walk_misses, writebacks;
};

struct reference_result {
    uint64_t cycles[REFERENCE_CORES]; /* of each core */
    uint64_t read_queue_cycles[REFERENCE_CORES]; /* of these, its reads waited for a channel of DRAM */
    uint64_t shared_reads[REFERENCE_CORES];
    struct reference_counts l1d, l2, llc;  /* l1d and l2 of all cores together */
    uint64_t dram_reads, dram_writes, dram_queue_cycles, walks;
};

/* Runs all streams of a freshly built machine; prints each shared access in the words of --trace-points shared. */
void reference_run(const struct machine *m, FILE *trace, struct reference_result *result);

#endif
