/* SPDX-License-Identifier: MIT */
/* Places in the LRU stack against a list that is kept by hand, and against what cyclic streams must give. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/stack_distance.h"

/* The same by the definition: a list with the most recent key first. */
struct list {
    uint64_t keys[512];
    uint32_t count, depth;
};

static uint32_t list_use(struct list *l, uint64_t key)
{
    uint32_t at = 0;
    while (at < l->count && l->keys[at] != key) {
        at++;
    }
    uint32_t place = at < l->count ? at + 1 : 0;
    uint32_t moved = at < l->depth ? at : l->depth - 1;
    memmove(&l->keys[1], &l->keys[0], moved * sizeof(l->keys[0]));
    l->keys[0] = key;
    l->count += place == 0 && l->count < l->depth;
    return place;
}

static void compare(uint32_t depth, uint64_t keys, uint64_t uses)
{
    struct stack_distance s;
    struct list l = {.depth = depth};
    struct hv_rng rng;
    rng_init(&rng, depth + keys);
    stack_distance_init(&s, depth);
    for (uint64_t i = 0; i < uses; i++) {
        /* Half of the uses are among few keys, so that all places occur. */
        uint64_t key = rng_below(&rng, rng_next(&rng) % 2 == 0 ? keys : keys / 8 + 1);
        assert_int_equal(stack_distance_use(&s, key), list_use(&l, key));
    }
    stack_distance_fini(&s);
}

static void equals_a_list(void **state)
{
    (void)state;
    compare(1, 4, 2000);
    compare(2, 5, 5000);
    compare(63, 200, 40000);
    compare(64, 64, 40000);
    compare(65, 1000, 40000);
    compare(500, 700, 60000);
}

/* N keys in a circle are each found at place N, or, when the stack is shallower, never. */
static void a_circle_is_found_at_its_length(void **state)
{
    (void)state;
    for (uint32_t keys = 1; keys <= 130; keys++) {
        struct stack_distance s;
        stack_distance_init(&s, 100);
        for (uint32_t i = 0; i < 20 * keys; i++) {
            uint32_t place = stack_distance_use(&s, UINT64_C(0x1000) * (i % keys));
            assert_int_equal(place, i < keys || keys > 100 ? 0 : keys);
        }
        stack_distance_fini(&s);
    }
}

GTEST_MAIN("StackDistance", cmocka_unit_test(equals_a_list), cmocka_unit_test(a_circle_is_found_at_its_length))
