/* SPDX-License-Identifier: MIT */
/*
 * The timing of a core that executes a stream of accesses, in one of three models.
 *
 * `inorder` issues `width` instructions a cycle and stops at whatever is not there yet: a TLB miss, a walk, a cache
 * miss. First-level cache hits are pipelined and free, unless the next access needs the data (a pointer chase),
 * which then waits for the load-to-use latency.
 *
 * MODEL: in `inorder` a store that misses blocks like a load; a store buffer would hide most of it, so write-heavy
 * workloads look slower than on silicon by about their store-miss cycles.
 *
 * `window` overlaps the accesses that a reorder buffer holds: core_window.h.
 *
 * `functional` has no time but that of issuing: TLBs, caches, page tables and faults do what they do in the other
 * models, nothing waits, and walkers and memory channels keep no reservations. It is for reaching an interesting
 * place fast: state depends on the order of accesses alone, which is the same in every model.
 *
 * Every cycle is charged to one row of the cycle stack; core_check_stack() proves it.
 */
#ifndef HV_CPU_CORE_H
#define HV_CPU_CORE_H

#include "base/activity.h"
#include "base/event.h"
#include "cpu/core_window.h"
#include "mmu/mmu.h"

enum core_model { CORE_INORDER, CORE_WINDOW, CORE_FUNCTIONAL };
enum core_warmup_model { CORE_WARMUP_SAME, CORE_WARMUP_FUNCTIONAL };

extern const char *const core_model_names[];
extern const char *const core_warmup_model_names[];

struct core_params {
#define P PARAM_MEMBER
#include "cpu/core_params.def"
#undef P
};

extern const struct param_row core_param_rows[];
extern const size_t core_param_count;

struct core_stats {
#define S STAT_MEMBER
#include "cpu/core_stats.def"
#undef S
};

extern const struct stat_row core_stat_rows[];
extern const size_t core_stat_count;

/* Which row of the cycle stack work of the software belongs to. */
enum core_cost { CORE_COST_FAULT, CORE_COST_EXIT, CORE_COST_INTERRUPT };

struct core_fault_reply {
    bool resolved;    /* the access is made again; else it is given up and counted as aborted */
    hv_cycles cycles; /* what handling took */
    enum core_cost cost;
};

/*
 * The software above the core, guest's operating system and hypervisor: handles faults, and carries out the events
 * of the stream. An event's time is charged by the software itself, with core_charge().
 */
struct core_software {
    struct core_fault_reply (*fault)(void *ctx, const struct hv_fault *fault, hv_cycles now);
    void (*event)(void *ctx, const struct hv_access *event);
    void *ctx;
};

/*
 * What the common case of an access of one kind touches: the structure that holds 4K pages in the first TLB level and
 * the first-level cache. tlb is NULL when there is no such structure, or cache when there is none.
 */
struct core_fast {
    struct tlb *tlb;
    struct cache *cache;
    uint64_t *tlb_hits;
    hv_cycles tlb_cycles;
};

struct core {
    hv_cycles horizon; /* core_run() stops before an element when it is this time or later */
    uint32_t width;
    uint32_t width_log2; /* valid when width is a power of two, else UINT32_MAX */
    bool look_ahead;   /* the last batch walked often: fetch page-table leaves ahead */
    enum core_model model; /* now; a functional warm-up is not what the core was built as */
    struct core_fast fast[HV_ACCESS_KINDS];
    struct mmu *mmu;
    struct mem_path *path;
    struct core_software software;
    struct activity_core *activity; /* who is told what the core does; NULL: nobody */
    struct core_split *split;       /* translations run ahead on another thread of the host (core_split.h); or NULL */
    char apart[CACHE_LINE_BYTES];   /* who times accesses writes what follows, and only reads what precedes */
    hv_cycles now;     /* when the last element ended; in model window, when it retired */
    hv_cycles started; /* when the counters were last zeroed */
    uint64_t issued;   /* instructions since reset: issue time is issued / width */
    struct core_stats stats;
    struct core_window window; /* of model window */
    char apart_rest[CACHE_LINE_BYTES];
};

/* The caches, TLBs and software outlive the core. It begins with params->model. */
void core_init(struct core *c, const struct core_params *params, struct mmu *mmu, struct mem_path *path,
               struct core_software software);
void core_fini(struct core *c);

/*
 * Goes on in another model from here: what was under way is over, and what the caches and TLBs hold stays. Between two
 * calls of core_run() only; the core was built with model window if it is ever to be that.
 */
void core_set_model(struct core *c, enum core_model model);

/*
 * Executes the elements in order, to the last or until time reaches c->horizon; returns how many. c->now moves to the
 * end of the last one executed.
 */
size_t core_run(struct core *c, const struct hv_access *accesses, size_t count);

/*
 * Time passes in which the core runs the software named by `cost`, or waits for it: after everything before it, and
 * before everything after it. In model functional none passes. `what` is for who watches.
 */
void core_charge(struct core *c, enum core_cost cost, hv_cycles cycles, const char *what);

/* Zeroes the counters (the end of a warm-up); time goes on. */
void core_reset_stats(struct core *c);

/* The cycle stack sums to the cycles, or it is a simulator bug. */
void core_check_stack(const struct core *c);

#endif
