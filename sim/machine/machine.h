/* SPDX-License-Identifier: MIT */
/*
 * A machine: memory, caches, a core with its MMU, the software that owns its page tables, and its workload, built
 * from parameters and connected.
 */
#ifndef HV_MACHINE_MACHINE_H
#define HV_MACHINE_MACHINE_H

#include "base/stat.h"
#include "machine/params.h"

/* One core with what it alone owns. */
struct machine_core {
    struct core core;
    struct mmu mmu;
    struct mem_path path;
};

struct machine {
    struct machine_params params;
    struct trace_points trace;
    struct physmem memory;
    struct mem_shared shared;
    struct machine_core *cores; /* params.machine.cores of them */
    struct vm vm;
    struct workload *workload;
    struct hv_access *batch; /* stream elements on their way to a core */
    struct stat_registry stats;
};

/*
 * Builds the machine; params have been resolved. trace may be NULL. On failure nothing is left to free and the
 * sentence says what to change.
 */
struct machine *machine_new(const struct machine_params *params, const struct trace_points *trace,
                            struct hv_err *err);
void machine_free(struct machine *m);

/*
 * Runs up to `accesses` elements of the workload on a core. Returns how many it ran: 0 at the end of the stream,
 * (size_t)-1 with a sentence when the stream is damaged.
 */
size_t machine_run(struct machine *m, unsigned core, size_t accesses, struct hv_err *err);

/* Zeroes all statistics: the end of a warm-up. What the caches hold stays. */
void machine_reset_stats(struct machine *m);

/* Fails as a simulator bug when an identity between statistics does not hold. Cheap; every run calls it. */
void machine_check(const struct machine *m);

/* Registers every statistic of a machine; with m NULL, for the reference, whose values nobody reads. */
void machine_register_stats(struct machine *m, struct stat_registry *registry);

#endif
