/* SPDX-License-Identifier: MIT */
/*
 * The TLB hierarchy of a core: first-level structures for data and for instructions, a second level for both.
 *
 * A level is one or more structures, each of which can hold one or more page sizes (Intel: one per size; AMD: one
 * for all). A lookup probes every structure of the level for every size it now holds; in silicon these probes are
 * parallel, so they cost the one latency of the structure that answers. A translation goes to the structure of
 * the level that holds its size, or else is splintered to the largest size that the level can hold.
 */
#ifndef HV_TLB_TLB_LEVELS_H
#define HV_TLB_TLB_LEVELS_H

#include "base/stat.h"
#include "tlb/tlb.h"

enum tlb_unit { TLB_L1D_4K, TLB_L1D_2M, TLB_L1D_1G, TLB_L1I_4K, TLB_L1I_2M, TLB_L2, TLB_L2_1G, TLB_UNITS };
enum tlb_level { TLB_LEVEL_L1D, TLB_LEVEL_L1I, TLB_LEVEL_L2, TLB_LEVELS };

extern const char *const tlb_unit_names[];  /* "l1d_4k" ... */
extern const char *const tlb_level_names[]; /* "l1d", "l1i", "l2" */

struct tlb_level_stats {
#define S STAT_MEMBER
#include "tlb/tlb_level_stats.def"
#undef S
};

extern const struct stat_row tlb_level_stat_rows[];
extern const size_t tlb_level_stat_count;

/* One (structure, size) pair to probe, in the order of probing. */
struct tlb_probe {
    uint8_t unit;
    uint8_t size;
};

enum { TLB_MAX_PROBES = 9 };

struct tlb_level_state {
    struct tlb_probe probes[TLB_MAX_PROBES];
    uint32_t probe_count;
    struct tlb_probe fill[HV_PAGE_SIZES]; /* where a page of that size goes, and as which size */
    bool holds[HV_PAGE_SIZES];            /* false: pages of that size are not cached in this level */
    struct tlb_level_stats stats;
};

struct tlb_levels {
    struct tlb_level_state level[TLB_LEVELS];
    struct tlb unit[TLB_UNITS];
    hv_cycles latency_cycles[TLB_UNITS];
};

/* The spaces of the running context in which a lookup may match. */
struct tlb_view {
    tlb_space_id space;  /* the translations tagged with the current PCID (and VPID, EP4TA) */
    tlb_space_id global; /* the global ones; 0 when CR4.PGE is clear */
};

struct tlb_hit {
    uint64_t payload;
    hv_cycles latency_cycles;
    enum hv_page_size size;
};

bool tlb_levels_init(struct tlb_levels *t, const struct tlb_params params[TLB_UNITS], struct hv_err *err);
void tlb_levels_fini(struct tlb_levels *t);
void tlb_levels_reset(struct tlb_levels *t);

/*
 * Looks `address` up in one level. A translation that is there but does not allow the access (needs) counts as a
 * miss: hardware walks again before it faults (SDM Vol. 3A "Details of TLB Use", 4.10.2.3).
 */
static inline __attribute__((always_inline)) bool tlb_levels_lookup(struct tlb_levels *t, enum tlb_level level, uint64_t address,
                                     struct tlb_view view, const struct tlb_needs *needs, struct tlb_hit *hit)
{
    struct tlb_level_state *l = &t->level[level];
    for (uint32_t i = 0; i < l->probe_count; i++) {
        struct tlb *unit = &t->unit[l->probes[i].unit];
        unsigned size = l->probes[i].size;
        if (unit->live[size] == 0) {
            continue;
        }
        const uint64_t *payload = tlb_lookup(unit, address, size, view.space);
        if (payload == NULL && unit->live_global != 0 && view.global != 0) {
            payload = tlb_lookup(unit, address, size, view.global);
        }
        if (payload != NULL && (*payload & needs->mask) == needs->want) {
            l->stats.hits++;
            *hit = (struct tlb_hit){*payload, t->latency_cycles[l->probes[i].unit], (enum hv_page_size)size};
            return true;
        }
    }
    l->stats.misses++;
    return false;
}

/* Whether a level has a translation of `address` for whatever access; no lookup that counts or touches. */
bool tlb_levels_has(const struct tlb_levels *t, enum tlb_level level, uint64_t address, struct tlb_view view);

/* Whether all that the hierarchy holds are 4K pages that are not global. */
static inline bool tlb_levels_plain(const struct tlb_levels *t)
{
    uint32_t special = 0;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        special |= t->unit[unit].special;
    }
    return special == 0;
}

/* Installs a translation of a page of `size` into a level, splintered if the level has no structure for it. */
void tlb_levels_fill(struct tlb_levels *t, enum tlb_level level, uint64_t address, struct tlb_view view,
                     enum hv_page_size size, uint64_t payload);

/* Invalidate in all structures what spaces->named says; with an address, only what covers it. */
void tlb_levels_invalidate(struct tlb_levels *t, const struct tlb_spaces *spaces, const uint64_t *address);
/* Drops what translates `address` in a view: what a fault on it removes. */
void tlb_levels_drop(struct tlb_levels *t, uint64_t address, struct tlb_view view);

void tlb_levels_flush(struct tlb_levels *t);

#endif
