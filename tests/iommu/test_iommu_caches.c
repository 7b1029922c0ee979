/* SPDX-License-Identifier: MIT */
/* What the IOMMU caches: how much of it, for whom, and what it costs to miss. */
#include "iommu/dma_lab.h"

#include <string.h>

#include "iommu/iommu_parts.h"

enum { SOURCE = 0x0300, PASID = 9 };

#define BASE UINT64_C(0x0000001040200000)

static struct dma_lab *legacy_lab(const struct iommu_params *params, struct dma_tables *second, uint16_t sources)
{
    struct dma_lab *lab = dma_lab_new(params, IOMMU_LEGACY);
    *second = dma_second_tables(lab, 4);
    for (uint16_t i = 0; i < sources; i++) {
        dma_attach(lab, (uint16_t)(SOURCE + i), 7, second);
    }
    return lab;
}

static void map_pages(struct dma_tables *t, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        dma_map(t, BASE + i * HV_PAGE_BYTES, HV_GIB(1) + i * HV_PAGE_BYTES, HV_PAGE_4K);
    }
}

/* Everything absent: each request makes all references again. */
static void absent(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 1);
    map_pages(&second, 1);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(dma_read(lab, SOURCE, BASE).ok);
        assert_int_equal(lab->reads, 6 * i);
    }
    assert_int_equal(lab->u->caches.context.stats.misses, 3);
    assert_int_equal(lab->u->caches.iotlb_stats.misses, 3);
    dma_lab_free(lab);
}

/* A round over `pages` pages, several times: all hits while they fit, no hit at all (LRU) with one more. */
static void iotlb_capacity(void **state)
{
    (void)state;
    for (unsigned pages = 7; pages <= 9; pages++) {
        struct iommu_params params = dma_bare_params();
        params.iotlb.entries = 8;
        struct dma_tables second;
        struct dma_lab *lab = legacy_lab(&params, &second, 1);
        map_pages(&second, pages);
        for (unsigned round = 0; round < 4; round++) {
            for (unsigned i = 0; i < pages; i++) {
                assert_true(dma_read(lab, SOURCE, BASE + i * HV_PAGE_BYTES).ok);
            }
        }
        assert_int_equal(lab->u->caches.iotlb_stats.hits, pages <= 8 ? 3 * pages : 0);
        assert_int_equal(lab->u->caches.iotlb_stats.misses, pages <= 8 ? pages : 4 * pages);
        assert_int_equal(lab->u->caches.iotlb_stats.evictions, pages <= 8 ? 0 : 4 * pages - 8);
        dma_lab_free(lab);
    }
}

/* 4 sets of 2 ways: pages that differ by 4 share a set. */
static void iotlb_ways(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    params.iotlb.entries = 8;
    params.iotlb.ways = 2;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 1);
    map_pages(&second, 12);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 12; i += 4) {
            assert_true(dma_read(lab, SOURCE, BASE + i * HV_PAGE_BYTES).ok);
        }
    }
    assert_int_equal(lab->u->caches.iotlb_stats.hits, 0);
    dma_lab_free(lab);
}

/* Each source has a context entry of its own; the domain's translations are for all of them. */
static void context_capacity(void **state)
{
    (void)state;
    for (uint16_t sources = 3; sources <= 5; sources++) {
        struct iommu_params params = dma_cached_params(8);
        params.context_cache.entries = 4;
        struct dma_tables second;
        struct dma_lab *lab = legacy_lab(&params, &second, sources);
        map_pages(&second, 1);
        for (unsigned round = 0; round < 3; round++) {
            for (uint16_t i = 0; i < sources; i++) {
                assert_true(dma_read(lab, (uint16_t)(SOURCE + i), BASE).ok);
            }
        }
        assert_int_equal(lab->u->caches.context.stats.hits, sources <= 4 ? 2 * sources : 0);
        assert_int_equal(lab->u->caches.iotlb_stats.misses, 1);
        dma_lab_free(lab);
    }
}

static void pasid_capacity(void **state)
{
    (void)state;
    for (uint32_t pasids = 3; pasids <= 5; pasids++) {
        struct iommu_params params = dma_cached_params(8);
        params.pasid_cache.entries = 4;
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables first = dma_first_tables(lab, 4);
        map_pages(&first, 1);
        for (uint32_t i = 0; i < pasids; i++) {
            dma_attach_pasid(lab, SOURCE, i, 7, &first, NULL);
        }
        for (unsigned round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < pasids; i++) {
                struct iommu_request r = dma_pasid_request(SOURCE, i, BASE, IOMMU_READ);
                dma_expect(lab, &r, HV_GIB(1));
            }
        }
        assert_int_equal(lab->u->caches.pasid.stats.hits, pasids <= 4 ? 2 * pasids : 0);
        assert_int_equal(lab->u->caches.iotlb_stats.misses, pasids); /* first-stage translations belong to a PASID */
        dma_lab_free(lab);
    }
}

/* The same address of two domains, and of two PASIDs of one domain, has two translations. */
static void domains_do_not_mix(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    for (uint16_t i = 0; i < 8; i++) {
        struct dma_tables second = dma_second_tables(lab, 4);
        dma_map(&second, BASE, HV_GIB(i + 1), HV_PAGE_4K);
        dma_attach(lab, (uint16_t)(SOURCE + i), (uint16_t)(100 + i), &second);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (uint16_t i = 0; i < 8; i++) {
            struct iommu_request r = dma_request((uint16_t)(SOURCE + i), BASE + 8, IOMMU_READ);
            dma_expect(lab, &r, HV_GIB(i + 1) + 8);
        }
    }
    assert_int_equal(lab->u->caches.iotlb_stats.hits, 8);
    dma_lab_free(lab);
}

static void pasids_do_not_mix(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    for (uint32_t i = 0; i < 8; i++) {
        struct dma_tables first = dma_first_tables(lab, 4);
        dma_map(&first, BASE, HV_GIB(i + 1), HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, i, 7, &first, NULL);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            struct iommu_request r = dma_pasid_request(SOURCE, i, BASE + 8, IOMMU_READ);
            dma_expect(lab, &r, HV_GIB(i + 1) + 8);
        }
    }
    assert_int_equal(lab->u->caches.iotlb_stats.hits, 8);
    dma_lab_free(lab);
}

/* Software error or intent: two sources with one domain id share what is cached, whatever their tables are. */
static void a_domain_is_its_number(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    for (uint16_t i = 0; i < 2; i++) {
        struct dma_tables second = dma_second_tables(lab, 4);
        dma_map(&second, BASE, HV_GIB(i + 1), HV_PAGE_4K);
        dma_attach(lab, (uint16_t)(SOURCE + i), 7, &second);
    }
    for (uint16_t i = 0; i < 2; i++) {
        struct iommu_request r = dma_request((uint16_t)(SOURCE + i), BASE, IOMMU_READ);
        dma_expect(lab, &r, HV_GIB(1));
    }
    dma_lab_free(lab);
}

/* With warm paging-structure caches a second-stage walk reads the leaf's entry alone. */
static void warm_second_stage(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    params.iotlb.entries = 0;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 1);
    map_pages(&second, 4);
    assert_true(dma_read(lab, SOURCE, BASE).ok);
    assert_int_equal(lab->u->stats.walk_refs, 4);
    for (unsigned i = 1; i < 4; i++) {
        assert_true(dma_read(lab, SOURCE, BASE + i * HV_PAGE_BYTES).ok);
        assert_int_equal(lab->u->stats.walk_refs, 4 + i);
    }
    assert_int_equal(lab->u->caches.pwc.stats[HV_HOST][2].hits, 3);
    dma_lab_free(lab);
}

/* Nested: the first stage's last entry and, for the page, the second stage's last: 2 references. */
static void warm_nested(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    params.iotlb.entries = 0;
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables second = dma_second_tables(lab, 4);
    struct dma_tables first = dma_nested_tables(lab, 4, &second, HV_PAGE_4K);
    for (unsigned i = 0; i < 8; i++) {
        dma_map(&first, BASE + i * HV_PAGE_BYTES, HV_GIB(2) + i * HV_PAGE_BYTES, HV_PAGE_4K);
        dma_map(&second, HV_GIB(2) + i * HV_PAGE_BYTES, HV_GIB(1) + i * HV_PAGE_BYTES, HV_PAGE_4K);
    }
    dma_attach_pasid(lab, SOURCE, PASID, 7, &first, &second);
    struct iommu_request r = dma_pasid_request(SOURCE, PASID, BASE, IOMMU_READ);
    dma_expect(lab, &r, HV_GIB(1));
    uint64_t cold = lab->u->stats.walk_refs;
    assert_true(cold <= 24);
    for (unsigned i = 1; i < 8; i++) {
        r.address = BASE + i * HV_PAGE_BYTES;
        dma_expect(lab, &r, HV_GIB(1) + i * HV_PAGE_BYTES);
        assert_int_equal(lab->u->stats.walk_refs, cold + 2 * i);
    }
    dma_lab_free(lab);
}

/* A 2 MiB page takes one entry. */
static void large_pages(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(4);
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 1);
    dma_map(&second, BASE, HV_GIB(1), HV_PAGE_2M);
    for (unsigned i = 0; i < 512; i++) {
        struct iommu_request r = dma_request(SOURCE, BASE + i * HV_PAGE_BYTES + 8, IOMMU_WRITE);
        dma_expect(lab, &r, HV_GIB(1) + i * HV_PAGE_BYTES + 8);
    }
    assert_int_equal(lab->u->caches.iotlb_stats.misses, 1);
    dma_lab_free(lab);
}

/* Without caching mode nothing that is not present is cached: a new mapping needs no invalidation. */
static void absent_entries_are_not_cached(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(8);
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 0);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x01);
    dma_context_entry(lab, SOURCE);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x02);
    dma_attach(lab, SOURCE, 7, &second);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x06);
    map_pages(&second, 1);
    assert_true(dma_read(lab, SOURCE, BASE).ok);
    dma_lab_free(lab);
}

/* With it, it does: the context entry under domain 0, the page under its domain. */
static void caching_mode(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(8);
    params.caching_mode = true;
    struct dma_tables second;
    struct dma_lab *lab = legacy_lab(&params, &second, 0);
    dma_context_entry(lab, SOURCE);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x02);
    dma_attach(lab, SOURCE, 7, &second);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x02);
    iommu_invalidate_context(lab->u, IOMMU_CONTEXT_DOMAIN, 7, 0, 0); /* keeps it */
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x02);
    iommu_invalidate_context(lab->u, IOMMU_CONTEXT_DEVICE, 0, SOURCE, 0);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x06);
    map_pages(&second, 1);
    assert_int_equal(dma_read(lab, SOURCE, BASE).fault, 0x06);
    assert_int_equal(dma_write(lab, SOURCE, BASE).fault, 0x05);
    assert_int_equal(dma_write(lab, SOURCE, BASE + HV_MIB(64)).fault, 0x05);
    assert_int_equal(dma_read(lab, SOURCE, BASE + HV_MIB(64)).fault, 0x06);
    iommu_invalidate_iotlb(lab->u, IOMMU_IOTLB_DOMAIN, 7, 0, 0, false);
    assert_true(dma_read(lab, SOURCE, BASE).ok);
    dma_lab_free(lab);
}

/* More domains and PASIDs than there are numbers for spaces: slower, never wrong. */
static void more_spaces_than_numbers(void **state)
{
    (void)state;
    struct iommu_params params = dma_cached_params(64);
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables one = dma_second_tables(lab, 3), two = dma_second_tables(lab, 3);
    dma_map(&one, HV_MIB(2), HV_GIB(1), HV_PAGE_4K);
    dma_map(&two, HV_MIB(2), HV_GIB(2), HV_PAGE_4K);
    struct iommu_request r = dma_pasid_request(SOURCE, PASID, HV_MIB(2), IOMMU_READ);
    for (uint32_t domain = 1; domain < 40000; domain++) {
        dma_attach_pasid(lab, SOURCE, PASID, (uint16_t)domain, NULL, (domain & 1) != 0 ? &one : &two);
        iommu_invalidate_pasid(lab->u, IOMMU_PASID_ALL, 0, 0);
        dma_expect(lab, &r, (domain & 1) != 0 ? HV_GIB(1) : HV_GIB(2));
    }
    dma_lab_free(lab);
}

static void bad_geometry(void **state)
{
    (void)state;
    struct physmem memory;
    struct hv_err err = {.text = ""};
    assert_true(physmem_init(&memory, HV_MIB(1), &err));
    for (unsigned which = 0; which < 4; which++) {
        struct iommu_params params = dma_bare_params();
        struct iommu_cache_params *caches[] = {&params.iotlb, &params.context_cache, &params.pasid_cache};
        static const char *const names[] = {"iommu.iotlb", "iommu.context_cache", "iommu.pasid_cache", "iommu.pwc.l3"};
        if (which < 3) {
            caches[which]->entries = 6;
            caches[which]->ways = 4;
        } else {
            params.pwc[3] = (struct pwc_level_params){.entries = 6, .ways = 4};
        }
        struct iommu *u = test_calloc(1, sizeof(*u));
        struct iommu_wires wires = {.ctx = NULL};
        err.text[0] = 0;
        assert_false(iommu_init(u, &params, &memory, &wires, &err));
        assert_non_null(strstr(err.text, names[which]));
        test_free(u);
    }
    physmem_fini(&memory);
}

GTEST_MAIN("IommuCaches", cmocka_unit_test(absent), cmocka_unit_test(iotlb_capacity), cmocka_unit_test(iotlb_ways),
           cmocka_unit_test(context_capacity), cmocka_unit_test(pasid_capacity),
           cmocka_unit_test(domains_do_not_mix), cmocka_unit_test(pasids_do_not_mix),
           cmocka_unit_test(a_domain_is_its_number), cmocka_unit_test(warm_second_stage),
           cmocka_unit_test(warm_nested), cmocka_unit_test(large_pages),
           cmocka_unit_test(absent_entries_are_not_cached), cmocka_unit_test(caching_mode),
           cmocka_unit_test(more_spaces_than_numbers), cmocka_unit_test(bad_geometry))
