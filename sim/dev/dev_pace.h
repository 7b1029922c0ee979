/* SPDX-License-Identifier: MIT */
/*
 * Something that moves bytes one after the other at a rate: a network link, a medium, a source of packets.
 *
 * Times are exact: the part of a cycle that a packet ends in is kept for the one that follows without a gap, so n
 * packets take n times as long as one, to the cycle.
 */
#ifndef HV_DEV_DEV_PACE_H
#define HV_DEV_DEV_PACE_H

#include "base/types.h"

struct dev_pace {
    uint64_t mbps, clock_mhz;
    hv_cycles free;    /* it is free from this cycle and part / mbps on */
    uint64_t part;
};

static inline void dev_pace_init(struct dev_pace *p, uint64_t mbps, uint64_t clock_mhz)
{
    *p = (struct dev_pace){.mbps = mbps, .clock_mhz = clock_mhz};
}

/* The first whole cycle at which it is free. */
static inline hv_cycles dev_pace_free(const struct dev_pace *p)
{
    return p->free + (p->part != 0);
}

/* Moves bytes (below 2^32) as soon as it is free, not before `now`. Returns when they have been moved. */
static inline hv_cycles dev_pace_move(struct dev_pace *p, uint64_t bytes, hv_cycles now)
{
    if (now > dev_pace_free(p)) {
        p->free = now;
        p->part = 0;
    }
    uint64_t eighths = bytes * 8 * p->clock_mhz; /* of a cycle, times mbps */
    p->part += eighths % p->mbps;
    p->free += eighths / p->mbps + p->part / p->mbps;
    p->part %= p->mbps;
    return dev_pace_free(p);
}

#endif
