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

/*
 * Accesses are looked at in groups: the host's own TLB misses, which hold up even a prefetch, then overlap. A group
 * ends with so many accesses that are likely to walk, or with so many of any kind. It is in the ring from its first
 * stage to its last.
 */
enum {
    LOOKAHEAD_GROUP = 16, LOOKAHEAD_SPAN = 128, LOOKAHEAD_RING = 8, LOOKAHEAD_REGIONS = 1024, LOOKAHEAD_SEEN = 512,
};

/* How far the stages of one access have come; stale contents are harmless. */
struct lookahead_slot {
    const uint64_t *entry; /* that the next stage reads, in host memory; or NULL */
    uint64_t gva, gpa;
};

/* The accesses of one group that are likely to walk. */
struct lookahead_group {
    const struct hv_access *begin; /* its first access of any kind */
    uint32_t count;
    struct lookahead_slot slot[LOOKAHEAD_GROUP];
};

struct lookahead {
    uint32_t table2_frame[LOOKAHEAD_REGIONS]; /* by 1 GiB: where a walk found the guest's table of level-2 entries */
    uint32_t seen[LOOKAHEAD_SEEN]; /* pages that accesses were to lately, by the low bits of their numbers */
    const struct cache *llc; /* the cache whose tags do not fit the host's; NULL: none */
    const struct hv_access *executed;     /* those before it, when execution last stopped */
    const struct hv_access *turn;         /* each group passes its next stage before this access executes */
    const struct hv_access *chosen, *end; /* those before `chosen` are in groups; there is nothing behind `end` */
    uint32_t first;          /* in the ring: the group that begins at `turn` */
    struct lookahead_group ring[LOOKAHEAD_RING];
};

static inline uint32_t *lookahead_frame_of(struct lookahead *l, hv_gva gva)
{
    return &l->table2_frame[gva.v >> 30 & (LOOKAHEAD_REGIONS - 1)];
}

/* A walk has read the guest's level-2 entry at `entry` for gva. */
static inline void lookahead_note(struct lookahead *l, hv_gva gva, uint64_t entry)
{
    *lookahead_frame_of(l, gva) = (uint32_t)(entry >> HV_PAGE_SHIFT);
}

/* Accesses are about to be executed from the first on. They may be the rest of those that were looked at before. */
void mmu_look_ahead_begin(struct mmu *m, const struct hv_access *accesses, size_t count);

/* Every group passes its next stage. */
void mmu_look_ahead_turn(struct mmu *m);

#endif
