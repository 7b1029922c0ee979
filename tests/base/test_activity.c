/* SPDX-License-Identifier: MIT */
/* The recording of activity: what is kept, in which order, and where it is cut. */
#include "gtest.h"

#include "base/activity.h"

enum { MANY = 100 };

static void check(const struct activity_span *span, unsigned core, enum activity_track track, hv_cycles start,
                  hv_cycles cycles)
{
    assert_int_equal(span->core, core);
    assert_int_equal(span->track, track);
    assert_int_equal(span->start, start);
    assert_int_equal(span->cycles, cycles);
}

static void spans_come_in_the_order_of_their_starts(void **state)
{
    (void)state;
    struct activity a;
    activity_init(&a, 2, MANY);
    activity_begin(&a, 1000);
    activity_add(&a.cores[1], ACTIVITY_WALK, 1500, 40, "walk");
    activity_add(&a.cores[0], ACTIVITY_MISS, 1500, 10, "DRAM");
    activity_add(&a.cores[0], ACTIVITY_WALK, 1200, 7, "walk");
    activity_add(&a.cores[0], ACTIVITY_WALK, 990, 30, "walk"); /* began before the recording: begins with it */
    activity_end(&a, 2000);
    assert_int_equal(a.count, 4);
    check(&a.spans[0], 0, ACTIVITY_WALK, 0, 30);
    check(&a.spans[1], 0, ACTIVITY_WALK, 200, 7);
    check(&a.spans[2], 0, ACTIVITY_MISS, 500, 10);
    check(&a.spans[3], 1, ACTIVITY_WALK, 500, 40);
    assert_string_equal(a.spans[2].name, "DRAM");
    assert_int_equal(a.end, 1000);
    assert_false(a.cut);
    activity_fini(&a);
}

/* From one switch to the next, and at last to where the core stops. */
static void what_runs_has_spans_without_gaps(void **state)
{
    (void)state;
    struct activity a;
    activity_init(&a, 1, MANY);
    activity_begin(&a, 50);
    activity_switch(&a.cores[0], ACTIVITY_PROCESS, 3, 50);
    activity_switch(&a.cores[0], ACTIVITY_VCPU, 9, 60);
    activity_switch(&a.cores[0], ACTIVITY_PROCESS, 4, 150);
    activity_stop(&a.cores[0], 400);
    activity_end(&a, 500);
    assert_int_equal(a.count, 3);
    check(&a.spans[0], 0, ACTIVITY_PROCESS, 0, 100);
    check(&a.spans[1], 0, ACTIVITY_VCPU, 10, 340);
    check(&a.spans[2], 0, ACTIVITY_PROCESS, 100, 250);
    assert_int_equal(a.spans[0].number, 3);
    assert_int_equal(a.spans[1].number, 9);
    assert_int_equal(a.spans[2].number, 4);
    assert_int_equal(a.end, 450);
    activity_fini(&a);
}

/* The span that has no room any more ends the recording, and what runs at that time runs up to there. */
static void the_limit_keeps_the_beginning(void **state)
{
    (void)state;
    struct activity a;
    activity_init(&a, 1, 2);
    activity_begin(&a, 0);
    activity_switch(&a.cores[0], ACTIVITY_PROCESS, 1, 0);
    activity_add(&a.cores[0], ACTIVITY_WALK, 10, 5, "walk");
    activity_add(&a.cores[0], ACTIVITY_WALK, 20, 5, "walk");
    assert_false(a.cut);
    activity_add(&a.cores[0], ACTIVITY_WALK, 30, 5, "walk");
    activity_switch(&a.cores[0], ACTIVITY_PROCESS, 2, 40);
    activity_add(&a.cores[0], ACTIVITY_WALK, 50, 5, "walk");
    activity_stop(&a.cores[0], 60);
    activity_end(&a, 60);
    assert_true(a.cut);
    assert_int_equal(a.end, 30);
    assert_int_equal(a.count, 3);
    check(&a.spans[0], 0, ACTIVITY_PROCESS, 0, 30);
    check(&a.spans[1], 0, ACTIVITY_WALK, 10, 5);
    check(&a.spans[2], 0, ACTIVITY_WALK, 20, 5);
    assert_int_equal(a.spans[0].number, 1);
    activity_fini(&a);
}

static void many_spans_fit(void **state)
{
    (void)state;
    struct activity a;
    activity_init(&a, 1, 100000);
    activity_begin(&a, 0);
    for (hv_cycles i = 0; i < 100000; i++) {
        activity_add(&a.cores[0], ACTIVITY_MISS, 100000 - i, 1, "L2");
    }
    activity_end(&a, 100001);
    assert_int_equal(a.count, 100000);
    assert_false(a.cut);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.spans[i].start, i + 1);
    }
    activity_fini(&a);
    assert_null(a.spans);
}

GTEST_MAIN("Activity", cmocka_unit_test(spans_come_in_the_order_of_their_starts),
           cmocka_unit_test(what_runs_has_spans_without_gaps), cmocka_unit_test(the_limit_keeps_the_beginning),
           cmocka_unit_test(many_spans_fit))
