/* SPDX-License-Identifier: MIT */
/*
 * What the general walker (walker.c) and its plain path (walker_plain.c) share. Private to sim/mmu.
 */
#ifndef HV_MMU_WALKER_H
#define HV_MMU_WALKER_H

#include "mmu/mmu.h"

#define LIKELY(x) __builtin_expect((x), 1)
#define UNLIKELY(x) __builtin_expect((x), 0)

/* A walk under way: the engine's state and what only its timed driver knows. */
struct timed_walk {
    struct walk *w;
    struct mmu *m;
    hv_cycles now;
    hv_cycles cycles[2];      /* by dimension */
    uint32_t refs[2];
    unsigned guest_floor;     /* guest tables at this level or above were not found by this walk's own reads */
    unsigned host_floor;      /* the same for the host walk under way */
    bool plain;               /* nothing between the walker and the data caches, and nobody watches */
    bool cacheless;           /* the second try of a walk: no page-walk cache of translations is asked */
    bool speculative;         /* a prefetch: ends where a flag would have to be set, and nobody is told */
    struct mmu_cell (*grid)[MMU_GRID]; /* where its references and cycles are counted */
};

/* Time passes in a cell: column 0 belongs to the guest dimension, the others to the host's. */
static inline void walker_charge(struct timed_walk *t, unsigned guest_step, unsigned host_level, hv_cycles cycles)
{
    t->grid[guest_step][host_level].cycles += cycles;
    t->cycles[host_level != 0 ? HV_HOST : HV_GUEST] += cycles;
    t->now += cycles;
}

/* Sets accessed and dirty flags: a locked read-modify-write of the entry just read. */
void walker_update_flags(struct timed_walk *t, hv_hpa address, unsigned guest_step, unsigned host_level);

/*
 * Goes on from `need` as far as the plain path can: until the walk is done or faults, or something is needed that is
 * rare. Only when t->plain.
 */
enum walk_need walker_plain(struct timed_walk *t, enum walk_need need);

/*
 * A walk that nobody asked for: it counts as a prefetch and not as a walk, and !reply->ok means no more than that it
 * came to nothing (reply->walk.fault is not set).
 */
void walker_speculate(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                      struct mmu_walk_reply *reply);

#endif
