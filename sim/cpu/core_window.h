/* SPDX-License-Identifier: MIT */
/*
 * The out-of-order model of a core: a window of instructions in which accesses that do not need each other overlap.
 *
 * Instructions dispatch in order, `width` a cycle, into a reorder buffer of `rob` entries and retire in order, `width`
 * a cycle. An access begins when it dispatches, or when the load before it has its data if it depends on that; its
 * translation, its walk and its reference follow from there, beside those of other accesses, until walkers, MSHRs or
 * memory channels run out. An access costs the same work whatever the window holds:
 *
 *     number     of an instruction: how many there were, itself included
 *     slots      the unit of time here: `width` of them a cycle. With nothing in the way instruction n dispatches and
 *                retires in slot n.
 *     lag        by how many slots dispatch, or retirement, is late. Neither lag ever falls, so that
 *
 *         dispatched(n) = n + dispatch_lag      retired(n) = n + retire_lag
 *
 * hold for all instructions from the access that last raised the lag. An access that ends later than its slot raises
 * retire_lag. A reorder buffer of r entries dispatches n after n - r has retired; so each raise of retire_lag by an
 * instruction m is remembered for the r instructions after it, and then bounds dispatch_lag.
 *
 * MSHRs. A miss of the first-level data cache has one from its start until its data is there, or waits for one. The
 * cache's tags are filled at once; when the line comes is kept beside them, and an access that finds its line under
 * way takes no MSHR and waits for it.
 *
 * Stores retire when they are translated. A buffer of `store_buffer` entries has them from dispatch until they are
 * written, in order (total store order). Their lines are asked for as soon as the address is known, so that store
 * misses overlap; a store that finds the buffer full does not dispatch. Entries are taken in turn and stores dispatch
 * in order, so the order of writing needs no state of its own: the entry that a store waits for is the oldest's.
 *
 * A fetch that misses stops dispatch until it is there. A fault, an event and the software's work (core_charge) begin
 * when everything before has retired, and what follows dispatches after them.
 *
 * The cycle stack: a cycle in which an access kept instructions from retiring belongs to what that access was doing in
 * it, counted back from its end: data, walk, TLB. What remains before it began was spent on the data of the load it
 * depends on, or on a full store buffer; it is data too. All other cycles are base.
 *
 * MODEL: a first-level hit retires without its own latency, as in the in-order model; reorder buffers of fewer than
 * width x latency entries look faster than they are by up to that latency an access.
 * MODEL: no branch is mispredicted, and there is no limit but the reorder buffer on what waits for its operands (no
 * scheduler, no load buffer): overlap, and with it speed, is the most that the rest of the core allows.
 * MODEL: instructions fetch when they dispatch; a front end that runs ahead would hide part of a fetch miss behind a
 * full reorder buffer.
 * MODEL: an MSHR that a dependent access has reserved for later does not serve another miss before. Only streams that
 * mix long chains with independent misses, with all MSHRs in use, are slowed a little.
 * MODEL: walkers' references take no MSHRs and find lines under way as if they were there; walks that share their
 * upper tables overlap by up to one miss more than they could.
 * MODEL: a load is not served from the store buffer; one that follows a store miss to its line waits for the line.
 * MODEL: faults, events and exits do not wait for the store buffer, as serializing instructions do; each gains at most
 * the rest of a store miss.
 */
#ifndef HV_CPU_CORE_WINDOW_H
#define HV_CPU_CORE_WINDOW_H

#include "base/access.h"
#include "mem/cache.h"

struct core;
struct core_params;

/* From instruction `number` on, retirement lags by so much. */
struct window_step {
    uint64_t number;
    uint64_t lag_slots;
};

struct core_window {
    uint64_t dispatch_lag_slots;
    uint64_t retire_lag_slots;
    uint64_t load_done_slots;    /* when the data of the last load can be used */
    uint64_t walks_end_slots;    /* when the last walk will be over */
    uint64_t hit_slots;          /* load-to-use latency of the first-level data cache */
    uint64_t tlb_slots[HV_ACCESS_KINDS]; /* what a first-level hit on a 4K page takes */

    uint64_t rob;
    uint64_t step_leaves;        /* the first instruction that dispatches after the oldest step has retired */
    struct window_step *steps;   /* a ring: where the last `rob` instructions raised retire_lag_slots */
    uint32_t step_mask, step_first, step_count;

    uint32_t stores, store_next; /* entries of the store buffer, and the one that the next store takes */
    uint64_t *store_written;     /* by entry: when its store can be written, those before it apart; one for loads */

    uint32_t mshrs, mshr_places;
    uint64_t *mshr_free;         /* by MSHR: when it is free */
    uint64_t *line_there;        /* by place in the first-level data cache: when its line is there */
    size_t places;
};

/* Takes the memory for a core that has its caches. core_window_start() is to follow. */
void core_window_init(struct core *c, const struct core_params *params);
void core_window_fini(struct core *c);

/* Begins, or begins again, at c->now: nothing is under way. */
void core_window_start(struct core *c);

/* All before has retired, `cycles` pass, and what follows dispatches. c->now is the caller's affair. */
void core_window_drain(struct core *c, hv_cycles cycles);

/* core_run() in this model. */
size_t core_window_run(struct core *c, const struct hv_access *accesses, size_t count);

#endif
