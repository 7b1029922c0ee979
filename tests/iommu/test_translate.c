/* SPDX-License-Identifier: MIT */
/* Where devices' addresses lead, in all modes, with all numbers of levels and sizes of pages; and the references. */
#include "iommu/dma_lab.h"

#include <stdio.h>

enum { SOURCE = 0x1234, DOMAIN = 7, PASID = 0x45 };

/* An address in the middle of any page, which each level translates by another index. */
#define IOVA UINT64_C(0x0000007040201000)
#define OFFSET UINT64_C(0x234)

static uint64_t page_of(uint64_t address, enum hv_page_size size)
{
    return address & ~(hv_page_bytes(size) - 1);
}

/* Where a page of a size is mapped to; no memory need be there. */
static uint64_t target_of(enum hv_page_size size)
{
    return HV_GIB(5) & ~(hv_page_bytes(size) - 1);
}

static uint64_t expected(uint64_t address, enum hv_page_size size)
{
    return target_of(size) + (address - page_of(address, size));
}

static void off(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    dma_program(lab, IOMMU_LEGACY, false);
    struct iommu_reply reply = dma_read(lab, SOURCE, IOVA);
    assert_true(reply.ok);
    assert_int_equal(reply.address, IOVA);
    assert_int_equal(reply.done, 0);
    assert_int_equal(lab->reads, 0);
    dma_lab_free(lab);
}

/* Root entry, context entry, then one entry a level. */
static void legacy(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        for (unsigned size = HV_PAGE_4K; size < HV_PAGE_SIZES; size++) {
            struct iommu_params params = dma_bare_params();
            struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
            struct dma_tables second = dma_second_tables(lab, levels);
            uint64_t address = (levels == 3 ? IOVA & 0x3fffffffff : IOVA) + OFFSET;
            dma_map(&second, page_of(address, size), target_of(size), size);
            dma_attach(lab, SOURCE, DOMAIN, &second);
            struct iommu_reply reply = dma_write(lab, SOURCE, address);
            assert_true(reply.ok);
            assert_int_equal(reply.address, expected(address, size));
            assert_int_equal(reply.size_shift, 12 + 9 * size);
            assert_int_equal(lab->reads, 2 + levels - size);
            assert_int_equal(reply.done, lab->reads * DMA_READ_CYCLES);
            assert_int_equal(lab->u->stats.walk_refs, levels - size);
            assert_int_equal(lab->u->stats.walk_refs_second, levels - size);
            assert_int_equal(lab->u->stats.structure_refs, 2);
            dma_lab_free(lab);
        }
    }
}

static void legacy_passthrough(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    dma_attach(lab, SOURCE, DOMAIN, NULL);
    struct iommu_reply reply = dma_write(lab, SOURCE, HV_GIB(3) + OFFSET);
    assert_true(reply.ok);
    assert_int_equal(reply.address, HV_GIB(3) + OFFSET);
    assert_int_equal(lab->reads, 2);
    assert_int_equal(lab->u->stats.passed_through, 1);
    dma_lab_free(lab);
}

/* Root, context, PASID directory, PASID table: 4 references before those of the walk. */
static void scalable_first(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned size = HV_PAGE_4K; size < HV_PAGE_SIZES; size++) {
            struct iommu_params params = dma_bare_params();
            struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
            struct dma_tables first = dma_first_tables(lab, levels);
            dma_map(&first, page_of(IOVA, size), target_of(size), size);
            dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, &first, NULL);
            struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA + OFFSET, IOMMU_WRITE);
            dma_expect(lab, &r, expected(IOVA + OFFSET, size));
            assert_int_equal(lab->reads, 4 + levels - size);
            assert_int_equal(lab->u->stats.walk_refs_first, levels - size);
            dma_lab_free(lab);
        }
    }
}

static void scalable_second(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        struct iommu_params params = dma_bare_params();
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables second = dma_second_tables(lab, levels);
        uint64_t address = IOVA & 0x3fffffffff;
        dma_map(&second, address, target_of(HV_PAGE_4K), HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, NULL, &second);
        struct iommu_request r = dma_pasid_request(SOURCE, PASID, address + OFFSET, IOMMU_READ);
        dma_expect(lab, &r, target_of(HV_PAGE_4K) + OFFSET);
        assert_int_equal(lab->reads, 4 + levels);
        dma_lab_free(lab);
    }
}

static void scalable_passthrough(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    dma_attach_pasid(lab, SOURCE, 0, DOMAIN, NULL, NULL);
    struct iommu_request r = dma_request(SOURCE, HV_GIB(2) + OFFSET, IOMMU_READ);
    dma_expect(lab, &r, HV_GIB(2) + OFFSET);
    assert_int_equal(lab->reads, 4);
    dma_lab_free(lab);
}

/* Each of the f first-stage entries and the page take a walk of s: (f + 1)(s + 1) - 1 references, as on the CPU. */
static void nested(void **state)
{
    (void)state;
    for (unsigned first_levels = 4; first_levels <= 5; first_levels++) {
        for (unsigned second_levels = 3; second_levels <= 5; second_levels++) {
            struct iommu_params params = dma_bare_params();
            struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
            struct dma_tables second = dma_second_tables(lab, second_levels);
            struct dma_tables first = dma_nested_tables(lab, first_levels, &second, HV_PAGE_4K);
            dma_map(&first, IOVA, HV_GIB(1), HV_PAGE_4K);
            dma_map(&second, HV_GIB(1), target_of(HV_PAGE_4K), HV_PAGE_4K);
            dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, &first, &second);
            struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA + OFFSET, IOMMU_WRITE);
            dma_expect(lab, &r, target_of(HV_PAGE_4K) + OFFSET);
            assert_int_equal(lab->u->stats.walk_refs, (first_levels + 1) * (second_levels + 1) - 1);
            assert_int_equal(lab->u->stats.walk_refs_first, first_levels);
            dma_lab_free(lab);
        }
    }
}

/* A nested translation holds for the smaller of both pages. */
static void nested_page_sizes(void **state)
{
    (void)state;
    for (unsigned first_size = HV_PAGE_4K; first_size < HV_PAGE_SIZES; first_size++) {
        for (unsigned second_size = HV_PAGE_4K; second_size < HV_PAGE_SIZES; second_size++) {
            struct iommu_params params = dma_bare_params();
            struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
            struct dma_tables second = dma_second_tables(lab, 4);
            struct dma_tables first = dma_nested_tables(lab, 4, &second, HV_PAGE_4K);
            dma_map(&first, page_of(IOVA, first_size), HV_GIB(4), first_size);
            uint64_t middle = HV_GIB(4) + (IOVA - page_of(IOVA, first_size));
            dma_map(&second, page_of(middle, second_size), target_of(second_size), second_size);
            dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, &first, &second);
            struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA + OFFSET, IOMMU_READ);
            struct iommu_reply reply = dma_send(lab, &r);
            assert_true(reply.ok);
            assert_int_equal(reply.address, expected(middle + OFFSET, second_size));
            assert_int_equal(reply.size_shift, 12 + 9 * (first_size < second_size ? first_size : second_size));
            dma_lab_free(lab);
        }
    }
}

/* A request without PASID has that of its context entry. */
static void rid_pasid(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables first = dma_first_tables(lab, 4);
    dma_map(&first, IOVA, target_of(HV_PAGE_4K), HV_PAGE_4K);
    dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, &first, NULL);
    dma_poke(lab, dma_context_entry(lab, SOURCE) + 8, PASID);
    struct iommu_request r = dma_request(SOURCE, IOVA + OFFSET, IOMMU_READ);
    dma_expect(lab, &r, target_of(HV_PAGE_4K) + OFFSET);
    dma_lab_free(lab);
}

/* Devices 16 to 31 of a bus have the upper half of the root entry. */
static void upper_half_of_the_bus(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables low = dma_second_tables(lab, 4), high = dma_second_tables(lab, 4);
    dma_map(&low, IOVA, HV_GIB(1), HV_PAGE_4K);
    dma_map(&high, IOVA, HV_GIB(2), HV_PAGE_4K);
    dma_attach_pasid(lab, 0x0110, 0, 1, NULL, &low);
    dma_attach_pasid(lab, 0x0190, 0, 2, NULL, &high);
    struct iommu_request r = dma_request(0x0110, IOVA, IOMMU_READ);
    dma_expect(lab, &r, HV_GIB(1));
    r.source = 0x0190;
    dma_expect(lab, &r, HV_GIB(2));
    dma_lab_free(lab);
}

/* VT-d: a page that may only be written is legal. */
static void write_only(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    struct dma_tables second = dma_second_tables(lab, 4);
    second.leaf_bits = 2;
    dma_map(&second, IOVA, HV_GIB(1), HV_PAGE_4K);
    dma_attach(lab, SOURCE, DOMAIN, &second);
    assert_true(dma_write(lab, SOURCE, IOVA).ok);
    assert_int_equal(dma_read(lab, SOURCE, IOVA).fault, 0x06);
    dma_lab_free(lab);
}

/* The first stage sets accessed and dirty flags, and the extended-accessed flag when that is enabled. */
static void first_stage_flags(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        struct iommu_params params = dma_bare_params();
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables first = dma_first_tables(lab, 4);
        first.table_bits = first.leaf_bits = 7;
        dma_map(&first, IOVA, HV_GIB(1), HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, &first, NULL);
        uint64_t word2 = dma_pasid_entry(lab, SOURCE, PASID) + 16;
        dma_poke(lab, word2, dma_peek(lab, word2) | (extended != 0 ? IOMMU_PASID_EAFE : 0));
        uint64_t accessed = 0x20 | (extended != 0 ? 0x400 : 0);
        struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA, IOMMU_READ);
        assert_true(dma_send(lab, &r).ok);
        assert_int_equal(dma_peek(lab, dma_entry(&first, IOVA, 1)) & 0xfff, 7 | accessed);
        assert_int_equal(dma_peek(lab, dma_entry(&first, IOVA, 4)) & 0xfff, 7 | accessed);
        assert_int_equal(lab->u->stats.flag_updates, 4);
        r.access = IOMMU_WRITE;
        assert_true(dma_send(lab, &r).ok);
        assert_int_equal(dma_peek(lab, dma_entry(&first, IOVA, 1)) & 0xfff, 7 | accessed | 0x40);
        assert_int_equal(lab->u->stats.flag_updates, 5);
        dma_lab_free(lab);
    }
}

/* The second stage does so with SSADE only. */
static void second_stage_flags(void **state)
{
    (void)state;
    for (unsigned enabled = 0; enabled < 2; enabled++) {
        struct iommu_params params = dma_bare_params();
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
        struct dma_tables second = dma_second_tables(lab, 4);
        dma_map(&second, IOVA, HV_GIB(1), HV_PAGE_4K);
        dma_attach_pasid(lab, SOURCE, PASID, DOMAIN, NULL, &second);
        uint64_t word0 = dma_pasid_entry(lab, SOURCE, PASID), leaf = dma_entry(&second, IOVA, 1);
        dma_poke(lab, word0, dma_peek(lab, word0) | (enabled != 0 ? IOMMU_PASID_SSADE : 0));
        struct iommu_request r = dma_pasid_request(SOURCE, PASID, IOVA, IOMMU_READ);
        assert_true(dma_send(lab, &r).ok);
        assert_int_equal(dma_peek(lab, leaf) & 0xfff, enabled != 0 ? 0x103 : 3);
        r.access = IOMMU_WRITE;
        assert_true(dma_send(lab, &r).ok);
        assert_int_equal(dma_peek(lab, leaf) & 0xfff, enabled != 0 ? 0x303 : 3);
        dma_lab_free(lab);
    }
}

/* Walks that do not snoop go past the last-level cache. */
static void snooping(void **state)
{
    (void)state;
    static const struct { bool coherent; enum iommu_walk_entry entry; bool dram; } rows[] = {
        {true, IOMMU_WALK_LLC, false}, {true, IOMMU_WALK_DRAM, true}, {false, IOMMU_WALK_LLC, true},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct iommu_params params = dma_bare_params();
        params.coherent = rows[i].coherent;
        params.walk_entry = rows[i].entry;
        struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
        struct dma_tables second = dma_second_tables(lab, 4);
        dma_map(&second, IOVA, HV_GIB(1), HV_PAGE_4K);
        dma_attach(lab, SOURCE, DOMAIN, &second);
        assert_true(dma_read(lab, SOURCE, IOVA).ok);
        assert_int_equal(lab->dram_reads, rows[i].dram ? 6 : 0);
        dma_lab_free(lab);
    }
}

/* What is addressed to interrupts is no DMA; with a PASID it is an address as any other. */
static void interrupt_range(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_SCALABLE);
    struct dma_tables first = dma_first_tables(lab, 4);
    dma_map(&first, IOMMU_INTERRUPT_RANGE, HV_GIB(1), HV_PAGE_4K);
    dma_attach_pasid(lab, SOURCE, 0, DOMAIN, &first, NULL);
    dma_attach_pasid(lab, SOURCE, 1, DOMAIN, &first, NULL);
    struct iommu_request r = dma_request(SOURCE, IOMMU_INTERRUPT_RANGE, IOMMU_READ);
    dma_expect_fault(lab, &r, 0x29);
    r.has_pasid = true;
    r.pasid = 1;
    dma_expect(lab, &r, HV_GIB(1));
    r.address = IOMMU_INTERRUPT_RANGE - 8;
    r.has_pasid = false;
    dma_expect_fault(lab, &r, 0x71); /* just below: a DMA, of a page that is not there */
    dma_lab_free(lab);
}

/* One statistic of each kind by its name. */
static void statistics(void **state)
{
    (void)state;
    struct iommu_params params = dma_bare_params();
    struct dma_lab *lab = dma_lab_new(&params, IOMMU_LEGACY);
    struct dma_tables second = dma_second_tables(lab, 4);
    dma_map(&second, IOVA, HV_GIB(1), HV_PAGE_4K);
    dma_attach(lab, SOURCE, DOMAIN, &second);
    struct stat_registry registry;
    stats_init(&registry);
    iommu_register_stats(lab->u, &registry);
    assert_true(dma_read(lab, SOURCE, IOVA).ok);
    assert_int_equal(stats_count(&registry, "iommu.requests"), 1);
    assert_int_equal(stats_count(&registry, "iommu.iotlb.lookups"), 1);
    assert_int_equal(stats_count(&registry, "iommu.context_cache.misses"), 1);
    assert_int_equal(stats_count(&registry, "iommu.translation_cycles_p50"), 6 * DMA_READ_CYCLES);
    double value;
    assert_true(stats_value(&registry, (size_t)stats_find(&registry, "iommu.refs_per_miss"), &value));
    assert_true(value == 4);
    iommu_reset_stats(lab->u);
    assert_int_equal(stats_count(&registry, "iommu.requests"), 0);
    stats_fini(&registry);
    dma_lab_free(lab);
}

GTEST_MAIN("Translate", cmocka_unit_test(off), cmocka_unit_test(legacy), cmocka_unit_test(legacy_passthrough),
           cmocka_unit_test(scalable_first), cmocka_unit_test(scalable_second),
           cmocka_unit_test(scalable_passthrough), cmocka_unit_test(nested), cmocka_unit_test(nested_page_sizes),
           cmocka_unit_test(rid_pasid), cmocka_unit_test(upper_half_of_the_bus), cmocka_unit_test(write_only),
           cmocka_unit_test(first_stage_flags), cmocka_unit_test(second_stage_flags), cmocka_unit_test(snooping),
           cmocka_unit_test(interrupt_range), cmocka_unit_test(statistics))
