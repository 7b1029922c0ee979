/* SPDX-License-Identifier: MIT */
/*
 * The common case of an access of the out-of-order model (core_window.h), inlined where accesses are executed. For
 * sim/cpu/core_window*.c only.
 */
#ifndef HV_CPU_CORE_WINDOW_ACCESS_H
#define HV_CPU_CORE_WINDOW_ACCESS_H

#include "cpu/core_access.h"

/* An access on its way: what it has been doing since when, in slots. */
struct life {
    uint64_t number; /* of its instruction */
    uint64_t start;  /* looking up TLBs, and waiting for a walker */
    uint64_t walk;   /* walking */
    uint64_t data;   /* translated; waiting for an MSHR, for a line */
    uint64_t done;
    hv_cycles walk_guest_cycles, walk_host_cycles;
};

/* --- Dispatch: rare cases in core_window.c ----------------------------------------------------------------------- */

/* The instruction that leaves the reorder buffer for this one has reached a step: this one dispatches after it. */
void core_window_leave_steps(struct core *c, uint64_t number);

void core_window_wait_for_store_buffer(struct core *c, uint64_t number, uint64_t free_slot);

/* The slot in which an access begins. */
CORE_INLINE uint64_t dispatch(struct core *c, const struct hv_access *a, uint64_t number)
{
    struct core_window *w = &c->window;
    if (__builtin_expect(number >= w->step_leaves, 0)) {
        core_window_leave_steps(c, number);
    }
    uint64_t start = number + w->dispatch_lag_slots, entry_free = w->store_written[w->store_next];
    if (__builtin_expect(entry_free > start, 0) && a->kind == HV_STORE) {
        core_window_wait_for_store_buffer(c, number, entry_free);
        start = entry_free;
    }
    bool waits = (a->flags & HV_ACCESS_DEPENDENT) != 0 && start < w->load_done_slots;
    return waits ? w->load_done_slots : start;
}

/* --- Retirement -------------------------------------------------------------------------------------------------- */

/* Retirement has reached the access (now), but the access has not ended: a step. */
void core_window_stall(struct core *c, const struct life *l);

/* Instructions retire up to `number`, if nothing keeps that one; returns its slot. */
CORE_INLINE uint64_t retire_in_turn(struct core *c, uint64_t number)
{
    uint64_t turn = number + c->window.retire_lag_slots;
    hv_cycles now = core_cycle_of(c, turn);
    c->stats.cycles_base += now - c->now;
    c->now = now;
    return turn;
}

CORE_INLINE void retire(struct core *c, struct life l)
{
    if (__builtin_expect(l.done > retire_in_turn(c, l.number), 0)) {
        /* A copy made here, so that the common case can keep the life in registers. */
        core_window_stall(c, &(struct life){l.number, l.start, l.walk, l.data, l.done, l.walk_guest_cycles,
                                            l.walk_host_cycles});
    }
}

CORE_INLINE uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* `yes` ? a : b without a branch, for what nobody can predict. */
CORE_INLINE uint64_t choose(bool yes, uint64_t a, uint64_t b)
{
    return b ^ ((a ^ b) & -(uint64_t)yes);
}

/* The end of a load or a store, and its retirement. */
CORE_INLINE void complete(struct core *c, const struct hv_access *a, struct life l)
{
    struct core_window *w = &c->window;
    bool store = a->kind == HV_STORE;
    uint64_t written = l.done, usable = later(l.done, l.data + w->hit_slots);
    w->load_done_slots = choose(store, w->load_done_slots, usable);
    l.done = choose(store, l.data, l.done);
    retire(c, l);
    /* A store is written once it has retired and its line is there. Loads write to an entry that nobody reads. */
    uint64_t entry = choose(store, w->store_next, w->stores);
    w->store_written[entry] = later(written, l.number + w->retire_lag_slots);
    w->store_next += store;
    w->store_next = w->store_next == w->stores ? 0 : w->store_next;
}

/* Nothing dispatches before it has been fetched. */
CORE_INLINE void complete_fetch(struct core *c, struct life l)
{
    struct core_window *w = &c->window;
    w->dispatch_lag_slots = later(w->dispatch_lag_slots, l.done - l.number);
    retire(c, l);
}

/* --- Translation ------------------------------------------------------------------------------------------------- */

/* When the page that an access found in a TLB at `at` is there: its walk may be under way. */
CORE_INLINE uint64_t page_there(const struct core *c, const struct hv_access *a, uint64_t at)
{
    if (__builtin_expect(at >= c->window.walks_end_slots, 1)) {
        return at;
    }
    return later(at, mmu_pending_until(c->mmu, a->gva, core_cycle_of(c, at)) * c->width);
}

/* The time of a translation that began at l->start, by its parts. */
CORE_INLINE void add_translation(struct core *c, const struct hv_access *a, struct life *l,
                                 const struct mmu_reply *reply)
{
    struct core_window *w = &c->window;
    l->walk = l->start + reply->tlb_cycles * c->width;
    if (!reply->walked) {
        l->walk_guest_cycles = l->walk_host_cycles = 0;
        l->walk = l->data = page_there(c, a, l->walk);
        return;
    }
    l->walk += reply->queue_cycles * c->width;
    l->walk_guest_cycles = reply->walk_guest_cycles;
    l->walk_host_cycles = reply->walk_host_cycles;
    l->data = l->walk + (l->walk_guest_cycles + l->walk_host_cycles) * c->width;
    w->walks_end_slots = later(w->walks_end_slots, l->data);
}

/*
 * Goes on from what the first try of a translation has come to. A fault is taken when its access is the oldest and its
 * walk is over; the access begins anew after it has been handled. False: nobody could help.
 */
bool core_window_end_translation(struct core *c, const struct hv_access *a, struct life *l, bool ok,
                                 struct mmu_reply *reply, hv_hpa *hpa);

/* --- Data: misses in core_window_data.c -------------------------------------------------------------------------- */

/* MSHRs are compared so many at a time; places beyond the last one are never free. */
enum { MSHRS_AT_ONCE = 8 };
#define MSHR_NEVER (UINT64_C(1) << 54)

/* The reference of a load or store in general, at `at`; returns when it is over. */
uint64_t core_window_access_data(struct core *c, const struct hv_access *a, hv_hpa hpa, uint64_t at);

/* The reference of a fetch; returns when it is there. */
uint64_t core_window_fetch(struct core *c, const struct hv_access *a, hv_hpa hpa, uint64_t at);

/* When an access that found its line in the first-level data cache at `at` has it. */
CORE_INLINE uint64_t line_there(struct core *c, size_t place, uint64_t at)
{
    uint64_t there = c->window.line_there[place];
    c->stats.mshr_merges += there > at;
    return later(there, at);
}

/* The access has been translated: its reference, and its end. */
CORE_INLINE void reference(struct core *c, const struct hv_access *a, struct life l, hv_hpa hpa)
{
    uint32_t place;
    bool found = core_find_line(c, a, cache_line(hpa), &place);
    if (a->kind == HV_FETCH) {
        l.done = found ? l.data : core_window_fetch(c, a, hpa, l.data);
        complete_fetch(c, l);
    } else {
        l.done = found ? line_there(c, place, l.data) : core_window_access_data(c, a, hpa, l.data);
        complete(c, a, l);
    }
}

#endif
