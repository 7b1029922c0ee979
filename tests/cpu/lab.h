/* SPDX-License-Identifier: MIT */
/*
 * A core on a machine in which every latency is known, and streams written by hand.
 *
 * The bench machine: pages of 1 GiB that the TLB holds at no cost; a fully associative first-level data cache of 512
 * lines over a second-level cache that holds everything and answers in LAB_MISS cycles. When a test begins, lines 0 to
 * LAB_LINES - 1 are in the second level alone, so that the first access to each misses for LAB_MISS cycles and later
 * ones hit; LAB_WARM_LINE is in the first level of data. Fetches miss likewise. No memory channel is ever asked, so
 * that nothing but the core's own limits makes an access wait.
 */
#ifndef HV_TESTS_CPU_LAB_H
#define HV_TESTS_CPU_LAB_H

#include "machine/machine.h"

enum { LAB_MISS = 100, LAB_HIT = 4, LAB_LINES = 256, LAB_CACHE = 512, LAB_WARM_LINE = LAB_LINES + LAB_CACHE - 1 };
enum { LAB_STREAM = 4096 };

struct lab {
    struct machine *m;
    struct core *core;
    uint64_t base; /* of the workload's memory */
    struct hv_access stream[LAB_STREAM];
    size_t count;
    hv_cycles event_cycles;        /* what an event of the stream is charged, as an exit */
    struct core_software software; /* the machine's, which handles the faults */
};

/* A machine from settings ("key=value key=value"). */
struct lab *lab_new(const char *settings);
void lab_free(struct lab *l);

/* The bench machine, core.model window, with further settings. */
struct lab *lab_bench(const char *settings);

/* Executes the stream without time and empties it; begins anew in a model, at the start of a cycle, counters zero. */
void lab_warm(struct lab *l, enum core_model model);

/* Adds an element: an access to a line of the workload's memory after `gap` other instructions. */
struct hv_access *lab_add(struct lab *l, enum hv_access_kind kind, uint64_t line, uint32_t gap);
struct hv_access *lab_chase(struct lab *l, uint64_t line, uint32_t gap); /* a load that depends on the one before */
void lab_event(struct lab *l, uint32_t gap);

/* Executes the stream and empties it; checks the cycle stack. Returns the cycles it took. */
hv_cycles lab_run(struct lab *l);

#endif
