/* SPDX-License-Identifier: MIT */
/*
 * The order of what cores do to each other: by time, and at the same time by core number.
 *
 * A core runs ahead on what is its own and stops before it touches what is shared. Where it stops it says so here.
 * The core that is first may go on, and keeps going as long as it stays before all the others, which sleep meanwhile
 * and so cannot do anything earlier. The SystemC shell turns this into wait(); a test may do it in a loop.
 */
#ifndef HV_MACHINE_ORDER_H
#define HV_MACHINE_ORDER_H

#include "base/types.h"

enum { ORDER_MAX_CORES = 64 };

#define ORDER_NEVER UINT64_MAX /* a core that will not touch anything: it is done, or waits for all the others */

struct order {
    unsigned cores;
    hv_cycles at[ORDER_MAX_CORES]; /* when each, if it sleeps, will do its next shared thing */
};

void order_init(struct order *o, unsigned cores);

/* Whether a core may do something shared at `now`: no other can still do anything before it. */
static inline bool order_may_go(const struct order *o, unsigned core, hv_cycles now)
{
    for (unsigned other = 0; other < o->cores; other++) {
        if (other != core && (o->at[other] < now || (o->at[other] == now && other < core))) {
            return false;
        }
    }
    return true;
}

/* The earliest time at which another core may do something. */
static inline hv_cycles order_next_other(const struct order *o, unsigned core)
{
    hv_cycles next = ORDER_NEVER;
    for (unsigned other = 0; other < o->cores; other++) {
        next = other != core && o->at[other] < next ? o->at[other] : next;
    }
    return next;
}

#endif
