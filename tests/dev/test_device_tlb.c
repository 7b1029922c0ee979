/* SPDX-License-Identifier: MIT */
/* The device TLB: what it keeps, what an invalidation removes, and what a page request comes to. */
#include "lab.h"

#include <stdlib.h>

enum { SOURCE = 0x0108, OFFSET = 0x10000000 };

struct tlb_lab {
    struct lab *lab;
    struct pcie *link;
};

static struct tlb_lab open_link(uint64_t entries, bool pri)
{
    struct dev_params params = lab_params();
    params.ats = true;
    params.pri = pri;
    params.ats_entries = entries;
    struct tlb_lab l = {lab_make(), calloc(1, sizeof(struct pcie))};
    struct hv_err err = {0};
    struct dev_port port = lab_port(l.lab);
    assert_true(pcie_init(l.link, &params, &port, LAB_MHZ, &err));
    l.lab->offset = OFFSET;
    return l;
}

static void close_link(struct tlb_lab l)
{
    pcie_fini(l.link);
    free(l.link);
    lab_free(l.lab);
}

static struct pcie_done access(struct tlb_lab l, const struct dev_dma *d, hv_cycles now)
{
    return pcie_dma(l.link, d, now);
}

static struct pcie_done read_at(struct tlb_lab l, uint64_t address, hv_cycles now)
{
    return access(l, &(struct dev_dma){.source = SOURCE, .address = address, .bytes = 64}, now);
}

static struct pcie_done write_at(struct tlb_lab l, uint64_t address, hv_cycles now)
{
    return access(l, &(struct dev_dma){.source = SOURCE, .address = address, .bytes = 64, .write = true}, now);
}

/* A miss is a request of 24 bytes and a completion of 28 before the read itself; a hit is the read alone. */
static void a_miss_asks_and_a_hit_does_not(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(4, false);
    hv_cycles asked = 6 + LAB_HALF + LAB_MEMORY + 7 + LAB_HALF, read = 6 + LAB_HALF + LAB_MEMORY + 21 + LAB_HALF;
    assert_int_equal(read_at(l, 0x5040, 0).at, asked + read);
    assert_int_equal(l.lab->dma[0].d.address, 0x5040 + OFFSET);
    assert_true(l.lab->dma[0].d.translated);
    assert_int_equal(read_at(l, 0x5fc0, 10000).at, 10000 + read);
    assert_int_equal(l.lab->translations, 1);
    assert_int_equal(l.link->stats.device_tlb_hits, 1);
    assert_int_equal(l.link->stats.device_tlb_misses, 1);
    close_link(l);
}

static void the_least_recent_goes(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(3, false);
    static const struct {
        uint64_t page;
        bool hit;
    } rows[] = {{1, false}, {2, false}, {3, false}, {1, true}, {4, false},
                {1, true},  {3, true},  {2, false}, {4, false}};
    for (unsigned i = 0; i < HV_ARRAY_LEN(rows); i++) {
        uint64_t before = l.lab->translations;
        read_at(l, rows[i].page << 12, 10000 * i);
        assert_int_equal(l.lab->translations - before, rows[i].hit ? 0 : 1);
    }
    assert_int_equal(l.link->stats.device_tlb_evictions, 3);
    close_link(l);
}

/* A translation of 2 MiB serves all of it. */
static void large_translations_are_one_entry(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(2, false);
    l.lab->size_shift = 21;
    read_at(l, 0x200000, 0);
    read_at(l, 0x3fff00, 10000);
    assert_int_equal(l.lab->translations, 1);
    assert_int_equal(l.lab->dma[1].d.address, 0x3fff00 + OFFSET);
    read_at(l, 0x400000, 20000);
    assert_int_equal(l.lab->translations, 2);
    close_link(l);
}

/* Translations belong to a function and, with PASID, to an address space. */
static void spaces_are_apart(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(16, false);
    static const struct dev_dma same[] = {
        {.source = 1, .bytes = 4},
        {.source = 2, .bytes = 4},
        {.source = 1, .bytes = 4, .has_pasid = true, .pasid = 0},
        {.source = 1, .bytes = 4, .has_pasid = true, .pasid = 1},
    };
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < HV_ARRAY_LEN(same); i++) {
            access(l, &same[i], 10000 * (i + 4 * pass));
        }
        assert_int_equal(l.lab->translations, 4);
    }
    close_link(l);
}

/* What each invalidation removes of: page 1 and page 2, both also with PASID 7 and page 1 with PASID 8; another's. */
struct invalidation {
    const char *name;
    struct dev_invalidation what;
    unsigned removed; /* a bit for each of cached[] */
};

static const struct dev_dma cached[] = {
    {.source = SOURCE, .bytes = 4, .address = 0x1000},
    {.source = SOURCE, .bytes = 4, .address = 0x2000},
    {.source = SOURCE, .bytes = 4, .address = 0x1000, .has_pasid = true, .pasid = 7},
    {.source = SOURCE, .bytes = 4, .address = 0x2000, .has_pasid = true, .pasid = 7},
    {.source = SOURCE, .bytes = 4, .address = 0x1000, .has_pasid = true, .pasid = 8},
    {.source = SOURCE + 1, .bytes = 4, .address = 0x1000},
};

static const struct invalidation invalidations[] = {
    {"page", {.source = SOURCE, .address = 0x1000, .size_shift = 12}, 0x01},
    {"two_pages", {.source = SOURCE, .address = 0x2000, .size_shift = 13}, 0x02},
    {"four_pages", {.source = SOURCE, .address = 0x3000, .size_shift = 14}, 0x03},
    {"everything", {.source = SOURCE, .size_shift = 64}, 0x03},
    {"pasid_page", {.source = SOURCE, .has_pasid = true, .pasid = 7, .address = 0x1fff, .size_shift = 12}, 0x04},
    {"pasid_everything", {.source = SOURCE, .has_pasid = true, .pasid = 7, .size_shift = 64}, 0x0c},
    {"global_page", {.source = SOURCE, .has_pasid = true, .global = true, .address = 0x1000, .size_shift = 12}, 0x14},
    {"global", {.source = SOURCE, .has_pasid = true, .global = true, .size_shift = 64}, 0x1c},
    {"other_function", {.source = SOURCE + 1, .size_shift = 64}, 0x20},
    {"nobody", {.source = SOURCE + 2, .size_shift = 64}, 0},
    {"elsewhere", {.source = SOURCE, .address = 0x5000, .size_shift = 12}, 0},
};

static void an_invalidation_removes_what_it_names(void **state)
{
    const struct invalidation *row = *state;
    struct tlb_lab l = open_link(16, false);
    for (unsigned i = 0; i < HV_ARRAY_LEN(cached); i++) {
        access(l, &cached[i], 10000 * i);
    }
    pcie_invalidate(l.link, &row->what, 100000);
    assert_int_equal(l.link->stats.device_tlb_invalidations, __builtin_popcount(row->removed));
    for (unsigned i = 0; i < HV_ARRAY_LEN(cached); i++) {
        uint64_t before = l.lab->translations;
        access(l, &cached[i], 200000 + 10000 * i);
        assert_int_equal(l.lab->translations - before, row->removed >> i & 1);
    }
    close_link(l);
}

/* A large translation is removed by any page of it. */
static void a_page_of_a_large_translation(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(2, false);
    l.lab->size_shift = 21;
    read_at(l, 0x200000, 0);
    pcie_invalidate(l.link, &(struct dev_invalidation){.source = SOURCE, .address = 0x3ff000, .size_shift = 12}, 5000);
    read_at(l, 0x200000, 10000);
    assert_int_equal(l.lab->translations, 2);
    close_link(l);
}

/*
 * The completion of an invalidation follows the requests that use what it removes: a read that memory answers after
 * 50000 cycles. A request of 32 bytes down, and 24 up.
 */
static void an_invalidation_waits_for_requests(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(4, false);
    struct dev_invalidation all = {.source = SOURCE, .size_shift = 64};
    assert_int_equal(pcie_invalidate(l.link, &all, 1000), 1000 + 8 + LAB_HALF + 6 + LAB_HALF);
    read_at(l, 0, 10000);
    l.lab->read_cycles = 50000;
    hv_cycles done = read_at(l, 0, 20000).at;
    assert_int_equal(done, 20000 + 6 + LAB_HALF + 50000 + 21 + LAB_HALF);
    assert_int_equal(pcie_invalidate(l.link, &all, 21000), done + 6 + LAB_HALF);
    close_link(l);
}

static void permissions_are_asked_for(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(4, false);
    l.lab->read_only = true;
    assert_int_equal(read_at(l, 0, 0).status, PCIE_OK);
    assert_int_equal(write_at(l, 0, 10000).status, PCIE_BLOCKED);
    assert_int_equal(l.lab->translations, 2);
    assert_int_equal(read_at(l, 0, 20000).status, PCIE_OK);
    assert_int_equal(l.lab->translations, 2); /* what was granted is kept */
    l.lab->read_only = false;
    assert_int_equal(write_at(l, 0, 30000).status, PCIE_OK);
    assert_int_equal(l.lab->translations, 3);
    assert_int_equal(l.link->stats.dma_failed, 1);
    l.lab->ats_off = true;
    assert_int_equal(read_at(l, 0x8000, 40000).status, PCIE_BLOCKED);
    assert_int_equal(l.link->stats.dma_failed, 2);
    close_link(l);
}

static void a_page_is_requested_once(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(4, true);
    l.lab->present_below = 0x1000;
    assert_int_equal(write_at(l, 0x3080, 0).status, PCIE_STALLED);
    assert_int_equal(write_at(l, 0x30c0, 5000).status, PCIE_STALLED);
    assert_int_equal(l.lab->page_requests, 1);
    assert_int_equal(l.lab->page_request[0].address, 0x3000);
    assert_int_equal(l.lab->page_request[0].source, SOURCE);
    assert_true(l.lab->page_request[0].write);
    struct dev_page_response r = {SOURCE, l.lab->page_request[0].group, DEV_PAGE_SUCCESS};
    struct dev_page_response others[] = {
        {SOURCE + 1, r.group, 0}, {SOURCE, (uint16_t)(r.group + 1), 0}, {SOURCE, 511, 0}};
    for (unsigned i = 0; i < HV_ARRAY_LEN(others); i++) {
        assert_int_equal(pcie_page_response(l.link, &others[i], 6000), DEV_NEVER);
    }
    l.lab->present_below = UINT64_MAX;
    assert_int_equal(pcie_page_response(l.link, &r, 10000), 10000 + 6 + LAB_HALF);
    assert_int_equal(pcie_page_response(l.link, &r, 11000), DEV_NEVER); /* answered already */
    assert_int_equal(write_at(l, 0x3080, 12000).status, PCIE_OK);
    assert_int_equal(l.lab->dmas, 1);
    close_link(l);
}

/* All 32 requests may be outstanding; the 33rd page waits for any response. */
static void page_requests_are_bounded(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(4, true);
    l.lab->present_below = 0;
    for (uint64_t page = 0; page < 33; page++) {
        assert_int_equal(read_at(l, page << 12, 0).status, PCIE_STALLED);
    }
    assert_int_equal(l.lab->page_requests, 32);
    struct dev_page_response r = {SOURCE, l.lab->page_request[5].group, DEV_PAGE_FAILURE};
    assert_int_not_equal(pcie_page_response(l.link, &r, 10000), DEV_NEVER);
    assert_int_equal(read_at(l, 5 << 12, 11000).status, PCIE_BLOCKED);
    assert_int_equal(read_at(l, 32 << 12, 12000).status, PCIE_STALLED);
    assert_int_equal(l.lab->page_requests, 33);
    close_link(l);
}

/* One entry and a transfer of three pages: each page is asked for again when it is moved, and all bytes arrive. */
static void a_transfer_larger_than_the_tlb(void **state)
{
    (void)state;
    struct tlb_lab l = open_link(1, false);
    struct dev_dma d = {.source = SOURCE, .address = 0x1800, .bytes = 8192, .write = true};
    assert_int_equal(access(l, &d, 0).status, PCIE_OK);
    assert_int_equal(l.link->stats.dma_write_bytes, 8192);
    for (unsigned i = 0; i < l.lab->dmas; i++) {
        assert_true(l.lab->dma[i].d.translated && l.lab->dma[i].d.address >= OFFSET);
    }
    close_link(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_miss_asks_and_a_hit_does_not), cmocka_unit_test(the_least_recent_goes),
        cmocka_unit_test(large_translations_are_one_entry), cmocka_unit_test(spaces_are_apart),
        cmocka_unit_test(a_page_of_a_large_translation), cmocka_unit_test(an_invalidation_waits_for_requests),
        cmocka_unit_test(permissions_are_asked_for), cmocka_unit_test(a_page_is_requested_once),
        cmocka_unit_test(page_requests_are_bounded), cmocka_unit_test(a_transfer_larger_than_the_tlb)};
    struct CMUnitTest rows[HV_ARRAY_LEN(invalidations)];
    gtest_rows(rows, an_invalidation_removes_what_it_names, invalidations, sizeof(invalidations[0]),
               HV_ARRAY_LEN(invalidations));
    const struct gtest_suite suites[] = {GTEST_SUITE("DeviceTlb", tests), GTEST_SUITE("DeviceTlbInvalidation", rows)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
