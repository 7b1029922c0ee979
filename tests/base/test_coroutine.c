/* SPDX-License-Identifier: MIT */
/* Coroutines: who runs when, and that each finds its stack and registers as it left them. */
#include "gtest.h"

#include <stdlib.h>

#include "base/coroutine.h"
#include "base/rng.h"

enum { COUNT = 5, ROUNDS = 1000, DEPTH = 200 };

struct ring;

struct member {
    struct ring *ring;
    unsigned number;
    struct coroutine coroutine;
    uint64_t sum;
};

struct ring {
    struct member member[COUNT];
    struct coroutine caller;
    unsigned turns[COUNT * ROUNDS]; /* whose each was */
    size_t taken;
};

static void begin_ring(struct ring *r, void (*body)(void *ctx))
{
    for (unsigned i = 0; i < COUNT; i++) {
        r->member[i] = (struct member){.ring = r, .number = i};
        coroutine_init(&r->member[i].coroutine, body, &r->member[i]);
    }
}

static void end_ring(struct ring *r)
{
    for (unsigned i = 0; i < COUNT; i++) {
        coroutine_fini(&r->member[i].coroutine);
    }
    free(r);
}

static struct ring *ring_new(void (*body)(void *ctx))
{
    struct ring *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    begin_ring(r, body);
    return r;
}

/* Passes the turn to the next, and from the last one to the caller. */
static void pass_on(void *ctx)
{
    struct member *m = ctx;
    struct ring *r = m->ring;
    for (;;) {
        r->turns[r->taken++] = m->number;
        coroutine_switch(&m->coroutine, m->number + 1 < COUNT ? &m[1].coroutine : &r->caller);
    }
}

static void turns_pass_from_one_to_the_next(void **state)
{
    (void)state;
    struct ring *r = ring_new(pass_on);
    for (unsigned round = 0; round < ROUNDS; round++) {
        assert_int_equal(r->taken, round * COUNT);
        coroutine_switch(&r->caller, &r->member[0].coroutine);
    }
    assert_int_equal(r->taken, COUNT * ROUNDS);
    for (unsigned i = 0; i < r->taken; i++) {
        assert_int_equal(r->turns[i], i % COUNT);
    }
    end_ring(r);
}

/* Leaves in the deepest of many calls, each of which has something to lose. */
static uint64_t descend(struct member *m, uint64_t depth, double weight)
{
    volatile uint64_t mine[4] = {depth, depth * 3, depth ^ m->number, m->number};
    if (depth == DEPTH) {
        coroutine_switch(&m->coroutine, &m->ring->caller);
        return 0;
    }
    uint64_t below = descend(m, depth + 1, weight + 0.5);
    assert_true(mine[0] == depth && mine[1] == depth * 3 && mine[2] == (depth ^ m->number) && mine[3] == m->number);
    assert_true(weight == m->number + 0.5 * (double)depth);
    return below + depth;
}

static void dive(void *ctx)
{
    struct member *m = ctx;
    for (;;) {
        m->sum += descend(m, 0, m->number);
    }
}

/* In an order of the caller's own. A member that is entered k times has come up from its depth k - 1 times. */
static void each_keeps_its_stack(void **state)
{
    (void)state;
    struct ring *r = ring_new(dive);
    unsigned entered[COUNT] = {0};
    struct hv_rng rng;
    rng_init(&rng, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned next = (unsigned)rng_below(&rng, COUNT);
        entered[next]++;
        coroutine_switch(&r->caller, &r->member[next].coroutine);
        assert_int_equal(r->member[next].sum, (entered[next] - 1) * (uint64_t)DEPTH * (DEPTH - 1) / 2);
    }
    end_ring(r);
}

/* One that never began, and one that is in the middle of something. */
static void an_unfinished_one_can_be_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) { /* of 4 MB each: they do not pile up */
        struct ring *r = ring_new(dive);
        coroutine_switch(&r->caller, &r->member[1].coroutine);
        end_ring(r);
    }
}

GTEST_MAIN("Coroutine", cmocka_unit_test(turns_pass_from_one_to_the_next), cmocka_unit_test(each_keeps_its_stack),
           cmocka_unit_test(an_unfinished_one_can_be_forgotten))
