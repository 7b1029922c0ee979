/* SPDX-License-Identifier: MIT */
/* Percentiles against a sorted array. */
#include "gtest.h"

#include <stdlib.h>

#include "base/histogram.h"
#include "base/rng.h"

#define SAMPLES 5000

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The definition: the smallest value such that at least per_mille thousandths of all are <= it. */
static uint64_t percentile_by_sorting(const uint64_t *sorted, size_t count, uint64_t per_mille)
{
    for (size_t i = 0; i < count; i++) {
        if ((i + 1) * 1000 >= count * per_mille) {
            return sorted[i];
        }
    }
    return sorted[count - 1];
}

/* Fills a histogram and a sorted array with `count` values of up to `bits` bits, small ones as likely as large. */
static struct histogram *fill(uint64_t *values, size_t count, unsigned bits, uint64_t seed)
{
    struct histogram *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    struct hv_rng rng;
    rng_init(&rng, seed);
    for (size_t i = 0; i < count; i++) {
        values[i] = rng_next(&rng) >> (64 - bits) >> rng_below(&rng, bits);
        histogram_add(h, values[i]);
    }
    qsort(values, count, sizeof(values[0]), compare);
    return h;
}

static void below_4096_percentiles_are_exact(void **state)
{
    (void)state;
    static uint64_t values[SAMPLES];
    static const size_t counts[] = { 1, 2, 3, 10, 999, 1000, 1001, SAMPLES };
    for (size_t c = 0; c < HV_ARRAY_LEN(counts); c++) {
        struct histogram *h = fill(values, counts[c], 12, c);
        for (uint64_t per_mille = 1; per_mille <= 1000; per_mille++) {
            assert_int_equal(histogram_percentile(h, per_mille), percentile_by_sorting(values, counts[c], per_mille));
        }
        assert_int_equal(histogram_percentile(h, 0), values[0]);
        assert_int_equal(h->max, values[counts[c] - 1]);
        assert_int_equal(h->count, counts[c]);
        uint64_t sum = 0;
        for (size_t i = 0; i < counts[c]; i++) {
            sum += values[i];
        }
        assert_int_equal(h->sum, sum);
        free(h);
    }
}

static void above_they_are_at_most_a_64th_too_high(void **state)
{
    (void)state;
    static uint64_t values[SAMPLES];
    for (unsigned bits = 13; bits <= 64; bits++) {
        struct histogram *h = fill(values, SAMPLES, bits, bits);
        for (uint64_t per_mille = 1; per_mille <= 1000; per_mille++) {
            uint64_t exact = percentile_by_sorting(values, SAMPLES, per_mille);
            uint64_t got = histogram_percentile(h, per_mille);
            assert_true(got >= exact);
            assert_true(got - exact <= exact / 64);
        }
        assert_int_equal(histogram_percentile(h, 1000), values[SAMPLES - 1]);
        free(h);
    }
}

/* Two values that share a bucket or do not, around the end of the exact part and of the first log buckets. */
static void buckets_meet_without_gap(void **state)
{
    (void)state;
    static const struct {
        uint64_t value, end; /* the largest value of its bucket */
    } rows[] = {
        { 0, 0 },           { 4095, 4095 },  { 4096, 4159 },  { 4159, 4159 },
        { 4160, 4223 },     { 8191, 8191 },  { 8192, 8319 },  { 16383, 16383 },
        { UINT64_C(1) << 63, (UINT64_C(1) << 63) + (UINT64_C(1) << 57) - 1 }, { UINT64_MAX, UINT64_MAX },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct histogram *h = calloc(1, sizeof(*h));
        assert_non_null(h);
        histogram_add(h, rows[i].value);
        histogram_add(h, UINT64_MAX);
        assert_int_equal(histogram_percentile(h, 500), rows[i].end);
        free(h);
    }
}

static void max_bounds_every_percentile(void **state)
{
    (void)state;
    struct histogram *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    histogram_add(h, 4096);
    assert_int_equal(histogram_percentile(h, 500), 4096);
    assert_int_equal(histogram_percentile(h, 1000), 4096);
    free(h);
}

static void empty_and_reset(void **state)
{
    (void)state;
    struct histogram *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    assert_int_equal(histogram_percentile(h, 500), 0);
    histogram_add(h, 100);
    histogram_add(h, 100000);
    assert_int_equal(histogram_percentile(h, 500), 100);
    assert_int_equal(histogram_stat_max(h, 0), 100000);
    histogram_reset(h);
    assert_int_equal(h->count, 0);
    assert_int_equal(h->max, 0);
    assert_int_equal(histogram_percentile(h, 990), 0);
    free(h);
}

static void merged_histograms_are_one_of_all_values(void **state)
{
    (void)state;
    struct histogram *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b)), *all = calloc(1, sizeof(*all));
    assert_true(a != NULL && b != NULL && all != NULL);
    for (hv_cycles value = 1; value <= 6000; value += 7) {
        histogram_add(value % 2 == 0 ? a : b, value);
        histogram_add(all, value);
    }
    histogram_merge(a, b);
    assert_memory_equal(a, all, sizeof(*a));
    free(a);
    free(b);
    free(all);
}

GTEST_MAIN("Histogram", cmocka_unit_test(below_4096_percentiles_are_exact),
           cmocka_unit_test(above_they_are_at_most_a_64th_too_high), cmocka_unit_test(buckets_meet_without_gap),
           cmocka_unit_test(max_bounds_every_percentile), cmocka_unit_test(empty_and_reset),
           cmocka_unit_test(merged_histograms_are_one_of_all_values))
