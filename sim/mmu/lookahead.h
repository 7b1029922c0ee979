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
enum { LOOKAHEAD_GROUP = 16, LOOKAHEAD_SPAN = 128, LOOKAHEAD_RING = 8, LOOKAHEAD_REGIONS = 1 << 16 };

/* Where the last walk in a 2 MiB region of a dimension read its entries; as lines and frames of host memory. */
struct lookahead_hint {
    uint32_t leaf_frame; /* the table of its level-1 entries */
    uint32_t above_line; /* its level-2 entry */
    uint32_t behind_line; /* guest dimension: the host's level-1 entry for the leaf table's page */
    uint32_t unused;
};

/* What the stages of one access have found out so far; stale contents are harmless. */
struct lookahead_slot {
    const uint64_t *guest, *host; /* leaf entries, in host memory; or NULL */
    uint64_t gva, gpa;
};

/* The accesses of one group that are likely to walk. */
struct lookahead_group {
    const struct hv_access *begin; /* its first access of any kind */
    uint32_t count;
    struct lookahead_slot slot[LOOKAHEAD_GROUP];
};

struct lookahead {
    struct lookahead_hint *guest, *host; /* by region: LOOKAHEAD_REGIONS each */
    const struct cache *llc; /* the cache whose tags do not fit the host's; NULL: none */
    const struct hv_access *executed;     /* those before it, when execution last stopped */
    const struct hv_access *turn;         /* each group passes its next stage before this access executes */
    const struct hv_access *chosen, *end; /* those before `chosen` are in groups; there is nothing behind `end` */
    uint32_t first;          /* in the ring: the group that begins at `turn` */
    struct lookahead_group ring[LOOKAHEAD_RING];
};

void lookahead_init(struct lookahead *l);
void lookahead_fini(struct lookahead *l);

static inline struct lookahead_hint *lookahead_hint_of(struct lookahead_hint *hints, uint64_t address)
{
    return &hints[address >> 21 & (LOOKAHEAD_REGIONS - 1)];
}

/* A walk has read the guest entry at `entry` of the step for gva. */
static inline void lookahead_note_guest(struct lookahead *l, unsigned step, hv_gva gva, uint64_t entry)
{
    if (step == 1) {
        lookahead_hint_of(l->guest, gva.v)->leaf_frame = (uint32_t)(entry >> HV_PAGE_SHIFT);
    } else if (step == 2) {
        lookahead_hint_of(l->guest, gva.v)->above_line = (uint32_t)(entry >> CACHE_LINE_SHIFT);
    }
}

/*
 * A host walk for the guest step (0: the data page) has reached its leaf at `entry`, after the level-2 entry at
 * `above` (0 when it read none).
 */
static inline void lookahead_note_host(struct lookahead *l, unsigned step, hv_gva gva, hv_gpa gpa, uint64_t entry,
                                       uint64_t above)
{
    if (step == 0) {
        struct lookahead_hint *hint = lookahead_hint_of(l->host, gpa.v);
        hint->leaf_frame = (uint32_t)(entry >> HV_PAGE_SHIFT);
        hint->above_line = (uint32_t)(above >> CACHE_LINE_SHIFT);
    } else if (step == 1) {
        lookahead_hint_of(l->guest, gva.v)->behind_line = (uint32_t)(entry >> CACHE_LINE_SHIFT);
    }
}

/* Accesses are about to be executed from the first on. They may be the rest of those that were looked at before. */
void mmu_look_ahead_begin(struct mmu *m, const struct hv_access *accesses, size_t count);

/* Every group passes its next stage. */
void mmu_look_ahead_turn(struct mmu *m);

#endif
