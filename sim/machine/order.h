/* SPDX-License-Identifier: MIT */
/*
 * The order of what cores do to each other: by time, and at the same time by core number.
 *
 * A core runs ahead on what is its own and stops before it touches what is shared. Where it stops it says so here.
 * The core that is first may go on, and keeps going as long as it stays before all the others, which sleep meanwhile
 * and so cannot do anything earlier. machine/turns.h lets cores sleep and go on.
 *
 * What a sleeping core wants to do it may leave here, posted, for whoever comes to be behind it: a reference to memory
 * is the same whoever makes it, and saves waking its core just for that.
 *
 * MODEL: what a core reads in its own caches, page tables included, holds what memory holds when the core gets there on
 * the host, which may be before another core's change that is earlier in time; by vmm.cost.ipi_cycles at most, as a
 * core runs no further ahead than an interrupt could reach it.
 */
#ifndef HV_MACHINE_ORDER_H
#define HV_MACHINE_ORDER_H

#include "base/types.h"

/* The devices of a machine are one more participant (machine/turns.h), with the number behind the last core's. */
enum { ORDER_MAX_CORES = 64, ORDER_MAX = ORDER_MAX_CORES + 1 };

#define ORDER_NEVER UINT64_MAX /* a core that will not touch anything: it is done, or waits for all the others */

struct order {
    unsigned cores;
    hv_cycles at[ORDER_MAX]; /* before this time, a core that sleeps does nothing shared */
    bool posted[ORDER_MAX];  /* it wants one thing done at that time, which anybody may do for it */

    /* Does what a core has posted; returns the time before which that core does nothing else. */
    hv_cycles (*act)(void *ctx, unsigned core);
    void *ctx;
};

void order_init(struct order *o, unsigned cores);

/* Whether something at `a` of one core comes before something at `b` of another. */
static inline bool order_before(hv_cycles a, unsigned core_a, hv_cycles b, unsigned core_b)
{
    return a < b || (a == b && core_a < core_b);
}

/* The other core that can do something first; the core itself when there is none. With no core's number, of all. */
static inline unsigned order_first_other(const struct order *o, unsigned core)
{
    unsigned first = core;
    hv_cycles at = ORDER_NEVER;
    for (unsigned other = 0; other < o->cores; other++) {
        bool before = other != core && o->at[other] < at;
        first = before ? other : first;
        at = before ? o->at[other] : at;
    }
    return first;
}

/*
 * Whether a core may do something shared at `now`: no other can still do anything before it. What others have posted for
 * a time before is done now. False: one of them has to wake first.
 */
static inline bool order_may_go(struct order *o, unsigned core, hv_cycles now)
{
    for (;;) {
        unsigned first = order_first_other(o, core);
        if (first == core || order_before(now, core, o->at[first], first)) {
            return true;
        }
        if (!o->posted[first]) {
            return false;
        }
        o->posted[first] = false;
        o->at[first] = o->act(o->ctx, first);
    }
}

/* The core that can do something first; `cores` when there is none. */
static inline unsigned order_first(const struct order *o)
{
    return order_first_other(o, o->cores);
}

/* The earliest time at which another core may do something. */
static inline hv_cycles order_next_other(const struct order *o, unsigned core)
{
    unsigned first = order_first_other(o, core);
    return first == core ? ORDER_NEVER : o->at[first];
}

#endif
