/* SPDX-License-Identifier: MIT */
/* Addresses for devices: from the top, aligned, never an interrupt's, never twice. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "vmm/dma_iova.h"

static void new_addresses_come_from_the_top(void **state)
{
    (void)state;
    struct dma_iova v;
    dma_iova_init(&v, HV_GIB(4), HV_PAGE_4K);
    assert_int_equal(dma_iova_take(&v, 0), HV_GIB(4) - HV_KIB(4));
    assert_int_equal(dma_iova_take(&v, 0), HV_GIB(4) - HV_KIB(8));
    /* Four pages are aligned to four pages: what is skipped is used next. */
    assert_int_equal(dma_iova_take(&v, 2), HV_GIB(4) - HV_KIB(32));
    assert_int_equal(dma_iova_take(&v, 1), HV_GIB(4) - HV_KIB(16));
    dma_iova_fini(&v);
}

static void the_latest_given_back_comes_first(void **state)
{
    (void)state;
    struct dma_iova v;
    dma_iova_init(&v, HV_GIB(4), HV_PAGE_4K);
    uint64_t a = dma_iova_take(&v, 0), b = dma_iova_take(&v, 0), c = dma_iova_take(&v, 0);
    dma_iova_give(&v, a, 0);
    dma_iova_give(&v, c, 0);
    assert_int_equal(dma_iova_take(&v, 0), c);
    assert_int_equal(dma_iova_take(&v, 0), a);
    assert_true(dma_iova_take(&v, 0) < b);
    dma_iova_fini(&v);
}

static void sizes_hold_their_pages(void **state)
{
    (void)state;
    static const struct { uint64_t pages; unsigned size; } rows[] = {
        {1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {512, 9}, {513, 10}, {UINT64_C(1) << 20, 20},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(dma_iova_size(rows[i].pages), rows[i].size);
    }
}

/* FEE00000H to FEEFFFFFH, in pages of each size; the first page, at 0, is left out too. */
static void whole_space_without_interrupts(void **state)
{
    (void)state;
    static const struct { enum hv_page_size page; uint64_t pages; } rows[] = {
        {HV_PAGE_4K, (UINT64_C(1) << 20) - 256 - 1}, {HV_PAGE_2M, 2048 - 1 - 1}, {HV_PAGE_1G, 4 - 1 - 1},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_iova v;
        dma_iova_init(&v, HV_GIB(4), rows[i].page);
        uint64_t bytes = hv_page_bytes(rows[i].page), lowest = UINT64_MAX;
        for (uint64_t n = 0; n < rows[i].pages; n++) {
            uint64_t start = dma_iova_take(&v, 0);
            assert_true(start != DMA_IOVA_NONE && start >= bytes);
            assert_true(start < lowest);
            assert_false(start < 0xfef00000 && start + bytes > 0xfee00000);
            lowest = start;
        }
        assert_int_equal(dma_iova_take(&v, 0), DMA_IOVA_NONE);
        dma_iova_give(&v, lowest, 0);
        assert_int_equal(dma_iova_take(&v, 0), lowest);
        dma_iova_fini(&v);
    }
}

/* When 32 bits are used up, the rest of the space follows, from its top. */
static void beyond_32_bits(void **state)
{
    (void)state;
    struct dma_iova v;
    dma_iova_init(&v, HV_GIB(16), HV_PAGE_1G);
    assert_int_equal(dma_iova_take(&v, 0), HV_GIB(2));
    /* Two pages are aligned to two: there are none below 4 GiB. The page that is left there is not lost. */
    assert_int_equal(dma_iova_take(&v, 1), HV_GIB(14));
    assert_int_equal(dma_iova_take(&v, 0), HV_GIB(1));
    for (uint64_t gib = 14; gib-- > 4;) {
        assert_int_equal(dma_iova_take(&v, 0), HV_GIB(gib));
    }
    assert_int_equal(dma_iova_take(&v, 0), DMA_IOVA_NONE);
    dma_iova_fini(&v);
}

static void larger_runs_are_split_in_the_end(void **state)
{
    (void)state;
    struct dma_iova v;
    dma_iova_init(&v, HV_KIB(4) * 16, HV_PAGE_4K);
    uint64_t run = dma_iova_take(&v, 3);
    assert_int_equal(run, HV_KIB(32));
    for (int i = 0; i < 7; i++) {
        assert_true(dma_iova_take(&v, 0) < run);
    }
    assert_int_equal(dma_iova_take(&v, 0), DMA_IOVA_NONE);
    dma_iova_give(&v, run, 3);
    bool seen[8] = {false};
    for (int i = 0; i < 8; i++) {
        uint64_t start = dma_iova_take(&v, 0);
        assert_true(start >= run && start < run + HV_KIB(32));
        assert_false(seen[(start - run) / HV_KIB(4)]);
        seen[(start - run) / HV_KIB(4)] = true;
    }
    assert_int_equal(dma_iova_take(&v, 0), DMA_IOVA_NONE);
    assert_int_equal(dma_iova_take(&v, 21), DMA_IOVA_NONE);
    dma_iova_fini(&v);
}

enum { PAGES = 4096, OPERATIONS = 100000, HELD = 512 };

/* Who has a page: 0 nobody, otherwise the number of the run, from 1 on. */
static void mark(uint16_t *owner, uint64_t start, unsigned size, uint16_t was, uint16_t is)
{
    for (uint64_t page = start / HV_PAGE_BYTES, i = 0; i >> size == 0; i++) {
        assert_true(page + i < PAGES);
        assert_int_equal(owner[page + i], was);
        owner[page + i] = is;
    }
}

static void no_page_is_handed_out_twice(void **state)
{
    (void)state;
    static uint16_t owner[PAGES];
    uint64_t held[HELD];
    unsigned sizes[HELD];
    memset(owner, 0, sizeof(owner));
    memset(held, 0xff, sizeof(held));
    struct dma_iova v;
    struct hv_rng rng;
    rng_init(&rng, 7);
    dma_iova_init(&v, PAGES * HV_PAGE_BYTES, HV_PAGE_4K);
    for (int i = 0; i < OPERATIONS; i++) {
        uint16_t n = (uint16_t)(rng_next(&rng) % HELD);
        if (held[n] != DMA_IOVA_NONE) {
            mark(owner, held[n], sizes[n], n + 1u, 0);
            dma_iova_give(&v, held[n], sizes[n]);
            held[n] = DMA_IOVA_NONE;
            continue;
        }
        sizes[n] = (unsigned)(rng_next(&rng) % 5);
        held[n] = dma_iova_take(&v, sizes[n]);
        if (held[n] != DMA_IOVA_NONE) {
            assert_int_equal(held[n] % (HV_PAGE_BYTES << sizes[n]), 0);
            mark(owner, held[n], sizes[n], 0, n + 1u);
        }
    }
    dma_iova_fini(&v);
}

GTEST_MAIN("DmaIova", cmocka_unit_test(new_addresses_come_from_the_top),
           cmocka_unit_test(the_latest_given_back_comes_first), cmocka_unit_test(sizes_hold_their_pages),
           cmocka_unit_test(whole_space_without_interrupts), cmocka_unit_test(beyond_32_bits),
           cmocka_unit_test(larger_runs_are_split_in_the_end),
           cmocka_unit_test(no_page_is_handed_out_twice))
