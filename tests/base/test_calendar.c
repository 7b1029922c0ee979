/* SPDX-License-Identifier: MIT */
/* A calendar against a list of every slot. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/rng.h"

enum { RING = CALENDAR_EPOCH * CALENDAR_EPOCHS };

static struct calendar *make(void)
{
    struct calendar *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    return c;
}

/* The definition: the first `count` slots at or after `from` that nobody has taken. */
static uint64_t take_plainly(bool *taken, uint64_t from, unsigned count)
{
    for (;; from++) {
        if (!taken[from]) {
            taken[from] = true;
            if (--count == 0) {
                return from + 1;
            }
        }
    }
}

/* Requests of one or of all lengths, in no order, until a quarter of the ring is taken; in places all of it. */
static void requests_in_any_order_take_the_first_free_slots(void **state)
{
    (void)state;
    static const unsigned longest[] = {1, 2, 3, 8, 63, 64};
    for (size_t i = 0; i < HV_ARRAY_LEN(longest); i++) {
        for (unsigned same = 0; same < 2; same++) {
            struct calendar *c = make();
            bool *taken = calloc(2 * RING, sizeof(*taken));
            assert_non_null(taken);
            struct hv_rng rng;
            rng_init(&rng, i);
            for (uint64_t sum = 0; sum < RING / 4;) {
                unsigned count = same ? longest[i] : 1 + (unsigned)rng_below(&rng, longest[i]);
                uint64_t from = rng_below(&rng, rng_below(&rng, 4) == 0 ? RING / 4 : RING / 16);
                assert_int_equal(calendar_take(c, from, count), take_plainly(taken, from, count));
                sum += count;
            }
            free(taken);
            free(c);
        }
    }
}

/* In the order of time there is one queue, however long it becomes: also longer than the ring. */
static void requests_in_order_queue(void **state)
{
    (void)state;
    static const uint64_t pauses[] = {1, 3, 9, 30, 1000, 200000};
    for (size_t i = 0; i < HV_ARRAY_LEN(pauses); i++) {
        struct calendar *c = make();
        struct hv_rng rng;
        rng_init(&rng, i);
        uint64_t now = (uint64_t)i << 60, free_from = 0;
        for (unsigned n = 0; n < 100000; n++) {
            now += rng_below(&rng, pauses[i]);
            unsigned count = 1 + (unsigned)rng_below(&rng, 8);
            free_from = (free_from > now ? free_from : now) + count;
            assert_int_equal(calendar_take(c, now, count), free_from);
        }
        free(c);
    }
}

static void the_future_does_not_delay_the_present(void **state)
{
    (void)state;
    struct calendar *c = make();
    assert_int_equal(calendar_take(c, 5000, 8), 5008);
    assert_int_equal(calendar_take(c, 1000, 8), 1008);
    assert_int_equal(calendar_take(c, 4992, 8), 5000); /* just before */
    assert_int_equal(calendar_take(c, 4991, 8), 5015); /* one free slot there, the others behind */
    free(c);
}

/* The place of an epoch in the ring is needed again: what had room serves at once, what was full is passed over. */
static void what_is_forgotten_was_full_or_is_free(void **state)
{
    (void)state;
    struct calendar *c = make();
    assert_int_equal(calendar_take(c, 20 * CALENDAR_EPOCH, 40), 20 * CALENDAR_EPOCH + 40);
    for (unsigned epoch = 3; epoch < 10; epoch++) {
        assert_int_equal(calendar_take(c, epoch * CALENDAR_EPOCH, CALENDAR_EPOCH), (epoch + 1) * CALENDAR_EPOCH);
    }
    for (uint64_t epoch = 0; epoch < 30; epoch++) {
        (void)calendar_take(c, RING + epoch * CALENDAR_EPOCH, 1);
    }
    assert_int_equal(calendar_take(c, 20 * CALENDAR_EPOCH, 1), 20 * CALENDAR_EPOCH + 1);
    assert_int_equal(calendar_take(c, 3 * CALENDAR_EPOCH, 2), 10 * CALENDAR_EPOCH + 2);
    assert_int_equal(calendar_take(c, 10 * CALENDAR_EPOCH - 1, 2), 10 * CALENDAR_EPOCH + 2);
    assert_int_equal(calendar_take(c, 3 * CALENDAR_EPOCH - 1, 1), 3 * CALENDAR_EPOCH);
    assert_int_equal(calendar_take(c, 40 * CALENDAR_EPOCH, 1), 40 * CALENDAR_EPOCH + 1); /* still known */
    assert_int_equal(calendar_take(c, 40 * CALENDAR_EPOCH, 1), 40 * CALENDAR_EPOCH + 2);
    assert_int_equal(calendar_take(c, RING, 1), RING + 2);
    free(c);
}

/* The queue behind a request in the middle of an epoch is not overtaken when that epoch is forgotten. */
static void a_row_may_begin_anywhere(void **state)
{
    (void)state;
    for (uint64_t from = 0; from < 2 * CALENDAR_EPOCH; from++) {
        struct calendar *c = make();
        uint64_t end = from;
        while (end < 2 * RING) {
            end += 24;
            assert_int_equal(calendar_take(c, from, 24), end);
        }
        assert_int_equal(calendar_take(c, from + RING / 2, 1), end + 1);
        if (from > 0) {
            assert_int_equal(calendar_take(c, from - 1, 1), from);
        }
        free(c);
    }
    struct calendar *c = make();
    (void)calendar_take(c, 5 * CALENDAR_EPOCH + 40, 24); /* a row of a single piece, forgotten by a short request */
    (void)calendar_take(c, RING + 5 * CALENDAR_EPOCH, 1);
    assert_int_equal(calendar_take(c, 5 * CALENDAR_EPOCH + 40, 1), 6 * CALENDAR_EPOCH + 1);
    assert_int_equal(calendar_take(c, 5 * CALENDAR_EPOCH + 39, 1), 5 * CALENDAR_EPOCH + 40);
    free(c);
}

static void a_reset_frees_everything(void **state)
{
    (void)state;
    struct calendar *c = make();
    for (unsigned n = 0; n < 3 * CALENDAR_EPOCHS; n++) {
        (void)calendar_take(c, 0, CALENDAR_EPOCH);
    }
    calendar_reset(c);
    assert_int_equal(calendar_take(c, 0, CALENDAR_EPOCH), CALENDAR_EPOCH);
    assert_int_equal(calendar_take(c, 0, CALENDAR_EPOCH), 2 * CALENDAR_EPOCH);
    free(c);
}

GTEST_MAIN("Calendar", cmocka_unit_test(requests_in_any_order_take_the_first_free_slots),
           cmocka_unit_test(requests_in_order_queue), cmocka_unit_test(the_future_does_not_delay_the_present),
           cmocka_unit_test(what_is_forgotten_was_full_or_is_free),
           cmocka_unit_test(a_row_may_begin_anywhere), cmocka_unit_test(a_reset_frees_everything))
