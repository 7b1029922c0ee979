/* SPDX-License-Identifier: MIT */
/* Which cached entries each invalidation takes, and which it keeps (VT-d chapter 6). */
#include "iommu/dma_lab.h"

#include "iommu/iommu_parts.h"

#define IOVA UINT64_C(0x0000001040200000)
#define NEXT (IOVA + HV_PAGE_BYTES)
#define FAR (IOVA + HV_GIB(4))

/* What is cached, and by which request it is found there. */
enum cached {
    SECOND_3,        /* domain 3, second stage */
    SECOND_3_NEXT,   /* ... the page behind */
    SECOND_3_FAR,    /* ... of other tables */
    SECOND_4,        /* domain 4 */
    FIRST_3_1,       /* domain 3, PASID 1, first stage */
    FIRST_3_1_NEXT,
    FIRST_3_2,       /* ... PASID 2 */
    FIRST_4_1,       /* domain 4, PASID 1 */
    NESTED_3_3,      /* domain 3, PASID 3, nested */
    NESTED_3_3_NEXT,
    NESTED_4_3,
    CACHED
};

#define BIT(x) (1u << (x))
#define ALL (BIT(CACHED) - 1)
#define DOMAIN_3 (ALL & ~(BIT(SECOND_4) | BIT(FIRST_4_1) | BIT(NESTED_4_3)))
#define NESTED_3 (BIT(NESTED_3_3) | BIT(NESTED_3_3_NEXT))

static const struct { uint16_t source; uint32_t pasid; uint64_t address; } where[CACHED] = {
    [SECOND_3] = {0x0300, 0, IOVA},        [SECOND_3_NEXT] = {0x0300, 0, NEXT},
    [SECOND_3_FAR] = {0x0300, 0, FAR},     [SECOND_4] = {0x0400, 0, IOVA},
    [FIRST_3_1] = {0x0300, 1, IOVA},       [FIRST_3_1_NEXT] = {0x0300, 1, NEXT},
    [FIRST_3_2] = {0x0300, 2, IOVA},       [FIRST_4_1] = {0x0400, 1, IOVA},
    [NESTED_3_3] = {0x0300, 3, IOVA},      [NESTED_3_3_NEXT] = {0x0300, 3, NEXT},
    [NESTED_4_3] = {0x0400, 3, IOVA},
};

static struct iommu_request request_of(enum cached c)
{
    return dma_pasid_request(where[c].source, where[c].pasid, where[c].address, IOMMU_READ);
}

static void map_all(struct dma_tables *t, uint64_t to)
{
    dma_map(t, IOVA, to, HV_PAGE_4K);
    dma_map(t, NEXT, to + HV_PAGE_BYTES, HV_PAGE_4K);
    dma_map(t, FAR, to + HV_MIB(2), HV_PAGE_4K);
}

/* One source for each of the domains 3 and 4, with PASIDs of all kinds. A domain has one second stage. */
static struct dma_lab *lab_new(const struct iommu_params *params)
{
    struct dma_lab *lab = dma_lab_new(params, IOMMU_SCALABLE);
    for (uint16_t domain = 3; domain <= 4; domain++) {
        uint16_t source = (uint16_t)(domain << 8);
        struct dma_tables second = dma_second_tables(lab, 4);
        map_all(&second, HV_GIB(1));
        dma_map(&second, HV_GIB(2), HV_GIB(3), HV_PAGE_4K);
        dma_map(&second, HV_GIB(2) + HV_PAGE_BYTES, HV_GIB(3) + HV_PAGE_BYTES, HV_PAGE_4K);
        dma_attach_pasid(lab, source, 0, domain, NULL, &second);
        for (uint32_t pasid = 1; pasid <= 3; pasid++) {
            struct dma_tables *below = pasid == 3 ? &second : NULL;
            struct dma_tables first = dma_nested_tables(lab, 4, below, HV_PAGE_4K);
            map_all(&first, HV_GIB(2));
            dma_attach_pasid(lab, source, pasid, domain, &first, below);
        }
    }
    return lab;
}

static void warm(struct dma_lab *lab)
{
    for (unsigned c = 0; c < CACHED; c++) {
        struct iommu_request r = request_of((enum cached)c);
        struct iommu_reply reply = dma_send(lab, &r);
        if (!reply.ok) {
            fail_msg("entry %u: reason %#x", c, reply.fault);
        }
    }
}

/* Whether a request is answered by the IOTLB alone. */
static bool hits(struct dma_lab *lab, enum cached c)
{
    struct iommu_request r = request_of(c);
    uint64_t before = lab->u->caches.iotlb_stats.hits;
    assert_true(dma_send(lab, &r).ok);
    return lab->u->caches.iotlb_stats.hits != before;
}

static void all(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_ALL, 9, 0, 0, false); }
static void domain(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_DOMAIN, 3, 0, 0, false); }
static void other_domain(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_DOMAIN, 9, 0, 0, false); }
static void page(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_PAGE, 3, IOVA, 0, false); }
static void page_leaf(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_PAGE, 3, IOVA, 0, true); }
static void two_pages(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_PAGE, 3, IOVA, 1, false); }
static void many_pages(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_PAGE, 3, 0, 40, false); }
static void every_page(struct iommu *u) { iommu_invalidate_iotlb(u, IOMMU_IOTLB_PAGE, 3, 0, 63, false); }
static void pasid(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PASID, 3, 1, 0, 0, false); }
static void nested_pasid(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PASID, 3, 3, 0, 0, false); }
static void pasid_page(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PAGE, 3, 1, IOVA, 0, false); }
static void pasid_page_leaf(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PAGE, 3, 1, IOVA, 0, true); }
static void nested_page(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PAGE, 3, 3, NEXT, 0, false); }
static void second_pasid(struct iommu *u) { iommu_invalidate_piotlb(u, IOMMU_PIOTLB_PASID, 3, 0, 0, 0, false); }
static void contexts(struct iommu *u) { iommu_invalidate_context(u, IOMMU_CONTEXT_ALL, 0, 0, 0); }
static void pasids(struct iommu *u) { iommu_invalidate_pasid(u, IOMMU_PASID_ALL, 0, 0); }

static const struct iotlb_row {
    const char *name;
    void (*invalidate)(struct iommu *u);
    unsigned removed;
} iotlb_rows[] = {
    {"all", all, ALL},
    {"domain", domain, DOMAIN_3},
    {"other_domain", other_domain, 0},
    {"page", page, BIT(SECOND_3) | NESTED_3},
    {"page_leaf_hint", page_leaf, BIT(SECOND_3) | NESTED_3},
    {"two_pages", two_pages, BIT(SECOND_3) | BIT(SECOND_3_NEXT) | NESTED_3},
    {"many_pages", many_pages, BIT(SECOND_3) | BIT(SECOND_3_NEXT) | BIT(SECOND_3_FAR) | NESTED_3},
    {"every_page", every_page, BIT(SECOND_3) | BIT(SECOND_3_NEXT) | BIT(SECOND_3_FAR) | NESTED_3},
    {"pasid", pasid, BIT(FIRST_3_1) | BIT(FIRST_3_1_NEXT)},
    {"nested_pasid", nested_pasid, NESTED_3},
    {"pasid_page", pasid_page, BIT(FIRST_3_1)},
    {"pasid_page_leaf_hint", pasid_page_leaf, BIT(FIRST_3_1)},
    {"nested_page", nested_page, BIT(NESTED_3_3_NEXT)},
    {"pasid_of_second_stage", second_pasid, 0},
    {"contexts", contexts, 0},
    {"pasids", pasids, 0},
};

static void iotlb(void **state)
{
    const struct iotlb_row *row = *state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = lab_new(&params);
    warm(lab);
    row->invalidate(lab->u);
    for (unsigned c = 0; c < CACHED; c++) {
        bool removed = (row->removed >> c & 1) != 0;
        if (hits(lab, (enum cached)c) == removed) {
            fail_msg("entry %u %s", c, removed ? "is still there" : "is gone");
        }
    }
    assert_int_equal(lab->u->caches.iotlb_stats.invalidations, __builtin_popcount(row->removed));
    dma_lab_free(lab);
}

/* The references of a walk say which tables the paging-structure caches still know; here there is no IOTLB. */
static const struct table_row {
    const char *name;
    void (*invalidate)(struct iommu *u);
    enum cached probe;
    unsigned refs;
} table_rows[] = {
    {"none", other_domain, SECOND_3, 1},
    {"all", all, SECOND_3, 4},
    {"domain", domain, SECOND_3, 4},
    {"domain_first", domain, FIRST_3_1, 4},
    {"domain_other", domain, SECOND_4, 1},
    {"page", page, SECOND_3, 4},
    {"page_next", page, SECOND_3_NEXT, 4},   /* shares its tables */
    {"page_far", page, SECOND_3_FAR, 1},     /* has a last table of its own, which does not cover the page */
    {"page_leaf_hint", page_leaf, SECOND_3, 1},
    {"page_first", page, FIRST_3_1, 1},
    {"pasid", pasid, FIRST_3_1, 4},
    {"pasid_other", pasid, FIRST_3_2, 1},
    {"pasid_second", pasid, SECOND_3, 1},
    {"pasid_page", pasid_page, FIRST_3_1, 4},
    {"pasid_page_leaf_hint", pasid_page_leaf, FIRST_3_1, 1},
    {"nested", other_domain, NESTED_3_3, 2},
    {"nested_leaf_hint", page_leaf, NESTED_3_3, 4 + 5},    /* second-stage tables are kept: 4 entries, 5 leaves */
    {"nested_pasid", nested_pasid, NESTED_3_3, 4 + 5},
};

static void tables(void **state)
{
    const struct table_row *row = *state;
    struct iommu_params params = dma_cached_params(64);
    params.iotlb.entries = 0;
    struct dma_lab *lab = lab_new(&params);
    warm(lab);
    row->invalidate(lab->u);
    uint64_t before = lab->u->stats.walk_refs;
    struct iommu_request r = request_of(row->probe);
    assert_true(dma_send(lab, &r).ok);
    assert_int_equal(lab->u->stats.walk_refs - before, row->refs);
    dma_lab_free(lab);
}

/* A large page goes when any of it is named; a range takes every page that it touches. */
static void ranges(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    struct dma_tables second = dma_second_tables(lab, 4);
    dma_map(&second, HV_GIB(2), HV_GIB(1), HV_PAGE_2M);
    for (unsigned i = 0; i < 16; i++) {
        dma_map(&second, HV_GIB(1) + i * HV_PAGE_BYTES, HV_GIB(3) + i * HV_PAGE_BYTES, HV_PAGE_4K);
    }
    dma_attach(lab, 1, 7, &second);
    for (unsigned log2 = 0; log2 <= 4; log2++) {
        for (unsigned i = 0; i < 16; i++) {
            assert_true(dma_read(lab, 1, HV_GIB(1) + i * HV_PAGE_BYTES).ok);
        }
        uint64_t before = lab->u->caches.iotlb_stats.invalidations;
        iommu_invalidate_iotlb(lab->u, IOMMU_IOTLB_PAGE, 7, HV_GIB(1), log2, true);
        assert_int_equal(lab->u->caches.iotlb_stats.invalidations - before, 1u << log2);
    }
    assert_true(dma_read(lab, 1, HV_GIB(2)).ok);
    uint64_t before = lab->u->caches.iotlb_stats.invalidations;
    iommu_invalidate_iotlb(lab->u, IOMMU_IOTLB_PAGE, 7, HV_GIB(2) + 77 * HV_PAGE_BYTES, 0, true);
    assert_int_equal(lab->u->caches.iotlb_stats.invalidations - before, 1);
    dma_lab_free(lab);
}

/* Four legacy sources of two domains; bit N: source N is read anew from memory. */
static const struct context_row {
    const char *name;
    enum iommu_context_scope scope;
    uint16_t domain, source;
    unsigned mask, removed;
} context_rows[] = {
    {"all", IOMMU_CONTEXT_ALL, 99, 0, 0, 0xff},
    {"domain_of_even", IOMMU_CONTEXT_DOMAIN, 20, 0, 0, 0x55},
    {"no_domain", IOMMU_CONTEXT_DOMAIN, 22, 0, 0, 0},
    {"function", IOMMU_CONTEXT_DEVICE, 20, 0x0802, 0, 0x04},
    {"function_of_another_domain", IOMMU_CONTEXT_DEVICE, 21, 0x0802, 0, 0},
    {"mask_bit_2", IOMMU_CONTEXT_DEVICE, 20, 0x0802, 1, 0x44},
    {"mask_bits_2_1", IOMMU_CONTEXT_DEVICE, 20, 0x0802, 2, 0x55},
    {"mask_all", IOMMU_CONTEXT_DEVICE, 21, 0x0802, 3, 0xaa},
    {"other_device", IOMMU_CONTEXT_DEVICE, 20, 0x080a, 3, 0},
};

static void context(void **state)
{
    const struct context_row *row = *state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    for (uint16_t function = 0; function < 8; function++) {
        dma_attach(lab, (uint16_t)(0x0800 + function), (uint16_t)(20 + function % 2), NULL);
        assert_true(dma_read(lab, (uint16_t)(0x0800 + function), IOVA).ok);
    }
    iommu_invalidate_context(lab->u, row->scope, row->domain, row->source, row->mask);
    for (uint16_t function = 0; function < 8; function++) {
        uint64_t before = lab->reads;
        assert_true(dma_read(lab, (uint16_t)(0x0800 + function), IOVA).ok);
        assert_int_equal(lab->reads - before, (row->removed >> function & 1) != 0 ? 2 : 0);
    }
    dma_lab_free(lab);
}

/* PASIDs 0 to 3 of a source; domain 20 for the even ones, 21 for the odd. */
static const struct pasid_row {
    const char *name;
    enum iommu_pasid_scope scope;
    uint16_t domain;
    uint32_t pasid;
    unsigned removed;
} pasid_rows[] = {
    {"all", IOMMU_PASID_ALL, 99, 0, 0xf},
    {"domain", IOMMU_PASID_DOMAIN, 21, 0, 0xa},
    {"no_domain", IOMMU_PASID_DOMAIN, 22, 0, 0},
    {"one", IOMMU_PASID_ONE, 20, 2, 0x4},
    {"one_of_another_domain", IOMMU_PASID_ONE, 21, 2, 0},
};

static void pasid_cache(void **state)
{
    const struct pasid_row *row = *state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    for (uint32_t i = 0; i < 4; i++) {
        dma_attach_pasid(lab, 1, i, (uint16_t)(20 + i % 2), NULL, NULL);
        struct iommu_request r = dma_pasid_request(1, i, IOVA, IOMMU_READ);
        assert_true(dma_send(lab, &r).ok);
    }
    iommu_invalidate_pasid(lab->u, row->scope, row->domain, row->pasid);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t before = lab->reads;
        struct iommu_request r = dma_pasid_request(1, i, IOVA, IOMMU_READ);
        assert_true(dma_send(lab, &r).ok);
        assert_int_equal(lab->reads - before, (row->removed >> i & 1) != 0 ? 2 : 0);
    }
    dma_lab_free(lab);
}

static struct CMUnitTest iotlb_tests[HV_ARRAY_LEN(iotlb_rows)], table_tests[HV_ARRAY_LEN(table_rows)],
    context_tests[HV_ARRAY_LEN(context_rows)], pasid_tests[HV_ARRAY_LEN(pasid_rows)];

int main(int argc, char **argv)
{
    static const struct CMUnitTest rest[] = {cmocka_unit_test(ranges)};
    gtest_rows(iotlb_tests, iotlb, iotlb_rows, sizeof(iotlb_rows[0]), HV_ARRAY_LEN(iotlb_rows));
    gtest_rows(table_tests, tables, table_rows, sizeof(table_rows[0]), HV_ARRAY_LEN(table_rows));
    gtest_rows(context_tests, context, context_rows, sizeof(context_rows[0]), HV_ARRAY_LEN(context_rows));
    gtest_rows(pasid_tests, pasid_cache, pasid_rows, sizeof(pasid_rows[0]), HV_ARRAY_LEN(pasid_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("InvalidateIotlb", iotlb_tests), GTEST_SUITE("InvalidateTables", table_tests),
        GTEST_SUITE("InvalidateContext", context_tests), GTEST_SUITE("InvalidatePasid", pasid_tests),
        GTEST_SUITE("InvalidateRanges", rest),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
