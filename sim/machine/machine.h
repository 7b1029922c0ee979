/* SPDX-License-Identifier: MIT */
/*
 * A machine: memory, caches, a core with its MMU, the software that owns its page tables, and its workload, built
 * from parameters and connected.
 */
#ifndef HV_MACHINE_MACHINE_H
#define HV_MACHINE_MACHINE_H

#include "apic/vapic_stats.h"
#include "base/stat.h"
#include "cpu/vmx/vmx_stats.h"
#include "machine/params.h"
#include "machine/schedule.h"

enum { MACHINE_MAX_VMS = 64, MACHINE_BATCH = 8192 /* stream elements decoded at a time */ };

/* How a core joins global time: returns when it is its turn to do something shared at `now`. */
struct machine_join {
    void (*wait)(void *ctx, hv_cycles now); /* NULL: there is nobody to join */
    void *ctx;
};

/* What watches a core: the recording of its activity, and the observer of its MMU that was there before (watch.h). */
struct machine_watch {
    struct activity_core *activity;
    struct mmu_observer next;
};

struct intervals;
struct relay;
struct io_core;
struct machine_guest;
struct machine_io;

/* One core with what it alone owns, and what it runs. */
struct machine_core {
    struct core core;
    struct mmu mmu;
    struct mem_path path;
    struct machine_schedule schedule;
    struct machine *machine;
    struct machine_join join;
    struct machine_watch watch;
    struct vmx_stats vmx_stats;
    struct apic_stats apic_stats;
    struct vapic_stats vapic_stats;
    struct machine_guest *guest; /* what it runs under VMX (guest.h); NULL: paging.mode native, or NPT */
    struct io_core *io;  /* what it does for devices (io.h); NULL: there are none */
    hv_cycles limit;     /* the core stops here even if no interrupt comes: the end of a quantum */
    hv_cycles sample_at; /* the end of an interval: its statistics are taken at the first chance from here on */
    bool over;           /* it has found all its streams ended */
    bool idle;           /* it has, and waits for the interrupt of a device */
};

struct machine {
    struct machine_params params;
    struct trace_points trace;
    struct physmem memory;
    struct mem_shared shared;
    struct machine_io *io;      /* devices and the IOMMU (io.h); NULL: io.device is none */
    struct machine_core *cores; /* params.machine.cores of them */
    struct vm *vms;                  /* params.vm.count of them */
    uint32_t first_process[MACHINE_MAX_VMS]; /* of each VM, in a numbering of all processes */
    uint64_t vpid_step;              /* from one virtual processor of a stream to the next */
    uint64_t total;                  /* accesses of all streams */
    uint64_t host_next;              /* memory of the host from here on is nobody's */
    struct relay *refiller;          /* decodes batches ahead (refill.h); NULL: they are decoded when they are due */
    struct intervals *intervals;     /* the series of statistics that a run takes; NULL: none */
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
 * The same in two steps. The first does what software does before a run, and takes long when much memory is mapped:
 * memory, page tables, opened streams. The second adds the hardware: cores, caches, main memory. Its params may differ
 * from the first's in parameters of hardware alone (machine_param_is_hardware). In between the process may fork, and
 * every copy build hardware of its own. After a failure of the second the machine can only be freed.
 */
struct machine *machine_prepare(const struct machine_params *params, const struct trace_points *trace,
                                struct hv_err *err);
bool machine_build(struct machine *m, const struct machine_params *params, struct hv_err *err);

/*
 * Runs up to `accesses` accesses of a core's streams. Returns how many it made: fewer when the core's streams are all
 * over (cores[core].over), or when its time has reached `limit`; (size_t)-1 with a sentence when a stream is damaged.
 */
size_t machine_run(struct machine *m, unsigned core, size_t accesses, struct hv_err *err);

/*
 * All cores go on in a model; with functional nothing waits and nothing is reserved. Between two calls of
 * machine_run() only. A new machine is in params.core.model.
 */
void machine_set_model(struct machine *m, enum core_model model);

/*
 * The host may run the machine on so many threads, 1 at first. No result depends on it. Of two, a lone core uses the
 * second for its timing (cpu/core_split.h), and several cores to decode their streams (machine/refill.h).
 */
void machine_use_threads(struct machine *m, unsigned threads);

/* Zeroes all statistics: the end of a warm-up. What the caches hold stays. */
void machine_reset_stats(struct machine *m);

/* Fails as a simulator bug when an identity between statistics does not hold. Cheap; every run calls it. */
void machine_check(const struct machine *m);

/* Registers every statistic of a machine; with m NULL, for the reference, whose values nobody reads. */
void machine_register_stats(struct machine *m, struct stat_registry *registry);

#endif
