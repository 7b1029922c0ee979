/* SPDX-License-Identifier: MIT */
/*
 * The packed layout of a large LRU cache is for the host's sake: what hits, what is evicted and what is written back
 * is what an associative array says, whatever the number of ways.
 */
#include "gtest.h"

#include <stdlib.h>

#include "base/rng.h"
#include "mem/cache.h"

enum { SETS = 512, STEPS = 200000 };

struct twins {
    struct cache packed, plain;
};

static struct twins *twins_new(uint64_t ways)
{
    struct twins *t = calloc(1, sizeof(*t));
    struct cache_params params = {.size = SETS * ways * CACHE_LINE_BYTES, .ways = ways, .line_bytes = 64};
    struct hv_err err = {""};
    assert_non_null(t);
    assert_true(cache_init(&t->packed, "llc", &params, &err));
    assert_true(assoc_init(&t->plain.lines, SETS * ways, ways, ASSOC_LRU, false, &err));
    assert_non_null(t->packed.packed.words);
    return t;
}

static void twins_free(struct twins *t)
{
    cache_fini(&t->packed);
    cache_fini(&t->plain);
    free(t);
}

/* A look-up and, on a miss, a fill. */
static enum cache_outcome look_up_and_fill(struct cache *c, uint64_t line, bool write, uint64_t *evicted)
{
    if (cache_lookup(c, line, write, CACHE_DEMAND)) {
        return CACHE_HIT;
    }
    return cache_fill(c, line, write, evicted) ? CACHE_MISS_DIRTY : CACHE_MISS;
}

/* One reference to both, at once or in two steps: the same answer, and the same line on its way out. */
static void refer(struct twins *t, uint64_t line, bool write, bool at_once)
{
    uint64_t evicted = 0, expected = 0;
    enum cache_outcome outcome = at_once ? cache_use(&t->packed, line, write, CACHE_DEMAND, &evicted)
                                         : look_up_and_fill(&t->packed, line, write, &evicted);
    assert_int_equal(outcome, look_up_and_fill(&t->plain, line, write, &expected));
    assert_true(outcome != CACHE_MISS_DIRTY || evicted == expected);
}

static void write_back(struct twins *t, uint64_t line)
{
    uint64_t evicted = 0, expected = 0;
    bool dirty = cache_accept_writeback(&t->packed, line, &evicted);
    assert_int_equal(dirty, cache_accept_writeback(&t->plain, line, &expected));
    assert_true(!dirty || evicted == expected);
}

/* `far`: now and then a line whose number no packed word can hold. */
static void compare(uint64_t ways, bool far)
{
    struct twins *t = twins_new(ways);
    struct hv_rng rng;
    rng_init(&rng, ways);
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t draw = rng_next(&rng);
        uint64_t line = (draw % 8) + SETS * (draw >> 8 & 31); /* few sets, more lines than ways */
        line += far && step > STEPS / 2 && draw >> 60 == 0 ? UINT64_C(1) << 44 : 0;
        if ((draw >> 32) % 8 == 0) {
            write_back(t, line);
        } else {
            refer(t, line, (draw >> 40) % 4 == 0, (draw >> 48) % 2 == 0);
        }
    }
    assert_int_equal(t->packed.packed.words == NULL, far);
    assert_memory_equal(&t->packed.stats, &t->plain.stats, sizeof(t->plain.stats));
    assert_in_range(t->packed.stats.hits, 1, STEPS);
    twins_free(t);
}

static void any_number_of_ways_behaves_as_an_array(void **state)
{
    (void)state;
    for (uint64_t ways = 4; ways <= PACKED_MAX_WAYS; ways++) {
        compare(ways, false);
    }
}

static void a_line_too_far_for_a_word_changes_the_layout_only(void **state)
{
    (void)state;
    compare(4, true);
    compare(12, true);
    compare(16, true);
}

static void reset_empties_a_packed_cache(void **state)
{
    (void)state;
    struct twins *t = twins_new(16);
    uint64_t evicted;
    assert_false(cache_fill(&t->packed, 7, true, &evicted));
    assert_true(cache_lookup(&t->packed, 7, false, CACHE_DEMAND));
    cache_reset(&t->packed);
    assert_false(cache_lookup(&t->packed, 7, false, CACHE_DEMAND));
    twins_free(t);
}

GTEST_MAIN("Packed", cmocka_unit_test(any_number_of_ways_behaves_as_an_array),
           cmocka_unit_test(a_line_too_far_for_a_word_changes_the_layout_only),
           cmocka_unit_test(reset_empties_a_packed_cache))
