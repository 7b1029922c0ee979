/* SPDX-License-Identifier: MIT */
/* Buffers that stay mapped: found by what they are, idle in the order in which they became so. */
#include "gtest.h"

#include <string.h>

#include "base/rng.h"
#include "vmm/dma_kept.h"

static void a_buffer_is_found_by_memory_and_size(void **state)
{
    (void)state;
    struct dma_kept k;
    dma_kept_init(&k);
    assert_null(dma_kept_find(&k, HV_MIB(1), 1));
    dma_kept_add(&k, HV_MIB(1), 1, 100);
    dma_kept_add(&k, HV_MIB(1), 2, 200);
    assert_int_equal(dma_kept_find(&k, HV_MIB(1), 1)->iova, 100);
    assert_int_equal(dma_kept_find(&k, HV_MIB(1), 2)->iova, 200);
    assert_null(dma_kept_find(&k, HV_MIB(2), 1));
    dma_kept_fini(&k);
}

/* Of three, the middle one is used again; one used twice is idle after the second has left. */
static void idle_ones_come_in_the_order_of_leaving(void **state)
{
    (void)state;
    struct dma_kept k;
    dma_kept_init(&k);
    for (uint64_t i = 1; i <= 4; i++) {
        dma_kept_add(&k, i * HV_PAGE_BYTES, 1, i);
    }
    dma_kept_use(&k, dma_kept_find(&k, 4 * HV_PAGE_BYTES, 1));
    for (uint64_t i = 1; i <= 4; i++) {
        dma_kept_leave(&k, dma_kept_find(&k, i * HV_PAGE_BYTES, 1), 10 * i);
    }
    assert_int_equal(k.idle, 3);
    dma_kept_use(&k, dma_kept_find(&k, 2 * HV_PAGE_BYTES, 1));
    assert_int_equal(k.idle, 2);
    struct dma_kept_buffer *oldest = dma_kept_oldest(&k);
    assert_int_equal(oldest->iova, 1);
    assert_int_equal(oldest->idle_since, 10);
    assert_int_equal(dma_kept_next(&k, oldest)->iova, 3);
    assert_null(dma_kept_next(&k, dma_kept_next(&k, oldest)));
    dma_kept_remove(&k, oldest);
    assert_int_equal(dma_kept_oldest(&k)->iova, 3);
    assert_null(dma_kept_find(&k, HV_PAGE_BYTES, 1));
    dma_kept_leave(&k, dma_kept_find(&k, 4 * HV_PAGE_BYTES, 1), 50);
    assert_int_equal(dma_kept_next(&k, dma_kept_oldest(&k))->iova, 4);
    dma_kept_fini(&k);
}

enum { FRAMES = 300, OPERATIONS = 100000 };

/* Against an array: who is there, with how many users; the idle ones by the time they became so. */
static void random_use_against_an_array(void **state)
{
    (void)state;
    static struct { bool there; uint32_t users; uint64_t since; } model[FRAMES];
    memset(model, 0, sizeof(model));
    struct dma_kept k;
    struct hv_rng rng;
    rng_init(&rng, 3);
    dma_kept_init(&k);
    for (uint64_t now = 1; now <= OPERATIONS; now++) {
        uint64_t n = rng_below(&rng, FRAMES), what = rng_below(&rng, 4);
        struct dma_kept_buffer *b = dma_kept_find(&k, n * HV_PAGE_BYTES, 1);
        assert_int_equal(b != NULL, model[n].there);
        if (b == NULL) {
            dma_kept_add(&k, n * HV_PAGE_BYTES, 1, n);
            model[n].there = true;
            model[n].users = 1;
        } else if (what == 0) {
            dma_kept_use(&k, b);
            model[n].users++;
        } else if (b->users > 0) {
            dma_kept_leave(&k, b, now);
            model[n].users--;
            model[n].since = now;
        } else if (what == 1) {
            dma_kept_remove(&k, b);
            model[n].there = false;
        }
        uint64_t oldest = UINT64_MAX, idle = 0;
        for (uint64_t i = 0; i < FRAMES; i++) {
            bool is_idle = model[i].there && model[i].users == 0;
            idle += is_idle;
            oldest = is_idle && model[i].since < oldest ? model[i].since : oldest;
        }
        assert_int_equal(k.idle, idle);
        assert_int_equal(dma_kept_oldest(&k) != NULL ? dma_kept_oldest(&k)->idle_since : UINT64_MAX, oldest);
    }
    dma_kept_fini(&k);
}

GTEST_MAIN("DmaKept", cmocka_unit_test(a_buffer_is_found_by_memory_and_size),
           cmocka_unit_test(idle_ones_come_in_the_order_of_leaving), cmocka_unit_test(random_use_against_an_array))
