/* SPDX-License-Identifier: MIT */
/*
 * The tables that software writes for an IOMMU, byte by byte: layouts from VT-d chapter 9, "Translation Structure
 * Formats", with their numbers spelled out here.
 */
#include "dma_rig.h"

#include "gtest.h"

#include <string.h>

#define POINTER UINT64_C(0xfffffffffffff000)
#define ADDRESS_BITS UINT64_C(0x000ffffffffff000)

enum { BUS = DMA_RIG_SOURCE >> 8, FUNCTION = DMA_RIG_SOURCE & 255, DOMAIN = 5 };

static uint64_t root_of(struct dma_rig *r)
{
    return iommu_read(r->iommu, 0x20, 8, 0) & POINTER;
}

/* --- legacy mode ------------------------------------------------------------------------------------------------- */

static void legacy_entries(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = levels});
        assert_int_equal(iommu_read(r.iommu, 0x20, 8, 0) & 0xfff, 0);
        uint64_t root = dma_rig_word(&r, root_of(&r) + BUS * 16);
        assert_int_equal(root & 0xfff, 1);
        assert_int_equal(dma_rig_word(&r, root_of(&r) + BUS * 16 + 8), 0);
        uint64_t context = (root & POINTER) + FUNCTION * 16;
        assert_int_equal(dma_rig_word(&r, context), r.domain.second.root | 1);
        assert_int_equal(dma_rig_word(&r, context + 8), (levels - 2) | DOMAIN << 8);
        /* Its neighbours and the other buses lead nowhere. */
        assert_int_equal(dma_rig_word(&r, context - 16), 0);
        assert_int_equal(dma_rig_word(&r, context + 16), 0);
        assert_int_equal(dma_rig_word(&r, root_of(&r) + (BUS + 1) * 16), 0);
        dma_rig_fini(&r);
    }
}

/* Translation type 10, and the widest address width, 57 bits (3). */
static void legacy_pass_through(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_init(&r);
    r.hardware.scalable = false;
    dma_rig_start(&r, DMA_PASSTHROUGH);
    dma_rig_attach(&r, &(struct dma_rig_setup){.mode = DMA_PASSTHROUGH});
    uint64_t context = (dma_rig_word(&r, root_of(&r) + BUS * 16) & POINTER) + FUNCTION * 16;
    assert_int_equal(dma_rig_word(&r, context), 2 << 2 | 1);
    assert_int_equal(dma_rig_word(&r, context + 8), 3 | DOMAIN << 8);
    dma_rig_fini(&r);
}

/* Translation type 01: the device may ask for translations. */
static void legacy_device_tlb(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = 4});
    struct dma_device device = {.source = DMA_RIG_SOURCE + 8, .device_tlb = true};
    assert_true(dma_attach(&r.domain, &device, 0).ok);
    uint64_t context = (dma_rig_word(&r, root_of(&r) + BUS * 16) & POINTER) + (FUNCTION + 8) * 16;
    assert_int_equal(dma_rig_word(&r, context), r.domain.second.root | 1 << 2 | 1);
    dma_rig_fini(&r);
}

/* --- scalable mode ----------------------------------------------------------------------------------------------- */

/* The address of a device's PASID-table entry, found as hardware would. */
static uint64_t pasid_entry(struct dma_rig *r, uint16_t source, uint32_t pasid)
{
    unsigned function = source & 255;
    uint64_t root = dma_rig_word(r, root_of(r) + (source >> 8) * 16u + function / 128 * 8);
    assert_int_equal(root & 0xfff, 1);
    uint64_t context = dma_rig_word(r, (root & POINTER) + function % 128 * 32);
    assert_int_equal(context & 1, 1);
    assert_true(pasid >> 6 < 1u << ((context >> 9 & 7) + 7));
    uint64_t directory = dma_rig_word(r, (context & POINTER) + (pasid >> 6) * 8);
    assert_int_equal(directory & 0xfff, 1);
    return (directory & POINTER) + pasid % 64 * 64;
}

#define WALKS_SNOOP (UINT64_C(1) << 23)

/* Word 0: P, AW 4:2, PGTT 8:6, second stage; word 1: domain, and PWSNP is set; word 2: 5 levels 3:2, first stage. */
static void check_pasid_entry(struct dma_rig *r, uint64_t entry, const uint64_t *words)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t expected = (i < 3 ? words[i] : 0) | (i == 1 ? WALKS_SNOOP : 0);
        assert_int_equal(dma_rig_word(r, entry + 8 * i), expected);
    }
}

static void scalable_entries(void **state)
{
    (void)state;
    static const struct { enum dma_mode mode; unsigned levels; uint64_t low; uint64_t third; } rows[] = {
        {DMA_PASSTHROUGH, 4, 4 << 6 | 3 << 2 | 1, 0},
        {DMA_FIRST, 4, 1 << 6 | 1, 0},
        {DMA_FIRST, 5, 1 << 6 | 1, 1 << 2},
        {DMA_SECOND, 3, 2 << 6 | 1 << 2 | 1, 0},
        {DMA_SECOND, 4, 2 << 6 | 2 << 2 | 1, 0},
        {DMA_SECOND, 5, 2 << 6 | 3 << 2 | 1, 0},
        {DMA_NESTED, 4, 3 << 6 | 2 << 2 | 1, 0},
        {DMA_NESTED, 5, 3 << 6 | 2 << 2 | 1, 1 << 2},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = rows[i].mode, .levels = rows[i].levels});
        assert_int_equal(iommu_read(r.iommu, 0x20, 8, 0) & 0xfff, 1 << 10);
        const uint64_t words[] = {rows[i].low | r.domain.second.root, DOMAIN, rows[i].third | r.domain.first.root};
        check_pasid_entry(&r, pasid_entry(&r, DMA_RIG_SOURCE, 0), words);
        dma_rig_fini(&r);
    }
}

/* Devices from 16 on have a context table of their own; a PASID has an entry of its own, and a flag in the context. */
static void scalable_upper_half_and_pasids(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_SECOND, .levels = 4});
    struct dma_device device = {.source = 0x07a9, .has_pasid = true, .pasid = 32767, .device_tlb = true,
                                .page_requests = true};
    assert_true(dma_attach(&r.domain, &device, 0).ok);
    const uint64_t words[] = {r.domain.second.root | 2 << 6 | 2 << 2 | 1, DOMAIN, 0};
    check_pasid_entry(&r, pasid_entry(&r, 0x07a9, 32767), words);
    uint64_t root = dma_rig_word(&r, root_of(&r) + 7 * 16 + 8);
    assert_int_equal(dma_rig_word(&r, root_of(&r) + 7 * 16), 0);
    uint64_t context = dma_rig_word(&r, (root & POINTER) + (0xa9 - 0x80) * 32);
    assert_int_equal(context & 0x1f, 1 | 1 << 2 | 1 << 3 | 1 << 4);
    /* RID_PASID is 0, which this device has no entry for. */
    assert_int_equal(dma_rig_word(&r, (root & POINTER) + (0xa9 - 0x80) * 32 + 8), 0);
    assert_int_equal(dma_rig_word(&r, context & POINTER), 0);
    device.pasid = 32768;
    assert_false(dma_attach(&r.domain, &device, 0).ok);
    dma_rig_fini(&r);
}

static void detaching_empties_the_entry(void **state)
{
    (void)state;
    static const enum dma_mode modes[] = {DMA_LEGACY, DMA_SECOND, DMA_NESTED};
    for (size_t i = 0; i < HV_ARRAY_LEN(modes); i++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = modes[i], .levels = 4});
        struct dma_device device = {.source = DMA_RIG_SOURCE};
        uint64_t entry = modes[i] == DMA_LEGACY
                             ? (dma_rig_word(&r, root_of(&r) + BUS * 16) & POINTER) + FUNCTION * 16
                             : pasid_entry(&r, DMA_RIG_SOURCE, 0);
        assert_int_equal(dma_rig_word(&r, entry) & 1, 1);
        dma_detach(&r.domain, &device, 0);
        for (unsigned word = 0; word < (modes[i] == DMA_LEGACY ? 2 : 8); word++) {
            assert_int_equal(dma_rig_word(&r, entry + 8 * word), 0);
        }
        assert_int_equal(r.domain.device_count, 0);
        dma_rig_fini(&r);
    }
}

/* --- page tables ------------------------------------------------------------------------------------------------- */

/* The leaf entry of an address, and that all entries above it are `table`. */
static uint64_t leaf(struct dma_rig *r, const struct page_table *t, uint64_t address, unsigned at, uint64_t table)
{
    uint64_t next = t->root;
    for (unsigned level = t->levels; level > at; level--) {
        uint64_t entry = dma_rig_word(r, next + t->host_offset + (address >> (3 + 9 * level) & 511) * 8);
        assert_int_equal(entry & ~ADDRESS_BITS, table);
        next = entry & ADDRESS_BITS;
    }
    return dma_rig_word(r, next + t->host_offset + (address >> (3 + 9 * at) & 511) * 8);
}

/* Second stage: R bit 0, W bit 1; a leaf above level 1 has bit 7. */
static void second_stage_entries(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3 * 3 * 3; n++) {
        enum hv_page_size page = n % 3;
        enum dma_direction direction = DMA_DEVICE_READS + n / 3 % 3;
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = 3 + n / 9, .page = page});
        uint64_t buffer = DMA_RIG_BUFFERS + 3 * hv_page_bytes(page) + 0x123;
        struct dma_mapping mapping = dma_map(&r.map, buffer, 100, direction, 0);
        assert_true(mapping.ok);
        assert_int_equal(mapping.iova % hv_page_bytes(page), 0x123);
        uint64_t large = page == HV_PAGE_4K ? 0 : 1 << 7;
        assert_int_equal(leaf(&r, &r.domain.second, mapping.iova, page + 1, 3), (buffer - 0x123) | large | direction);
        dma_rig_fini(&r);
    }
}

/* First stage: P 0, W 1, U 2, A 5, and of a leaf D 6; what the device may write it may read. */
static void first_stage_entries(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3 * 3 * 2 * 2; n++) {
        enum hv_page_size page = n % 3;
        enum dma_direction direction = DMA_DEVICE_READS + n / 3 % 3;
        enum dma_mode mode = n / 9 % 2 != 0 ? DMA_NESTED : DMA_FIRST;
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = mode, .levels = 4 + n / 18, .page = page});
        uint64_t buffer = DMA_RIG_BUFFERS + 3 * hv_page_bytes(page);
        struct dma_mapping mapping = dma_map(&r.map, buffer, 100, direction, 0);
        assert_true(mapping.ok);
        uint64_t bits = (page == HV_PAGE_4K ? 0 : 1 << 7) | (direction == DMA_DEVICE_READS ? 0 : 2) | 0x65;
        assert_int_equal(leaf(&r, &r.domain.first, mapping.iova, page + 1, 0x27), buffer | bits);
        dma_rig_fini(&r);
    }
}

/* A buffer of 3 pages and a half, beginning in the middle of a page, has entries for 4 pages; unmapped, for none. */
static void every_page_of_a_buffer(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_SECOND, .levels = 4});
    struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS + 2048, 3 * 4096 + 2048, DMA_DEVICE_BOTH, 0);
    assert_true(mapping.ok);
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t entry = leaf(&r, &r.domain.second, mapping.iova + i * 4096, 1, 3);
        assert_int_equal(entry, (DMA_RIG_BUFFERS + i * 4096) | 3);
    }
    assert_int_equal(r.unit.stats.entries_written, 4);
    dma_unmap(&r.map, mapping.iova, 3 * 4096 + 2048, 0);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(leaf(&r, &r.domain.second, mapping.iova + i * 4096, 1, 3), 0);
    }
    assert_int_equal(r.unit.stats.entries_cleared, 4);
    dma_rig_fini(&r);
}

/* --- a VM's memory ----------------------------------------------------------------------------------------------- */

/* From 4 KiB below a GiB to one 2 MiB page and 4 KiB after the next: each part in the largest pages that fit. */
static void memory_in_the_largest_pages(void **state)
{
    (void)state;
    static const struct { enum hv_page_size largest; unsigned levels[3]; } rows[] = {
        {HV_PAGE_1G, {1, 3, 2}}, {HV_PAGE_2M, {1, 2, 2}}, {HV_PAGE_4K, {1, 1, 1}},
    };
    uint64_t start = HV_GIB(1) - HV_KIB(4), host = HV_GIB(3) - HV_KIB(4);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = 4});
        uint64_t bytes = HV_KIB(4) + HV_GIB(1) + HV_MIB(2) + HV_KIB(4);
        assert_true(dma_domain_map(&r.domain, start, host, bytes, rows[i].largest));
        const uint64_t at[] = {start, HV_GIB(1) + HV_MIB(10), HV_GIB(2), HV_GIB(2) + HV_MIB(2)};
        for (unsigned j = 0; j < 4; j++) {
            unsigned level = j < 3 ? rows[i].levels[j] : 1;
            uint64_t page = at[j] & ~((UINT64_C(1) << (3 + 9 * level)) - 1);
            uint64_t frame = (page + HV_GIB(2)) & ~((UINT64_C(4096) << 9 * (level - 1)) - 1);
            assert_int_equal(leaf(&r, &r.domain.second, at[j], level, 3), frame | 3 | (level > 1 ? 1 << 7 : 0));
        }
        unsigned level;
        assert_null(page_table_find(&r.domain.second, start - 1, &level));
        assert_null(page_table_find(&r.domain.second, start + bytes, &level));
        dma_rig_fini(&r);
    }
}

/* A second stage may be a VM's EPT: its root and its levels are what the entry names. */
static void a_shared_table(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_SECOND, .levels = 4});
    struct page_table ept = {
        .memory = &r.memory, .arena = &r.frames, .levels = 5, .table_bits = 7, .leaf_bits = 7 | 6 << 3,
    };
    struct hv_err err = {""};
    assert_true(page_table_init(&ept));
    struct dma_domain d;
    struct dma_domain_config c = {.id = 9, .mode = DMA_SECOND, .share = &ept};
    assert_true(dma_domain_init(&d, &r.unit, &c, &err));
    struct dma_device device = {.source = 0x1008};
    assert_true(dma_attach(&d, &device, 0).ok);
    const uint64_t words[] = {ept.root | 2 << 6 | 3 << 2 | 1, 9, 0};
    check_pasid_entry(&r, pasid_entry(&r, 0x1008, 0), words);
    dma_domain_fini(&d);
    dma_rig_fini(&r);
}

/* --- what hardware lacks ----------------------------------------------------------------------------------------- */

static void modes_need_their_hardware(void **state)
{
    (void)state;
    static const struct { enum dma_mode mode; size_t lacks; const char *named; } rows[] = {
        {DMA_SECOND, offsetof(struct iommu_params, scalable), "iommu.scalable"},
        {DMA_FIRST, offsetof(struct iommu_params, first_stage), "iommu.first_stage"},
        {DMA_SECOND, offsetof(struct iommu_params, second_stage), "iommu.second_stage"},
        {DMA_NESTED, offsetof(struct iommu_params, nested), "iommu.nested"},
        {DMA_PASSTHROUGH, offsetof(struct iommu_params, passthrough), "iommu.passthrough"},
        {DMA_LEGACY, offsetof(struct iommu_params, queued_invalidation), "iommu.queued_invalidation"},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_rig r;
        struct hv_err err = {""};
        dma_rig_init(&r);
        *(bool *)(void *)((char *)&r.hardware + rows[i].lacks) = false;
        struct iommu_wires wires = {.ctx = NULL};
        assert_true(iommu_init(r.iommu, &r.hardware, &r.memory, &wires, &err));
        struct dma_unit_config config = {
            .mode = rows[i].mode, .cost = &r.cost, .memory = &r.memory, .frames = &r.frames,
        };
        assert_false(dma_unit_init(&r.unit, &config, r.iommu, &err));
        assert_non_null(strstr(err.text, rows[i].named));
        assert_non_null(strstr(err.text, dma_mode_names[rows[i].mode]));
        dma_rig_fini(&r);
    }
}

static void levels_and_sizes_need_their_hardware(void **state)
{
    (void)state;
    struct dma_rig r;
    struct hv_err err = {""};
    dma_rig_init(&r);
    r.hardware.levels = 1 << 1; /* 4 */
    r.hardware.large_pages = 1 << 1; /* 1g */
    r.hardware.first_stage_5 = false;
    dma_rig_start(&r, DMA_SECOND);
    struct dma_domain d;
    struct dma_domain_config c = {.id = 1, .mode = DMA_SECOND, .second_levels = 3};
    assert_false(dma_domain_init(&d, &r.unit, &c, &err));
    assert_non_null(strstr(err.text, "3 levels"));
    c = (struct dma_domain_config){.id = 1, .mode = DMA_FIRST, .first_levels = 5};
    err.text[0] = '\0';
    assert_false(dma_domain_init(&d, &r.unit, &c, &err));
    assert_non_null(strstr(err.text, "5 levels"));
    c = (struct dma_domain_config){.id = 1, .mode = DMA_SECOND, .second_levels = 4};
    err.text[0] = '\0';
    assert_true(dma_domain_init(&d, &r.unit, &c, &err));
    struct dma_map m;
    struct dma_map_params params = {.page_size = HV_PAGE_2M};
    assert_false(dma_map_init(&m, &d, &(struct dma_map_config){.params = &params, .clock_mhz = 1}, &err));
    assert_non_null(strstr(err.text, "2m"));
    params.page_size = HV_PAGE_1G;
    assert_true(dma_map_init(&m, &d, &(struct dma_map_config){.params = &params, .clock_mhz = 1}, &err));
    dma_map_fini(&m);
    dma_domain_fini(&d);
    dma_rig_fini(&r);
}

GTEST_MAIN("DmaTables", cmocka_unit_test(legacy_entries), cmocka_unit_test(legacy_pass_through),
           cmocka_unit_test(legacy_device_tlb), cmocka_unit_test(scalable_entries),
           cmocka_unit_test(scalable_upper_half_and_pasids), cmocka_unit_test(detaching_empties_the_entry),
           cmocka_unit_test(second_stage_entries), cmocka_unit_test(first_stage_entries),
           cmocka_unit_test(every_page_of_a_buffer), cmocka_unit_test(memory_in_the_largest_pages),
           cmocka_unit_test(a_shared_table), cmocka_unit_test(modes_need_their_hardware),
           cmocka_unit_test(levels_and_sizes_need_their_hardware))
