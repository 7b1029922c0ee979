/* SPDX-License-Identifier: MIT */
/*
 * Buffers mapped for a device: what it reaches, in every mode, with all levels and page sizes, and what it does not
 * reach any more. A device's access goes through the IOMMU's translation.
 */
#include "dma_rig.h"

#include "gtest.h"

#include <string.h>

#include "base/rng.h"

#define BLOCKED UINT64_MAX

/* Every combination of mode and levels that the hardware has. */
static const struct { enum dma_mode mode; unsigned levels; } kinds[] = {
    {DMA_LEGACY, 3}, {DMA_LEGACY, 4}, {DMA_LEGACY, 5}, {DMA_FIRST, 4},  {DMA_FIRST, 5},
    {DMA_SECOND, 3}, {DMA_SECOND, 4}, {DMA_SECOND, 5}, {DMA_NESTED, 4}, {DMA_NESTED, 5},
};

enum { KINDS = HV_ARRAY_LEN(kinds), POLICIES = 4 };

static uint64_t read_by_device(struct dma_rig *r, uint64_t iova)
{
    return dma_rig_access(r, DMA_RIG_SOURCE, iova, IOMMU_READ);
}

static uint64_t write_by_device(struct dma_rig *r, uint64_t iova)
{
    return dma_rig_access(r, DMA_RIG_SOURCE, iova, IOMMU_WRITE);
}

/* --- mapped, reached, unmapped, blocked -------------------------------------------------------------------------- */

/* First, last and some bytes between of a buffer, which is not aligned. */
static void check_reached(struct dma_rig *r, uint64_t iova, uint64_t buffer, uint64_t bytes)
{
    for (unsigned i = 0; i <= 8; i++) {
        uint64_t offset = (bytes - 1) * i / 8;
        assert_int_equal(read_by_device(r, iova + offset), dma_rig_host(r, buffer + offset));
        assert_int_equal(write_by_device(r, iova + offset), dma_rig_host(r, buffer + offset));
    }
}

/* Where a device reaches nothing of a buffer any more. */
static void check_blocked(struct dma_rig *r, uint64_t iova, uint64_t bytes)
{
    for (unsigned i = 0; i <= 8; i++) {
        assert_int_equal(read_by_device(r, iova + (bytes - 1) * i / 8), BLOCKED);
        assert_int_equal(write_by_device(r, iova + (bytes - 1) * i / 8), BLOCKED);
    }
}

/* strict: blocked at once. deferred, optimistic: when the timer has been. static: never. */
static void every_kind_size_and_policy(void **state)
{
    (void)state;
    for (unsigned n = 0; n < KINDS * HV_PAGE_SIZES * POLICIES; n++) {
        struct dma_rig r;
        unsigned kind = n / (HV_PAGE_SIZES * POLICIES);
        struct dma_rig_setup setup = {
            .mode = kinds[kind].mode, .levels = kinds[kind].levels, .page = n % HV_PAGE_SIZES,
            .policy = n / HV_PAGE_SIZES % POLICIES,
        };
        dma_rig_begin(&r, &setup);
        uint64_t buffer = DMA_RIG_BUFFERS + HV_GIB(1) - 100, bytes = hv_page_bytes(setup.page) + 200;
        assert_int_equal(read_by_device(&r, buffer), BLOCKED);
        struct dma_mapping mapping = dma_map(&r.map, buffer, bytes, DMA_DEVICE_BOTH, r.now);
        assert_true(mapping.ok);
        check_reached(&r, mapping.iova, buffer, bytes);
        dma_unmap(&r.map, mapping.iova, bytes, mapping.done);
        assert_int_equal(dma_map_next(&r.map) == UINT64_MAX, setup.policy == DMA_STRICT || setup.policy == DMA_STATIC);
        if (setup.policy != DMA_STRICT) {
            check_reached(&r, mapping.iova, buffer, bytes);
        }
        dma_map_act(&r.map, dma_map_next(&r.map));
        if (setup.policy == DMA_STATIC) {
            check_reached(&r, mapping.iova, buffer, bytes);
        } else {
            check_blocked(&r, mapping.iova, bytes);
        }
        dma_rig_fini(&r);
    }
}

/* The device may do what the direction says. A first stage cannot say "write only". */
static void directions(void **state)
{
    (void)state;
    for (unsigned n = 0; n < KINDS; n++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = kinds[n].mode, .levels = kinds[n].levels});
        bool first = kinds[n].mode == DMA_FIRST || kinds[n].mode == DMA_NESTED;
        struct dma_mapping from = dma_map(&r.map, DMA_RIG_BUFFERS, 64, DMA_DEVICE_READS, 0);
        struct dma_mapping to = dma_map(&r.map, DMA_RIG_BUFFERS + 8192, 64, DMA_DEVICE_WRITES, 0);
        assert_int_equal(read_by_device(&r, from.iova), dma_rig_host(&r, DMA_RIG_BUFFERS));
        assert_int_equal(write_by_device(&r, from.iova), BLOCKED);
        assert_int_equal(read_by_device(&r, to.iova), first ? dma_rig_host(&r, DMA_RIG_BUFFERS + 8192) : BLOCKED);
        assert_int_equal(write_by_device(&r, to.iova), dma_rig_host(&r, DMA_RIG_BUFFERS + 8192));
        dma_rig_fini(&r);
    }
}

/* Pass-through: every address is taken as it is, and costs nothing. Without an attached domain nothing passes. */
static void pass_through(void **state)
{
    (void)state;
    for (unsigned scalable = 0; scalable < 2; scalable++) {
        struct dma_rig r;
        dma_rig_init(&r);
        r.hardware.scalable = scalable != 0;
        dma_rig_start(&r, DMA_PASSTHROUGH);
        assert_int_equal(read_by_device(&r, DMA_RIG_BUFFERS), BLOCKED);
        dma_rig_attach(&r, &(struct dma_rig_setup){.mode = DMA_PASSTHROUGH});
        struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS + 5, 100, DMA_DEVICE_BOTH, 77);
        assert_true(mapping.ok);
        assert_int_equal(mapping.iova, DMA_RIG_BUFFERS + 5);
        assert_int_equal(mapping.done, 77);
        assert_int_equal(write_by_device(&r, mapping.iova), DMA_RIG_BUFFERS + 5);
        assert_int_equal(dma_unmap(&r.map, mapping.iova, 100, 88), 88);
        assert_int_equal(write_by_device(&r, mapping.iova), DMA_RIG_BUFFERS + 5);
        assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
        dma_rig_fini(&r);
    }
}

/* Nested: the guest maps by guest-physical addresses, and what the hypervisor took away the guest cannot give. */
static void nested_needs_both_stages(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_NESTED, .levels = 4});
    struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 64, DMA_DEVICE_BOTH, 0);
    assert_int_equal(write_by_device(&r, mapping.iova), dma_rig_host(&r, DMA_RIG_BUFFERS));
    unsigned level;
    *page_table_find(&r.domain.second, DMA_RIG_BUFFERS, &level) = 0;
    dma_domain_flush(&r.domain, 0);
    assert_int_equal(write_by_device(&r, mapping.iova), BLOCKED);
    /* Beyond the guest's memory there is nothing, whatever its tables say. */
    mapping = dma_map(&r.map, HV_GIB(7), 64, DMA_DEVICE_BOTH, 0);
    assert_true(mapping.ok);
    assert_int_equal(write_by_device(&r, mapping.iova), BLOCKED);
    dma_rig_fini(&r);
}

/*
 * A VM's EPT as its second stage: execute permission, memory type, accessed and dirty flags are nothing to the IOMMU.
 * What the hypervisor changes there holds for the device as soon as the domain is flushed.
 */
static void a_shared_ept(void **state)
{
    (void)state;
    static const struct { enum dma_mode mode; unsigned levels; } rows[] = {
        {DMA_LEGACY, 4}, {DMA_LEGACY, 5}, {DMA_SECOND, 4}, {DMA_SECOND, 5},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct dma_rig r;
        struct hv_err err = {""};
        dma_rig_init(&r);
        dma_rig_start(&r, rows[i].mode);
        struct page_table ept = {
            .memory = &r.memory, .arena = &r.frames, .levels = rows[i].levels, .table_bits = 0x107, .leaf_bits = 0x337,
        };
        assert_true(page_table_init(&ept));
        assert_true(page_table_map(&ept, 0, HV_PAGE_4K, HV_GIB(2)));
        assert_true(page_table_map(&ept, HV_MIB(4), HV_PAGE_2M, HV_GIB(3)));
        struct dma_domain_config c = {.id = 7, .mode = rows[i].mode, .share = &ept};
        assert_true(dma_domain_init(&r.domain, &r.unit, &c, &err));
        assert_true(dma_attach(&r.domain, &(struct dma_device){.source = DMA_RIG_SOURCE}, 0).ok);
        assert_int_equal(write_by_device(&r, 0x123), HV_GIB(2) + 0x123);
        assert_int_equal(write_by_device(&r, HV_MIB(6) - 1), HV_GIB(3) + HV_MIB(2) - 1);
        assert_int_equal(write_by_device(&r, 4096), BLOCKED);
        unsigned level;
        *page_table_find(&ept, 0, &level) &= ~UINT64_C(2);
        assert_int_equal(write_by_device(&r, 0x123), HV_GIB(2) + 0x123);
        dma_domain_flush(&r.domain, 0);
        assert_int_equal(write_by_device(&r, 0x123), BLOCKED);
        assert_int_equal(read_by_device(&r, 0x123), HV_GIB(2) + 0x123);
        dma_rig_fini(&r);
    }
}

/* An IOMMU that caches what is not present hears of every new mapping. */
static void caching_mode(void **state)
{
    (void)state;
    for (unsigned n = 0; n < KINDS; n++) {
        struct dma_rig r;
        dma_rig_init(&r);
        r.hardware.caching_mode = true;
        dma_rig_start(&r, kinds[n].mode);
        assert_int_equal(read_by_device(&r, HV_GIB(4) - 4096), BLOCKED);
        dma_rig_attach(&r, &(struct dma_rig_setup){.mode = kinds[n].mode, .levels = kinds[n].levels});
        for (unsigned i = 1; i <= 4; i++) {
            /* The address that comes next is tried before it is mapped. */
            assert_int_equal(read_by_device(&r, HV_GIB(4) - 4096 * i), BLOCKED);
            struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS + 4096 * i, 64, DMA_DEVICE_BOTH, r.now);
            assert_int_equal(mapping.iova, HV_GIB(4) - 4096 * i);
            assert_int_equal(read_by_device(&r, mapping.iova), dma_rig_host(&r, DMA_RIG_BUFFERS + 4096 * i));
            assert_int_equal(mapping.done - r.now,
                             DMA_RIG_MAP + DMA_RIG_ENTRY + DMA_RIG_SUBMIT + DMA_RIG_HARDWARE + DMA_RIG_WAIT);
            r.now = mapping.done;
            assert_int_equal(r.unit.stats.invalidations, i);
        }
        dma_rig_fini(&r);
    }
}

/* A device TLB is invalidated after the IOTLB, with the same range. */
static void device_tlbs(void **state)
{
    (void)state;
    for (unsigned n = 0; n < KINDS; n++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = kinds[n].mode, .levels = kinds[n].levels});
        struct dma_device device = {.source = 0x0100, .device_tlb = true};
        struct dma_done attached = dma_attach(&r.domain, &device, r.now);
        struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 3 * 4096, DMA_DEVICE_BOTH, attached.at);
        assert_int_equal(r.device_invalidations, 0);
        hv_cycles done = dma_unmap(&r.map, mapping.iova, 3 * 4096, mapping.done);
        assert_int_equal(r.device_invalidations, 1);
        assert_int_equal(r.device_invalidation.source, 0x0100);
        assert_int_equal(r.device_invalidation.address, mapping.iova);
        assert_int_equal(r.device_invalidation.pages_log2, 2);
        assert_int_equal(done - mapping.done,
                         DMA_RIG_UNMAP + 3 * DMA_RIG_ENTRY + 2 * (DMA_RIG_SUBMIT + DMA_RIG_HARDWARE + DMA_RIG_WAIT));
        dma_domain_flush(&r.domain, done);
        assert_int_equal(r.device_invalidation.pages_log2, DMA_EVERYTHING_LOG2);
        dma_rig_fini(&r);
    }
}

/* One that does not answer keeps nobody waiting for ever, and what others have cached is invalidated. */
static void a_device_that_does_not_answer(void **state)
{
    (void)state;
    for (unsigned n = 0; n < KINDS; n++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = kinds[n].mode, .levels = kinds[n].levels});
        for (uint16_t source = 0x0100; source < 0x0103; source++) {
            struct dma_device device = {.source = source, .device_tlb = true};
            assert_true(dma_attach(&r.domain, &device, 0).ok);
        }
        r.silent = true;
        for (unsigned i = 1; i <= 2; i++) {
            struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 100, DMA_DEVICE_BOTH, r.now);
            assert_int_equal(read_by_device(&r, mapping.iova), dma_rig_host(&r, DMA_RIG_BUFFERS));
            r.now = dma_unmap(&r.map, mapping.iova, 100, mapping.done);
            assert_int_equal(read_by_device(&r, mapping.iova), BLOCKED);
            assert_int_equal(r.device_invalidations, 3 * i);
            assert_int_equal(r.unit.stats.invalidation_timeouts, 3 * i);
        }
        dma_rig_fini(&r);
    }
}

/* Requests with PASID reach the domain of their PASID alone, and a device TLB is told by PASID. */
static void process_address_spaces(void **state)
{
    (void)state;
    static const enum dma_mode modes[] = {DMA_FIRST, DMA_SECOND, DMA_NESTED};
    for (size_t i = 0; i < HV_ARRAY_LEN(modes); i++) {
        struct dma_rig r;
        dma_rig_begin(&r, &(struct dma_rig_setup){.mode = modes[i], .levels = 4});
        struct dma_device device = {.source = DMA_RIG_SOURCE, .has_pasid = true, .pasid = 1234, .device_tlb = true};
        struct dma_device other = {.source = DMA_RIG_SOURCE, .has_pasid = true, .pasid = 1235};
        assert_true(dma_attach(&r.domain, &device, 0).ok);
        assert_true(dma_attach(&r.domain, &other, 0).ok);
        struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 100, DMA_DEVICE_BOTH, r.now);
        struct iommu_request request = {.source = DMA_RIG_SOURCE, .address = mapping.iova, .bytes = 1,
                                        .access = IOMMU_WRITE, .has_pasid = true};
        for (unsigned pass = 0; pass < 2; pass++) {
            for (request.pasid = 1234; request.pasid <= 1236; request.pasid++) {
                struct iommu_reply reply = iommu_translate(r.iommu, &request, r.now);
                bool mapped = pass == 0 && request.pasid <= 1235;
                assert_int_equal(reply.ok, mapped);
                assert_int_equal(reply.address, mapped ? dma_rig_host(&r, DMA_RIG_BUFFERS) : 0);
            }
            uint64_t expected = pass == 0 ? dma_rig_host(&r, DMA_RIG_BUFFERS) : BLOCKED;
            assert_int_equal(write_by_device(&r, mapping.iova), expected);
            if (pass == 0) {
                dma_unmap(&r.map, mapping.iova, 100, mapping.done);
            }
        }
        assert_int_equal(r.device_invalidations, 1);
        assert_true(r.device_invalidation.has_pasid);
        assert_int_equal(r.device_invalidation.pasid, 1234);
        dma_rig_fini(&r);
    }
}

/* --- when something runs out ------------------------------------------------------------------------------------- */

/* Without memory for tables nothing is mapped, nothing is lost, and what was mapped stays. */
static void no_memory_for_tables(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = 4});
    struct dma_mapping first = dma_map(&r.map, DMA_RIG_BUFFERS, 4096, DMA_DEVICE_BOTH, 0);
    r.frames.end = r.frames.next;
    struct dma_mapping large = dma_map(&r.map, DMA_RIG_BUFFERS, HV_MIB(4), DMA_DEVICE_BOTH, 0);
    assert_false(large.ok);
    assert_int_equal(r.unit.stats.map_failures, 1);
    assert_int_equal(read_by_device(&r, first.iova), DMA_RIG_BUFFERS);
    struct dma_mapping second = dma_map(&r.map, DMA_RIG_BUFFERS + 4096, 4096, DMA_DEVICE_BOTH, 0);
    assert_true(second.ok);
    assert_int_equal(read_by_device(&r, second.iova), DMA_RIG_BUFFERS + 4096);
    dma_rig_fini(&r);
}

/* 7 pages of addresses: mapped, unmapped and mapped again, though all wait for their invalidation. */
static void deferred_addresses_come_back(void **state)
{
    (void)state;
    struct dma_rig r;
    struct dma_rig_setup setup = {.mode = DMA_LEGACY, .levels = 4, .policy = DMA_DEFERRED, .entries = 100};
    dma_rig_begin(&r, &setup);
    dma_map_fini(&r.map);
    struct hv_err err = {""};
    struct dma_map_params params = {.policy = DMA_DEFERRED, .deferred_entries = 100, .deferred_us = 1000};
    struct dma_map_config config = {.params = &params, .clock_mhz = 1000, .iova_end = 8 * 4096};
    assert_true(dma_map_init(&r.map, &r.domain, &config, &err));
    uint64_t iova[7];
    for (unsigned i = 0; i < 7; i++) {
        iova[i] = dma_map(&r.map, DMA_RIG_BUFFERS, 4096, DMA_DEVICE_BOTH, 0).iova;
    }
    assert_false(dma_map(&r.map, DMA_RIG_BUFFERS, 4096, DMA_DEVICE_BOTH, 0).ok);
    for (unsigned i = 0; i < 7; i++) {
        dma_unmap(&r.map, iova[i], 4096, 0);
    }
    assert_int_equal(r.unit.stats.flushes, 0);
    assert_true(dma_map(&r.map, DMA_RIG_BUFFERS, 4096, DMA_DEVICE_BOTH, 0).ok);
    assert_int_equal(r.unit.stats.flushes, 1);
    dma_rig_fini(&r);
}

/* --- at random --------------------------------------------------------------------------------------------------- */

enum { SLOTS = 64, OPERATIONS = 100000, MAX_PAGES = 5 };

struct slot {
    bool used;
    uint64_t buffer, bytes, iova;
    enum dma_direction direction;
};

/* Some byte of what was mapped last in a slot: reached exactly if it is mapped still, and the direction allows it. */
static void probe(struct dma_rig *r, const struct slot *s, struct hv_rng *rng, bool first_stage)
{
    if (s->bytes == 0) {
        return;
    }
    uint64_t offset = rng_below(rng, s->bytes);
    bool write = rng_below(rng, 2) != 0;
    bool allowed = s->used && (s->direction >> write & 1 || (first_stage && !write));
    uint64_t address = dma_rig_access(r, DMA_RIG_SOURCE, s->iova + offset, write ? IOMMU_WRITE : IOMMU_READ);
    assert_int_equal(address, allowed ? dma_rig_host(r, s->buffer + offset) : BLOCKED);
}

/* An address that nobody has mapped since must not be in use by another slot, or the model could not tell. */
static void forget_address(struct slot *slots, uint64_t iova, uint64_t bytes, uint64_t page)
{
    uint64_t start = iova & ~(page - 1), end = (iova + bytes + page - 1) & ~(page - 1);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].iova + slots[i].bytes > start && slots[i].iova < end) {
            assert_false(slots[i].used);
            slots[i].bytes = 0;
        }
    }
}

static void random_step(struct dma_rig *r, struct slot *slots, struct hv_rng *rng, bool first_stage)
{
    uint64_t page = hv_page_bytes(r->map.page);
    struct slot *s = &slots[rng_below(rng, SLOTS)];
    if (s->used) {
        dma_unmap(&r->map, s->iova, s->bytes, 0);
        s->used = false;
    } else if (rng_below(rng, 2) != 0) {
        struct slot new = {.used = true, .buffer = DMA_RIG_BUFFERS + rng_below(rng, HV_MIB(64)),
                           .bytes = 1 + rng_below(rng, MAX_PAGES * page), .direction = 1 + rng_below(rng, 3)};
        struct dma_mapping mapping = dma_map(&r->map, new.buffer, new.bytes, new.direction, 0);
        assert_true(mapping.ok);
        new.iova = mapping.iova;
        forget_address(slots, new.iova, new.bytes, page);
        *s = new;
    }
    for (unsigned i = 0; i < 3; i++) {
        probe(r, &slots[rng_below(rng, SLOTS)], rng, first_stage);
    }
}

/* Strict: no access ever goes by what is stale. */
static void strict_at_random(void **state)
{
    (void)state;
    static const struct dma_rig_setup setups[] = {
        {.mode = DMA_LEGACY, .levels = 3}, {.mode = DMA_SECOND, .levels = 4, .page = HV_PAGE_2M},
        {.mode = DMA_FIRST, .levels = 5},  {.mode = DMA_NESTED, .levels = 4},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(setups); i++) {
        struct dma_rig r;
        struct slot slots[SLOTS] = {{0}};
        struct hv_rng rng;
        rng_init(&rng, i);
        dma_rig_begin(&r, &setups[i]);
        iommu_check_stale(r.iommu, true);
        for (unsigned n = 0; n < OPERATIONS / HV_ARRAY_LEN(setups); n++) {
            random_step(&r, slots, &rng, r.map.table == &r.domain.first);
        }
        assert_int_equal(r.iommu->stats.stale_found, 0);
        assert_int_equal(r.unit.stats.exposed_pages, 0);
        assert_true(r.iommu->caches.iotlb_stats.hits > OPERATIONS / HV_ARRAY_LEN(setups) / 10);
        dma_rig_fini(&r);
    }
}

GTEST_MAIN("DmaMap", cmocka_unit_test(every_kind_size_and_policy), cmocka_unit_test(directions),
           cmocka_unit_test(pass_through), cmocka_unit_test(nested_needs_both_stages), cmocka_unit_test(a_shared_ept),
           cmocka_unit_test(caching_mode), cmocka_unit_test(device_tlbs),
           cmocka_unit_test(a_device_that_does_not_answer), cmocka_unit_test(process_address_spaces),
           cmocka_unit_test(no_memory_for_tables), cmocka_unit_test(deferred_addresses_come_back),
           cmocka_unit_test(strict_at_random))
