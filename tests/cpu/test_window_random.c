/* SPDX-License-Identifier: MIT */
/*
 * Random streams: the window's arithmetic on lags against one instruction after the other (oracle.h), and the models
 * against each other.
 */
#include "gtest.h"

#include <stdio.h>

#include "base/rng.h"
#include "oracle.h"

/* What a stream is made of: shares in 256ths. */
static const struct mix {
    const char *name;
    unsigned store, fetch, event, dependent, warm, same_instruction;
    unsigned gap; /* at most */
    unsigned lines; /* how many different ones */
} mixes[] = {
    {"loads", 0, 0, 0, 0, 128, 0, 8, 256},
    {"dense_misses", 0, 0, 0, 0, 0, 0, 0, 256},
    {"sparse", 0, 0, 0, 32, 64, 0, 60, 200},
    {"chases", 0, 0, 0, 160, 64, 0, 6, 256},
    {"same_lines", 30, 0, 0, 30, 0, 0, 10, 12},
    {"stores", 200, 0, 0, 20, 100, 0, 4, 256},
    {"code", 40, 100, 0, 30, 100, 0, 5, 256},
    {"long_instructions", 0, 0, 0, 200, 20, 220, 0, 256},
    {"everything", 60, 60, 4, 60, 90, 40, 12, 160},
};

static unsigned below(struct hv_rng *rng, unsigned limit)
{
    return (unsigned)rng_below(rng, limit);
}

static bool chance(struct hv_rng *rng, unsigned in_256)
{
    return below(rng, 256) < in_256;
}

static void add_random(struct lab *l, const struct mix *mix, unsigned count, struct hv_rng *rng)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned gap = below(rng, mix->gap + 1);
        if (chance(rng, mix->event)) {
            lab_event(l, gap);
            continue;
        }
        enum hv_access_kind kind = chance(rng, mix->store) ? HV_STORE : chance(rng, mix->fetch) ? HV_FETCH : HV_LOAD;
        bool warm = kind != HV_FETCH && chance(rng, mix->warm);
        struct hv_access *a = lab_add(l, kind, warm ? LAB_WARM_LINE : below(rng, mix->lines), gap);
        a->flags |= kind != HV_FETCH && chance(rng, mix->dependent) ? HV_ACCESS_DEPENDENT : 0;
        a->flags |= i > 0 && kind != HV_FETCH && chance(rng, mix->same_instruction) ? HV_ACCESS_SAME_INSTRUCTION : 0;
    }
}

static struct lab *bench(const struct oracle_limits *limits)
{
    char settings[256];
    snprintf(settings, sizeof(settings), "core.width=%u core.rob=%u core.mshrs=%u core.store_buffer=%u",
             (unsigned)limits->width, (unsigned)limits->rob, (unsigned)limits->mshrs, (unsigned)limits->store_buffer);
    return lab_bench(settings);
}

/* Small limits more often than large ones. */
static struct oracle_limits random_limits(struct hv_rng *rng)
{
    return (struct oracle_limits){
        .width = 1 + below(rng, 16),
        .rob = 1 + below(rng, 1u << below(rng, 10)),
        .mshrs = 1 + below(rng, 1u << below(rng, 6)),
        .store_buffer = 1 + below(rng, 1u << below(rng, 7)),
    };
}

enum { ROUNDS = 60 };

static void each_instruction_by_itself_says_the_same(void **state)
{
    const struct mix *mix = *state;
    struct hv_rng rng;
    rng_init(&rng, 7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct oracle_limits limits = random_limits(&rng);
        struct lab *l = bench(&limits);
        l->event_cycles = below(&rng, 50);
        add_random(l, mix, 20 + below(&rng, 600), &rng);
        struct oracle_result expected = oracle_run(l, &limits);
        hv_cycles cycles = lab_run(l);
        if (cycles != expected.cycles) {
            fail_msg("round %u, width %u, rob %u, mshrs %u, store buffer %u: %llu cycles, the oracle says %llu", round,
                     (unsigned)limits.width, (unsigned)limits.rob, (unsigned)limits.mshrs,
                     (unsigned)limits.store_buffer, (unsigned long long)cycles, (unsigned long long)expected.cycles);
        }
        assert_int_equal(l->core->stats.mshr_merges, expected.merges);
        assert_int_equal(l->core->stats.mshr_cycles, expected.misses * LAB_MISS);
        assert_int_equal(l->core->stats.cycles, cycles);
        lab_free(l);
    }
}

static unsigned dependent_accesses(const struct lab *l)
{
    unsigned count = 0;
    for (size_t i = 0; i < l->count; i++) {
        count += (l->stream[i].flags & HV_ACCESS_DEPENDENT) != 0;
    }
    return count;
}

/* The same stream on a fresh bench machine in another model. */
static hv_cycles cycles_in_order(const struct lab *stream, const struct oracle_limits *limits)
{
    struct lab *l = bench(limits);
    lab_warm(l, CORE_INORDER);
    l->event_cycles = stream->event_cycles;
    l->count = stream->count;
    for (size_t i = 0; i < stream->count; i++) {
        l->stream[i] = stream->stream[i];
    }
    hv_cycles cycles = lab_run(l);
    lab_free(l);
    return cycles;
}

/*
 * In order, an access begins when everything before it is over; in the window it begins no later, with one exception:
 * the model in order charges the load-to-use time to a dependent access that hits, the window to any dependent access
 * whose predecessor hit.
 */
static void window_is_never_slower(void **state)
{
    const struct mix *mix = *state;
    struct hv_rng rng;
    rng_init(&rng, 8);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct oracle_limits limits = random_limits(&rng);
        struct lab *l = bench(&limits);
        l->event_cycles = below(&rng, 50);
        add_random(l, mix, 20 + below(&rng, 600), &rng);
        hv_cycles bound = cycles_in_order(l, &limits) + LAB_HIT * dependent_accesses(l);
        assert_true(lab_run(l) <= bound);
        lab_free(l);
    }
}

/* A window of one instruction is no window: without stores and chases it takes what the in-order model takes. */
static void window_of_one_is_in_order(void **state)
{
    (void)state;
    static const struct mix mix = {"", 0, 60, 10, 0, 60, 0, 7, 200};
    struct hv_rng rng;
    rng_init(&rng, 9);
    for (unsigned width = 1; width <= 16; width++) {
        struct oracle_limits limits = {width, 1, 1, 1};
        struct lab *l = bench(&limits);
        l->event_cycles = below(&rng, 50);
        add_random(l, &mix, 500, &rng);
        hv_cycles in_order = cycles_in_order(l, &limits);
        assert_int_equal(lab_run(l), in_order);
        lab_free(l);
    }
}

/* A chain of misses takes the same in both models, but for the issue of what stands between them, which is hidden. */
static void a_chain_of_misses_is_in_order(void **state)
{
    (void)state;
    enum { MISSES = 200 };
    static const struct { unsigned width, apart; } rows[] = {{1, 1}, {1, 3}, {4, 1}, {4, 3}, {4, 50}, {6, 7}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct oracle_limits limits = {rows[i].width, 224, 10, 56};
        struct lab *l = bench(&limits);
        for (unsigned n = 0; n < MISSES; n++) {
            lab_chase(l, n, rows[i].apart - 1);
        }
        assert_int_equal(cycles_in_order(l, &limits), MISSES * LAB_MISS + MISSES * rows[i].apart / rows[i].width);
        assert_int_equal(lab_run(l), MISSES * LAB_MISS + rows[i].apart / rows[i].width);
        lab_free(l);
    }
}

int main(int argc, char **argv)
{
    struct CMUnitTest oracle_tests[HV_ARRAY_LEN(mixes)], bound_tests[HV_ARRAY_LEN(mixes)];
    const struct CMUnitTest order_tests[] = {
        cmocka_unit_test(window_of_one_is_in_order),
        cmocka_unit_test(a_chain_of_misses_is_in_order),
    };
    gtest_rows(oracle_tests, each_instruction_by_itself_says_the_same, mixes, sizeof(mixes[0]), HV_ARRAY_LEN(mixes));
    gtest_rows(bound_tests, window_is_never_slower, mixes, sizeof(mixes[0]), HV_ARRAY_LEN(mixes));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("WindowOracle", oracle_tests),
        GTEST_SUITE("WindowBound", bound_tests),
        GTEST_SUITE("WindowOrder", order_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
