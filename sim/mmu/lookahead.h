/* SPDX-License-Identifier: MIT */
/*
 * Fetching ahead what the host will miss. Purely a matter of host time: hints may be wrong or missing, and nothing
 * that is modelled changes.
 */
#ifndef HV_MMU_LOOKAHEAD_H
#define HV_MMU_LOOKAHEAD_H

#include "base/access.h"
#include "mem/cache.h"

struct mmu;

enum { LOOKAHEAD_RING = 64 };

/* What the stages of one access have found out so far; stale contents are harmless. */
struct lookahead_slot {
    const uint64_t *guest, *host; /* leaf entries, in host memory; or NULL */
    uint64_t gpa;
};

struct lookahead {
    struct lookahead_slot ring[LOOKAHEAD_RING];
    const struct cache *llc; /* the cache whose tags do not fit the host's; NULL: none */
};

/* To be called before accesses[now] of `count` executes. */
void mmu_look_ahead(struct mmu *m, const struct hv_access *accesses, size_t count, size_t now);

#endif
