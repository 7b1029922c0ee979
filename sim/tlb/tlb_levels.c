/* SPDX-License-Identifier: MIT */
#include "tlb/tlb_levels.h"

#include <stdio.h>
#include <string.h>

const char *const tlb_unit_names[] = {"l1d_4k", "l1d_2m", "l1d_1g", "l1i_4k", "l1i_2m", "l2", "l2_1g", NULL};
const char *const tlb_level_names[] = {"l1d", "l1i", "l2", NULL};

static const enum tlb_level level_of_unit[TLB_UNITS] = {
    TLB_LEVEL_L1D, TLB_LEVEL_L1D, TLB_LEVEL_L1D, TLB_LEVEL_L1I, TLB_LEVEL_L1I, TLB_LEVEL_L2, TLB_LEVEL_L2,
};

const struct stat_row tlb_level_stat_rows[] = {
#define S(...) STAT_ROW(struct tlb_level_stats, __VA_ARGS__)
#include "tlb/tlb_level_stats.def"
#undef S
};
const size_t tlb_level_stat_count = HV_ARRAY_LEN(tlb_level_stat_rows);

/* Adds the structure's (unit, size) pairs to its level and says where pages of each size go. */
static void plan_unit(struct tlb_levels *t, enum tlb_unit unit, uint32_t sizes)
{
    struct tlb_level_state *l = &t->level[level_of_unit[unit]];
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        if ((sizes >> size & 1) != 0) {
            l->probes[l->probe_count++] = (struct tlb_probe){(uint8_t)unit, (uint8_t)size};
            if (!l->holds[size]) {
                l->holds[size] = true;
                l->fill[size] = (struct tlb_probe){(uint8_t)unit, (uint8_t)size};
            }
        }
    }
}

/* A size that no first-level structure holds goes where the next smaller size goes. */
static void plan_splintering(struct tlb_level_state *l)
{
    for (unsigned size = 1; size < HV_PAGE_SIZES; size++) {
        if (!l->holds[size] && l->holds[size - 1]) {
            l->holds[size] = true;
            l->fill[size] = l->fill[size - 1];
        }
    }
}

bool tlb_levels_init(struct tlb_levels *t, const struct tlb_params params[TLB_UNITS], struct hv_err *err)
{
    memset(t, 0, sizeof(*t));
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        struct tlb_geometry geometry = {
            params[unit].entries, params[unit].ways, (enum assoc_policy)params[unit].replacement,
            {HV_PAGE_SHIFT, HV_PAGE_SHIFT + 9, HV_PAGE_SHIFT + 18},
        };
        char name[32];
        snprintf(name, sizeof(name), "tlb.%s", tlb_unit_names[unit]);
        if (!tlb_init(&t->unit[unit], name, &geometry, err)) {
            tlb_levels_fini(t);
            return false;
        }
        t->latency_cycles[unit] = params[unit].latency_cycles;
        if (tlb_present(&t->unit[unit])) {
            plan_unit(t, (enum tlb_unit)unit, params[unit].sizes);
        }
    }
    /* A second level that cannot hold 1G pages does not cache them at all; a first level splinters them. */
    plan_splintering(&t->level[TLB_LEVEL_L1D]);
    plan_splintering(&t->level[TLB_LEVEL_L1I]);
    return true;
}

void tlb_levels_fini(struct tlb_levels *t)
{
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        tlb_fini(&t->unit[unit]);
    }
}

void tlb_levels_reset(struct tlb_levels *t)
{
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        tlb_reset(&t->unit[unit]);
    }
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        memset(&t->level[level].stats, 0, sizeof(t->level[level].stats));
    }
}

static bool has(const struct tlb *unit, uint64_t address, unsigned size, tlb_space_id space)
{
    uint64_t page = tlb_page_number(address, unit->shifts[size]);
    return space != 0 && assoc_find(&unit->entries, page, tlb_key(page, size, space), 0) != ASSOC_NONE;
}

bool tlb_levels_has(const struct tlb_levels *t, enum tlb_level level, uint64_t address, struct tlb_view view)
{
    const struct tlb_level_state *l = &t->level[level];
    for (uint32_t i = 0; i < l->probe_count; i++) {
        const struct tlb *unit = &t->unit[l->probes[i].unit];
        unsigned size = l->probes[i].size;
        if (has(unit, address, size, view.space) || has(unit, address, size, view.global)) {
            return true;
        }
    }
    return false;
}

void tlb_levels_fill(struct tlb_levels *t, enum tlb_level level, uint64_t address, struct tlb_view view,
                     enum hv_page_size size, uint64_t payload)
{
    struct tlb_level_state *l = &t->level[level];
    if (!l->holds[size]) {
        return;
    }
    struct tlb_probe to = l->fill[size];
    if (to.size != size) {
        payload = tlb_entry_splinter(payload, address, hv_page_shift(size),
                                     hv_page_shift((enum hv_page_size)to.size));
    }
    bool global = (payload & TLB_GLOBAL) != 0 && view.global != 0;
    enum tlb_insertion done =
        tlb_insert(&t->unit[to.unit], address, to.size, global ? view.global : view.space, payload);
    l->stats.fills += done != TLB_REPLACED;
    l->stats.evictions += done == TLB_FILLED_EVICTING;
}

void tlb_levels_invalidate(struct tlb_levels *t, const struct tlb_spaces *spaces, const uint64_t *address)
{
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        t->level[level_of_unit[unit]].stats.invalidations +=
            address != NULL ? tlb_invalidate_address(&t->unit[unit], spaces, *address)
                            : tlb_invalidate(&t->unit[unit], spaces);
    }
}

void tlb_levels_drop(struct tlb_levels *t, uint64_t address, struct tlb_view view)
{
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
            uint64_t dropped = tlb_drop(&t->unit[unit], address, size, view.space);
            if (view.global != 0) {
                dropped += tlb_drop(&t->unit[unit], address, size, view.global);
            }
            t->level[level_of_unit[unit]].stats.invalidations += dropped;
        }
    }
}

void tlb_levels_flush(struct tlb_levels *t)
{
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        t->level[level_of_unit[unit]].stats.invalidations += tlb_flush(&t->unit[unit]);
    }
}
