/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include <string.h>

/* The largest value that falls into a bucket. */
static hv_cycles bucket_end(unsigned bucket)
{
    if (bucket < HISTOGRAM_EXACT) {
        return bucket;
    }
    unsigned shift = ((bucket - HISTOGRAM_EXACT) >> HISTOGRAM_STEPS_LOG2) + HISTOGRAM_EXACT_LOG2 - HISTOGRAM_STEPS_LOG2;
    uint64_t step = bucket & ((1u << HISTOGRAM_STEPS_LOG2) - 1u);
    uint64_t start = ((UINT64_C(1) << HISTOGRAM_STEPS_LOG2) + step) << shift;
    return start + ((UINT64_C(1) << shift) - 1);
}

hv_cycles histogram_percentile(const struct histogram *h, uint64_t per_mille)
{
    /* Round up: of 3 values, "at least half" is 2. */
    uint64_t wanted = (uint64_t)(((unsigned __int128)h->count * per_mille + 999) / 1000);
    wanted = wanted == 0 ? 1 : wanted;
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += h->buckets[bucket];
        if (seen >= wanted) {
            hv_cycles end = bucket_end(bucket);
            return end < h->max ? end : h->max;
        }
    }
    return h->max;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        h->buckets[bucket] += other->buckets[bucket];
    }
    h->count += other->count;
    h->sum += other->sum;
    h->max = other->max > h->max ? other->max : h->max;
}

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

uint64_t histogram_stat_max(const void *ctx, uint64_t unused)
{
    (void)unused;
    const struct histogram *h = ctx;
    return h->max;
}
