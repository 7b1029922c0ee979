/* SPDX-License-Identifier: MIT */
/* Who gets a walker when: in the order of time as a queue of several servers, and out of it. */
#include "gtest.h"

#include <string.h>

#include "base/rng.h"
#include "mmu/walkers.h"

static hv_cycles walk(struct walkers *w, hv_cycles now, hv_cycles cycles)
{
    uint32_t which = UINT32_MAX;
    hv_cycles begin = walkers_begin(w, now, &which);
    assert_true(which < w->count);
    assert_int_equal(walkers_take(w, which, begin, begin + cycles), cycles);
    return begin;
}

/* In order, a walk begins when the first of all walkers is free. */
static void in_order_it_is_one_queue(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= MMU_MAX_WALKERS; count++) {
        struct walkers w;
        walkers_init(&w, count);
        hv_cycles free_at[MMU_MAX_WALKERS] = {0}, now = 0;
        struct hv_rng rng;
        rng_init(&rng, count);
        for (unsigned n = 0; n < 20000; n++) {
            uint32_t first = 0;
            for (uint32_t i = 1; i < count; i++) {
                first = free_at[i] < free_at[first] ? i : first;
            }
            now += rng_below(&rng, 400 / count);
            hv_cycles cycles = rng_below(&rng, 400), begin = free_at[first] > now ? free_at[first] : now;
            assert_int_equal(walk(&w, now, cycles), begin);
            free_at[first] = begin + cycles;
        }
    }
}

/* A walker that is taken from 5000 on is free at 1000, to the cycle. */
static void a_walk_ahead_leaves_its_walker_free_until_then(void **state)
{
    (void)state;
    struct walkers w;
    walkers_init(&w, 1);
    assert_int_equal(walk(&w, 5000, 100), 5000);
    assert_int_equal(walk(&w, 1000, 100), 1000);
    assert_int_equal(walk(&w, 1099, 10), 1100); /* a cycle too early */
    assert_int_equal(walk(&w, 1110, 10), 1110); /* just when it is free */
    assert_int_equal(walk(&w, 4900, 100), 4900); /* ends just when the other begins */
    assert_int_equal(walk(&w, 4899, 1), 4899);
    assert_int_equal(walk(&w, 4899, 1), 5100);
}

/* A walk that runs into one that was simulated before: whoever comes later meets the time of both. */
static void an_overlap_is_made_up(void **state)
{
    (void)state;
    struct walkers w;
    walkers_init(&w, 1);
    assert_int_equal(walk(&w, 1000, 100), 1000);
    assert_int_equal(walk(&w, 1130, 20), 1130);
    assert_int_equal(walk(&w, 950, 60), 950); /* until 1010: takes the walker until 1110 */
    assert_int_equal(walk(&w, 1109, 1), 1110);
    assert_int_equal(walk(&w, 1105, 30), 1111); /* and this one until 1161 */
    assert_int_equal(walk(&w, 1112, 5), 1161);
    assert_int_equal(walk(&w, 949, 1), 949);
}

static void of_two_free_walkers_the_one_that_stays_free(void **state)
{
    (void)state;
    struct walkers w;
    walkers_init(&w, 2);
    assert_int_equal(walk(&w, 1000, 100), 1000);
    assert_int_equal(walk(&w, 1050, 100), 1050);
    /* Both are free at 900. The one taken from 1050 on has room for 150 cycles, and the other is left as it was. */
    assert_int_equal(walk(&w, 900, 150), 900);
    assert_int_equal(walk(&w, 901, 99), 901);
    assert_int_equal(walk(&w, 1050, 10), 1100);
}

/* In any order, the time for which a walker is taken is that of its walks, and no two of its times touch. */
static void no_time_is_lost(void **state)
{
    (void)state;
    struct walkers w;
    struct hv_rng rng;
    rng_init(&rng, 3);
    for (unsigned round = 0; round < 500; round++) {
        uint32_t count = 1 + round % 4;
        walkers_init(&w, count);
        hv_cycles walks = 0, taken = 0;
        for (unsigned n = 0; n < WALKER_TIMES - 2; n++) { /* fewer than are kept */
            hv_cycles cycles = 1 + rng_below(&rng, 200);
            (void)walk(&w, rng_below(&rng, 3000), cycles);
            walks += cycles;
        }
        for (uint32_t i = 0; i < count; i++) {
            const struct walker *walker = &w.walker[i];
            for (uint32_t t = 0; t < walker->count; t++) {
                taken += walker->taken[t].end - walker->taken[t].begin;
                assert_true(t == 0 || walker->taken[t].begin > walker->taken[t - 1].end);
            }
            assert_true(walker->taken[walker->count - 1].end <= w.all_free);
        }
        assert_int_equal(taken, walks);
    }
}

/* The latest times are kept, at least half of what there is room for; before them a walker counts as free. */
static void old_times_are_forgotten(void **state)
{
    (void)state;
    struct walkers w;
    walkers_init(&w, 1);
    for (unsigned n = 1; n <= 10 * WALKER_TIMES; n++) {
        assert_int_equal(walk(&w, n * 1000, 500), n * 1000);
    }
    hv_cycles last = 10 * WALKER_TIMES * 1000, kept = last - WALKER_TIMES / 2 * 1000 + 1000;
    assert_int_equal(walk(&w, kept + 499, 1), kept + 500);
    assert_int_equal(walk(&w, 1100, 100), 1100);
    walkers_reset(&w);
    assert_int_equal(walk(&w, last, 100), last);
}

GTEST_MAIN("Walkers", cmocka_unit_test(in_order_it_is_one_queue),
           cmocka_unit_test(a_walk_ahead_leaves_its_walker_free_until_then), cmocka_unit_test(an_overlap_is_made_up),
           cmocka_unit_test(of_two_free_walkers_the_one_that_stays_free), cmocka_unit_test(no_time_is_lost),
           cmocka_unit_test(old_times_are_forgotten))
