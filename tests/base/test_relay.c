/* SPDX-License-Identifier: MIT */
/* The relay: what is passed arrives in order and whole, whoever of the two threads waits for the other. */
#include "gtest.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/host.h"
#include "base/relay.h"

enum { WORDS = 13, MANY = 30000, ALL = MANY + RELAY_BLOCKS };

struct parcel {
    uint64_t number;
    uint64_t words[WORDS];
    uint64_t answer; /* the taker's */
};

/* What the taker has seen. */
struct depot {
    uint64_t count, wrong;
    const void *place[ALL];     /* of each block */
    struct timespec rest;       /* after each block */
    _Atomic bool closed;        /* the taker waits as long as this is so */
    _Atomic uint64_t begun;
};

static uint64_t word_of(uint64_t number, unsigned i)
{
    return number * UINT64_C(0x9e3779b97f4a7c15) + i;
}

static void take(void *ctx, void *block)
{
    struct depot *d = ctx;
    struct parcel *p = block;
    atomic_fetch_add(&d->begun, 1);
    while (atomic_load(&d->closed)) {
        nanosleep(&(struct timespec){0, 10000}, NULL);
    }
    bool right = p->number == d->count && d->count < ALL;
    for (unsigned i = 0; i < WORDS; i++) {
        right &= p->words[i] == word_of(p->number, i);
    }
    d->wrong += !right;
    d->place[d->count++ % ALL] = block;
    p->answer = ~p->number;
    if (d->rest.tv_nsec > 0) {
        nanosleep(&d->rest, NULL);
    }
}

static struct depot *depot_new(void)
{
    struct depot *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    return d;
}

static struct relay *relay_to(struct depot *d)
{
    struct relay *r = relay_new(sizeof(struct parcel), take, d);
    assert_non_null(r);
    return r;
}

static struct parcel *give(struct relay *r, uint64_t number)
{
    struct parcel *p = relay_block(r);
    p->number = number;
    for (unsigned i = 0; i < WORDS; i++) {
        p->words[i] = word_of(number, i);
    }
    relay_pass(r);
    return p;
}

static void assert_taken(const struct depot *d, uint64_t count)
{
    assert_int_equal(d->count, count);
    assert_int_equal(d->wrong, 0);
}

static void blocks_arrive_in_order_and_whole(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    struct relay *r = relay_to(d);
    for (uint64_t i = 0; i < MANY; i++) {
        give(r, i);
    }
    relay_settle(r);
    assert_taken(d, MANY);
    relay_free(r);
    assert_taken(d, MANY);
    free(d);
}

static void a_settled_giver_sees_what_the_taker_did(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    struct relay *r = relay_to(d);
    uint64_t number = 0;
    for (unsigned round = 0; round < 2000; round++) {
        struct parcel *given[RELAY_BLOCKS];
        unsigned count = round % (RELAY_BLOCKS + 1);
        for (unsigned i = 0; i < count; i++) {
            given[i] = give(r, number++);
        }
        relay_settle(r);
        relay_settle(r); /* again: nothing is left to wait for */
        assert_taken(d, number);
        for (unsigned i = 0; i < count; i++) {
            assert_true(given[i]->answer == ~(number - count + i));
        }
    }
    relay_free(r);
    free(d);
}

static void a_block_stays_the_same_until_it_is_passed(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    struct relay *r = relay_to(d);
    const void *places[RELAY_BLOCKS];
    for (unsigned i = 0; i < 3 * RELAY_BLOCKS; i++) {
        const void *block = relay_block(r);
        assert_ptr_equal(relay_block(r), block);
        assert_ptr_equal(give(r, i), block);
        for (unsigned k = 0; i < RELAY_BLOCKS && k < i; k++) {
            assert_ptr_not_equal(places[k], block);
        }
        if (i < RELAY_BLOCKS) {
            places[i] = block;
        }
        assert_ptr_equal(block, places[i % RELAY_BLOCKS]);
    }
    relay_settle(r);
    for (unsigned i = 0; i < 3 * RELAY_BLOCKS; i++) {
        assert_ptr_equal(d->place[i], places[i % RELAY_BLOCKS]);
    }
    relay_free(r);
    free(d);
}

static void nothing_needs_to_be_passed(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    relay_free(NULL);
    for (unsigned i = 0; i < 50; i++) {
        struct relay *r = relay_to(d);
        relay_free(r);
        r = relay_to(d);
        (void)relay_block(r);
        relay_settle(r);
        assert_int_equal(relay_naps(r), 0);
        relay_free(r);
    }
    assert_taken(d, 0);
    free(d);
}

/* Also when the taker has not had time to look. */
static void freeing_does_what_was_passed_first(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct depot *d = depot_new();
        struct relay *r = relay_to(d);
        for (unsigned i = 0; i <= round % 5; i++) {
            give(r, i);
        }
        relay_free(r);
        assert_taken(d, round % 5 + 1);
        free(d);
    }
}

/* The ring has room for all of its blocks while the taker is at the first one. */
static void a_full_ring_waits_for_its_taker(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    struct relay *r = relay_to(d);
    atomic_store(&d->closed, true);
    for (unsigned i = 0; i < RELAY_BLOCKS; i++) {
        give(r, i);
    }
    assert_int_equal(relay_naps(r), 0);
    assert_true(atomic_load(&d->begun) <= 1);
    atomic_store(&d->closed, false);
    for (unsigned i = RELAY_BLOCKS; i < ALL; i++) {
        give(r, i);
    }
    relay_settle(r);
    assert_taken(d, ALL);
    relay_free(r);
    free(d);
}

/* Long enough for a giver on any host to be done with spinning, so that it yields and naps. */
static void a_slow_taker_is_waited_for(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    d->rest.tv_nsec = 3000000;
    struct relay *r = relay_to(d);
    for (unsigned i = 0; i < 3 * RELAY_BLOCKS; i++) {
        give(r, i);
    }
    relay_settle(r);
    assert_taken(d, 3 * RELAY_BLOCKS);
    relay_free(r);
    free(d);
}

/* Long enough for a taker to fall asleep; were it not woken, settling would never end. */
static void a_sleeping_taker_is_woken(void **state)
{
    (void)state;
    struct depot *d = depot_new();
    struct relay *r = relay_to(d);
    for (unsigned i = 0; i < 30; i++) {
        nanosleep(&(struct timespec){0, (long)(i % 10) * 1000000}, NULL);
        give(r, i);
        relay_settle(r);
        assert_taken(d, i + 1);
    }
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    relay_free(r);
    assert_taken(d, 30);
    free(d);
}

static void relays_are_apart(void **state)
{
    (void)state;
    enum { RELAYS = 4, EACH = 3000 };
    struct depot *d[RELAYS];
    struct relay *r[RELAYS];
    for (unsigned i = 0; i < RELAYS; i++) {
        d[i] = depot_new();
        r[i] = relay_to(d[i]);
    }
    for (unsigned k = 0; k < EACH; k++) {
        for (unsigned i = 0; i < RELAYS; i++) {
            give(r[i], k);
        }
    }
    for (unsigned i = 0; i < RELAYS; i++) {
        relay_free(r[i]);
        assert_taken(d[i], EACH);
        free(d[i]);
    }
}

static void the_host_has_a_processor(void **state)
{
    (void)state;
    assert_true(host_processors() >= 1);
}

GTEST_MAIN("Relay", cmocka_unit_test(blocks_arrive_in_order_and_whole),
           cmocka_unit_test(a_settled_giver_sees_what_the_taker_did),
           cmocka_unit_test(a_block_stays_the_same_until_it_is_passed), cmocka_unit_test(nothing_needs_to_be_passed),
           cmocka_unit_test(freeing_does_what_was_passed_first), cmocka_unit_test(a_full_ring_waits_for_its_taker),
           cmocka_unit_test(a_slow_taker_is_waited_for), cmocka_unit_test(a_sleeping_taker_is_woken),
           cmocka_unit_test(relays_are_apart), cmocka_unit_test(the_host_has_a_processor))
