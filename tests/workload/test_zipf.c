/* SPDX-License-Identifier: MIT */
/* The zipf sampler against the distribution computed with the C library, and the arithmetic under it. */
#include <math.h>
#include <stdlib.h>

#include "support.h"
#include "workload/detmath.h"
#include "workload/workload.h"
#include "workload/zipf.h"

#define DRAWS 4000000u
#define SINGLE_RANKS 100u /* ranks that are tested one by one; above, by powers of two */
#define BINS (SINGLE_RANKS + 40)

struct zipf_case {
    const char *name;
    uint64_t ranks;
    double theta;
};

static const struct zipf_case cases[] = {
    { "theta_0", 1000000, 0 },        { "theta_half", 1u << 20, 0.5 }, { "theta_099", 1u << 20, 0.99 },
    { "theta_1", 3000000, 1 },        { "theta_101", 12345, 1.01 },    { "theta_1_5", 1u << 24, 1.5 },
    { "theta_8", 1u << 20, 8 },       { "one_rank", 1, 0.99 },         { "two_ranks", 2, 1 },
    { "last_single_rank", 127, 0.7 }, { "first_pair", 129, 0.7 },      { "just_above_a_block", 8193, 0.3 },
};

static size_t bin_of(uint64_t rank)
{
    return rank <= SINGLE_RANKS ? rank - 1 : SINGLE_RANKS + (size_t)(63 - __builtin_clzll(rank));
}

/* Adds up neighbouring bins, in place, until each expects at least 20 draws; returns how many there are. */
static size_t merge_bins(double *expected, double *seen)
{
    size_t bins = 0;
    double expects = 0, saw = 0;
    for (size_t i = 0; i < BINS; i++) {
        expects += expected[i];
        saw += seen[i];
        if (expects >= 20) {
            expected[bins] = expects;
            seen[bins++] = saw;
            expects = saw = 0;
        }
    }
    /* What is left over is too little for a bin of its own. */
    expected[bins - 1] += expects;
    seen[bins - 1] += saw;
    return bins;
}

/* Chi-square within 5 standard deviations of its mean: (bins - 1) + 5 sqrt(2 (bins - 1)). */
static void frequencies_follow_the_power_law(void **state)
{
    const struct zipf_case *c = *state;
    double expected[BINS] = { 0 }, seen[BINS] = { 0 }, sum = 0;
    for (uint64_t rank = c->ranks; rank >= 1; rank--) {
        double p = pow((double)rank, -c->theta);
        expected[bin_of(rank)] += p;
        sum += p;
    }
    for (size_t i = 0; i < BINS; i++) {
        expected[i] *= DRAWS / sum;
    }
    struct zipf *z = malloc(sizeof(*z));
    zipf_init(z, c->ranks, c->theta);
    struct hv_rng rng;
    rng_init(&rng, 7);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_draw(z, &rng).rank;
        assert_true(rank >= 1 && rank <= c->ranks);
        seen[bin_of(rank)]++;
    }
    free(z);
    double chi_square = 0;
    size_t bins = merge_bins(expected, seen);
    for (size_t i = 0; i < bins; i++) {
        chi_square += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
    }
    double freedom = (double)bins - 1;
    print_message("chi-square %.1f with %.0f degrees of freedom\n", chi_square, freedom);
    assert_true(chi_square <= freedom + 5 * sqrt(2 * freedom));
}

/* A block is entered as if it were flat; the rejection must give its ranks the slope of the power law back. */
static void ranks_within_a_block_are_not_flat(void **state)
{
    (void)state;
    enum { FIRST = 1024, WIDTH = 16, TRIES = 400000 };
    struct zipf *z = malloc(sizeof(*z));
    zipf_init(z, FIRST + WIDTH - 1, 8);
    struct hv_rng rng;
    rng_init(&rng, 3);
    double kept[2] = { 0 }, expected[2] = { 0 }; /* of the lower and of the upper half of the block */
    for (unsigned i = 0; i < WIDTH; i++) {
        expected[i >= WIDTH / 2] += pow(FIRST + i, -8);
    }
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t offset = rng_below(&rng, WIDTH);
        if (zipf_keeps(z, FIRST, FIRST + offset, (uint32_t)rng_next(&rng))) {
            kept[offset >= WIDTH / 2]++;
        }
    }
    free(z);
    double share = kept[0] / (kept[0] + kept[1]), law = expected[0] / (expected[0] + expected[1]);
    /* The standard deviation is 0.0008. A flat block would have 0.5, this one has 0.5155. */
    assert_true(law > 0.51);
    assert_true(fabs(share - law) < 0.004);
}

static void the_largest_footprint_fits_the_table(void **state)
{
    (void)state;
    struct zipf *z = malloc(sizeof(*z));
    struct hv_rng rng;
    rng_init(&rng, 1);
    zipf_init(z, UINT64_C(1) << ZIPF_RANK_BITS_MAX, 0);
    uint64_t upper_half = 0;
    for (unsigned i = 0; i < 100000; i++) {
        upper_half += zipf_draw(z, &rng).rank > UINT64_C(1) << (ZIPF_RANK_BITS_MAX - 1);
    }
    assert_in_range(upper_half, 50000 - 800, 50000 + 800);
    assert_true(sizeof(*z) < 64 * 1024);
    free(z);
}

/* Page popularity must not depend on the page's number: the hottest pages lie anywhere in the footprint. */
static void hot_pages_are_scattered(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_ZIPF, .footprint = HV_GIB(1), .accesses = 1000000, .seed = 5,
                                 .instructions_per_access = 1, .theta = 0.99 };
    struct workload *w = workload_open(&p, &err);
    assert_non_null(w);
    uint64_t quarters[4] = { 0 };
    struct hv_access batch[1000];
    for (size_t got; (got = workload_next(w, batch, 1000, &err)) > 0;) {
        for (size_t i = 0; i < got; i++) {
            quarters[(batch[i].gva.v >> 28) & 3]++;
        }
    }
    workload_close(w);
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(quarters[i], 150000, 450000);
    }
}

static void assert_near(double actual, double expected, double relative)
{
    assert_true(fabs(actual - expected) <= relative * fabs(expected));
}

static void arithmetic_is_as_accurate_as_stated(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 11);
    for (int i = 0; i < 200000; i++) {
        double x = (1 + rng_unit(&rng)) * ldexp(1, (int)rng_below(&rng, 80) - 40);
        assert_true(fabs(detmath_log2(x) - log2(x)) <= 2e-16 + 3e-16 * fabs(log2(x)));
        double y = rng_unit(&rng) * 800 - 400;
        assert_near(detmath_exp2(y), exp2(y), 1e-15);
        double base = 1 + rng_unit(&rng) * 1e6, exponent = rng_unit(&rng) * -8, exact = pow(base, exponent);
        assert_near(detmath_pow(base, exponent), exact, 1e-15 * (1 + fabs(log2(exact))));
    }
    assert_true(detmath_log2(1) == 0 && detmath_log2(1024) == 10 && detmath_exp2(0) == 1 && detmath_exp2(-1) == 0.5);
    assert_true(detmath_pow(17, 0) == 1);
    assert_true(detmath_exp2(-2000) == 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(ranks_within_a_block_are_not_flat),
        cmocka_unit_test(the_largest_footprint_fits_the_table),
        cmocka_unit_test(hot_pages_are_scattered),
        cmocka_unit_test(arithmetic_is_as_accurate_as_stated),
    };
    struct CMUnitTest rows[HV_ARRAY_LEN(cases)];
    gtest_rows(rows, frequencies_follow_the_power_law, cases, sizeof(cases[0]), HV_ARRAY_LEN(cases));
    const struct gtest_suite suites[] = { GTEST_SUITE("ZipfFrequencies", rows), GTEST_SUITE("Zipf", others) };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
