/* SPDX-License-Identifier: MIT */
/*
 * Pages whose walks are under way.
 *
 * The model fills the TLBs as soon as a walk has been simulated, so an access that lies before the end of the walk
 * finds a translation that is not there yet. This table says until when: the access waits for the walk under way
 * instead of making its own (mmu.merge_walks), as hardware does that compares new misses with the walks in its walkers
 * and queue.
 *
 * Three cases, by the time `now` of the access: the walk has ended, and nothing pends; it had been asked for by then,
 * and the access waits; or it is asked for later, by an access that was simulated earlier. In the last case the access
 * at hand would have made the walk and the other one would have profited: it waits as if it had.
 *
 * MODEL: the TLBs count these accesses as hits. MODEL: of two walks for the same place of this table the earlier one
 * is forgotten, and accesses to its page do not wait. MODEL: a walk for a page of which an older translation is left
 * (without the right to store, or in the other first-level TLB) makes those wait as well whom that would serve. MODEL:
 * an invalidation forgets all walks under way, not only those of what it removes.
 */
#ifndef HV_MMU_PENDING_H
#define HV_MMU_PENDING_H

#include "tlb/tlb.h"

enum { PENDING_WALKS = 64, PENDING_PAGES = 256 };

struct pending_walk {
    uint64_t key;     /* tlb_key() of the page, its size and its space; 0: none */
    uint64_t payload; /* what the walk will give */
    hv_cycles asked, begin, done; /* when it was asked for, got a walker, ends */
    uint32_t access;  /* enum hv_access_kind that it is made for */
};

struct pending {
    hv_cycles last_done; /* nothing pends from here on */
    uint32_t sizes;      /* bit n: a page of size n may be in the table */
    struct pending_walk walk[PENDING_WALKS];
    hv_cycles until[PENDING_PAGES]; /* by 4K page, some of which share a place: none in the table ends later */
};

static inline hv_cycles *pending_page_until(struct pending *p, hv_gva gva)
{
    uint64_t page = tlb_page_number(gva.v, HV_PAGE_SHIFT);
    return &p->until[(page ^ page >> 8) % PENDING_PAGES];
}

/* Whether a walk for the page of an address may be under way at `now`; most often this is known at once. */
static inline bool pending_possible(struct pending *p, hv_gva gva, hv_cycles now)
{
    return now < p->last_done && (now < *pending_page_until(p, gva) || p->sizes != 1u << HV_PAGE_4K);
}

#endif
