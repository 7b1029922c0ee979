/* SPDX-License-Identifier: MIT */
/*
 * How often each number of cycles occurred, for percentiles of latencies.
 *
 * Values below 4096 have a counter each, so their percentiles are exact. Above, each power of two is cut into 64
 * equal buckets, so a percentile is at most 1/64 too high. The struct holds all its counters, about 59 KiB, so that
 * adding allocates nothing: make it part of a block on the heap, not a local variable. A zeroed struct is empty.
 */
#ifndef HV_BASE_HISTOGRAM_H
#define HV_BASE_HISTOGRAM_H

#include <stdint.h>

#include "base/types.h"

#define HISTOGRAM_EXACT_LOG2 12u
#define HISTOGRAM_STEPS_LOG2 6u /* buckets per power of two */
#define HISTOGRAM_EXACT (1u << HISTOGRAM_EXACT_LOG2)
#define HISTOGRAM_BUCKETS (HISTOGRAM_EXACT + ((64u - HISTOGRAM_EXACT_LOG2) << HISTOGRAM_STEPS_LOG2))

struct histogram {
    uint64_t count; /* of all values */
    uint64_t sum;
    hv_cycles max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(hv_cycles value)
{
    if (value < HISTOGRAM_EXACT) {
        return (unsigned)value;
    }
    unsigned log2 = 63u - (unsigned)__builtin_clzll(value);
    /* The leading one is known from log2; the six bits below it choose the bucket. */
    unsigned step = (unsigned)(value >> (log2 - HISTOGRAM_STEPS_LOG2)) & ((1u << HISTOGRAM_STEPS_LOG2) - 1u);
    return HISTOGRAM_EXACT + ((log2 - HISTOGRAM_EXACT_LOG2) << HISTOGRAM_STEPS_LOG2) + step;
}

static inline void histogram_add(struct histogram *h, hv_cycles value)
{
    h->buckets[histogram_bucket(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max) {
        h->max = value;
    }
}

/*
 * The smallest value v such that at least per_mille thousandths of all values are <= v; above 4095, the upper end of
 * v's bucket, though never more than max. 0 when the histogram is empty.
 */
hv_cycles histogram_percentile(const struct histogram *h, uint64_t per_mille);

/* Adds the values of another. */
void histogram_merge(struct histogram *h, const struct histogram *other);

void histogram_reset(struct histogram *h);

/* For stats_add_value(): ctx is the histogram. */
uint64_t histogram_stat_max(const void *ctx, uint64_t unused);

#endif
