/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's statistics under their dotted names.
 */
#include <stdio.h>

#include "iommu/iommu.h"

enum { PREFIX_BYTES = 32 };

static uint64_t percentile(const void *ctx, uint64_t per_mille)
{
    return histogram_percentile(ctx, per_mille);
}

static void add_cache(struct stat_registry *r, const char *name, struct iommu_cache_stats *s)
{
    char full[3][STAT_NAME_BYTES];
    snprintf(full[0], STAT_NAME_BYTES, "iommu.%s.lookups", name);
    stats_add_sum(r, full[0], "lookups", "lookups made: hits + misses", &s->hits, &s->misses);
    snprintf(full[1], STAT_NAME_BYTES, "iommu.%s", name);
    stats_add(r, full[1], iommu_cache_stat_rows, iommu_cache_stat_count, s);
    snprintf(full[1], STAT_NAME_BYTES, "iommu.%s.misses", name);
    snprintf(full[2], STAT_NAME_BYTES, "iommu.%s.miss_ratio", name);
    stats_add_ratio(r, full[2], "misses per lookup", full[1], full[0]);
}

static void add_pwc(struct stat_registry *r, struct pwc *pwc)
{
    static const char *const stages[] = {[HV_GUEST] = "first", [HV_HOST] = "second"};
    for (unsigned d = HV_GUEST; d <= HV_HOST; d++) {
        for (unsigned level = RADIX_MAX_LEVELS; level >= PWC_LOWEST_LEVEL; level--) {
            char prefix[PREFIX_BYTES];
            snprintf(prefix, sizeof(prefix), "iommu.pwc.%s.l%u", stages[d], level);
            stats_add(r, prefix, pwc_level_stat_rows, pwc_level_stat_count, &pwc->stats[d][level]);
        }
    }
}

static void add_times(struct stat_registry *r, struct iommu *u)
{
    static const struct { const char *name; uint64_t per_mille; } percentiles[] = {
        {"iommu.translation_cycles_p50", 500}, {"iommu.translation_cycles_p95", 950},
        {"iommu.translation_cycles_p99", 990},
    };
    stats_add_ratio(r, "iommu.translation_cycles_mean", "cycles per request", "iommu.translation_cycles",
                    "iommu.requests");
    for (size_t i = 0; i < HV_ARRAY_LEN(percentiles); i++) {
        stats_add_value(r, percentiles[i].name, "cycles", "so many per cent of the requests took at most this long",
                        percentile, &u->translation_cycles, percentiles[i].per_mille);
    }
    stats_add_value(r, "iommu.translation_cycles_max", "cycles", "the longest request", histogram_stat_max,
                    &u->translation_cycles, 0);
}

void iommu_register_stats(struct iommu *u, struct stat_registry *registry)
{
    stats_add(registry, "iommu", iommu_stat_rows, iommu_stat_count, &u->stats);
    add_times(registry, u);
    add_cache(registry, "context_cache", &u->caches.context.stats);
    add_cache(registry, "pasid_cache", &u->caches.pasid.stats);
    add_cache(registry, "iotlb", &u->caches.iotlb_stats);
    add_cache(registry, "interrupt_cache", &u->interrupt_cache.stats);
    add_pwc(registry, &u->caches.pwc);
    stats_add_ratio(registry, "iommu.refs_per_miss", "reads of paging entries per miss of the IOTLB",
                    "iommu.walk_refs", "iommu.iotlb.misses");
    stats_add_ratio(registry, "iommu.walk_cycles_mean", "cycles per walk", "iommu.walk_cycles", "iommu.walks");
}
