/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_parts.h"

#include <string.h>

const char *const iommu_walk_entry_names[] = {"llc", "dram", NULL};
const char *const iommu_level_names[] = {"3", "4", "5", NULL};
const char *const iommu_large_page_names[] = {"2m", "1g", NULL};

const struct param_row iommu_param_rows[] = {
#define P(...) PARAM_ROW(struct iommu_params, __VA_ARGS__)
#include "iommu/iommu_params.def"
#undef P
};
const size_t iommu_param_count = HV_ARRAY_LEN(iommu_param_rows);

const struct param_row iommu_cache_param_rows[] = {
#define P(...) PARAM_ROW(struct iommu_cache_params, __VA_ARGS__)
#include "iommu/iommu_cache_params.def"
#undef P
};
const size_t iommu_cache_param_count = HV_ARRAY_LEN(iommu_cache_param_rows);

static const struct param_mount mounts[] = {IOMMU_MOUNTS(0)};

const struct param_schema iommu_schema = {mounts, HV_ARRAY_LEN(mounts)};

const struct stat_row iommu_stat_rows[] = {
#define S(...) STAT_ROW(struct iommu_stats, __VA_ARGS__)
#include "iommu/iommu_stats.def"
#undef S
};
const size_t iommu_stat_count = HV_ARRAY_LEN(iommu_stat_rows);

const struct stat_row iommu_cache_stat_rows[] = {
#define S(...) STAT_ROW(struct iommu_cache_stats, __VA_ARGS__)
#include "iommu/iommu_cache_stats.def"
#undef S
};
const size_t iommu_cache_stat_count = HV_ARRAY_LEN(iommu_cache_stat_rows);

bool iommu_init(struct iommu *u, const struct iommu_params *params, struct physmem *memory,
                const struct iommu_wires *wires, struct hv_err *err)
{
    u->params = *params;
    u->memory = memory;
    u->wires = *wires;
    walkers_init(&u->walkers, (uint32_t)params->walkers);
    if (!iommu_caches_init(u, err) || !iommu_regs_init(u, err)) {
        iommu_fini(u);
        return false;
    }
    iommu_reset(u);
    return true;
}

void iommu_fini(struct iommu *u)
{
    iommu_check_stale(u, false);
    iommu_regs_fini(u);
    iommu_caches_fini(u);
}

void iommu_reset(struct iommu *u)
{
    walkers_reset(&u->walkers);
    iommu_caches_reset(u);
    iommu_regs_reset(u);
    iommu_reset_stats(u);
}

void iommu_reset_stats(struct iommu *u)
{
    memset(&u->stats, 0, sizeof(u->stats));
    memset(&u->interrupt_cache.stats, 0, sizeof(u->interrupt_cache.stats));
    iommu_caches_reset_stats(u);
    histogram_reset(&u->translation_cycles);
}

void iommu_check(const struct iommu *u)
{
    const struct iommu_stats *s = &u->stats;
    HV_ASSERT(u->translation_cycles.sum == s->translation_cycles,
              "the histogram has %llu cycles of translations, the counter %llu",
              (unsigned long long)u->translation_cycles.sum, (unsigned long long)s->translation_cycles);
    HV_ASSERT(s->walkers_busy_cycles == s->walk_cycles + s->structure_cycles,
              "walkers were taken for %llu cycles, walks took %llu and reads of tables %llu",
              (unsigned long long)s->walkers_busy_cycles, (unsigned long long)s->walk_cycles,
              (unsigned long long)s->structure_cycles);
    HV_ASSERT(s->walk_refs == s->walk_refs_first + s->walk_refs_second, "%llu references, %llu and %llu of the stages",
              (unsigned long long)s->walk_refs, (unsigned long long)s->walk_refs_first,
              (unsigned long long)s->walk_refs_second);
}
