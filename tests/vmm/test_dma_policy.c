/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a buffer that is unmapped: what each policy costs, how long a device can reach the buffer still, and
 * that this ends. The clock of these machines is 1000 MHz, so a microsecond is 1000 cycles.
 */
#include "dma_rig.h"

#include "gtest.h"

#include <string.h>

#include "base/rng.h"

#define BLOCKED UINT64_MAX

enum {
    INVALIDATION = DMA_RIG_SUBMIT + DMA_RIG_HARDWARE + DMA_RIG_WAIT,
    PAGE = 4096,
    DEFERRED_UNMAP = DMA_RIG_UNMAP + DMA_RIG_ENTRY + DMA_RIG_DEFER,
    LEFT_MAPPED = DMA_RIG_REUSE + DMA_RIG_DEFER,
};

static void begin(struct dma_rig *r, enum dma_policy policy, uint64_t entries, uint64_t us)
{
    struct dma_rig_setup setup = {.mode = DMA_SECOND, .levels = 4, .policy = policy, .entries = entries, .us = us};
    dma_rig_begin(r, &setup);
}

static uint64_t map_page(struct dma_rig *r, unsigned number)
{
    struct dma_mapping mapping = dma_map(&r->map, DMA_RIG_BUFFERS + number * PAGE, PAGE, DMA_DEVICE_BOTH, r->now);
    assert_true(mapping.ok);
    r->now = mapping.done;
    return mapping.iova;
}

/* Unmaps a page; returns what that took. */
static hv_cycles unmap_page(struct dma_rig *r, uint64_t iova)
{
    hv_cycles start = r->now;
    r->now = dma_unmap(&r->map, iova, PAGE, start);
    return r->now - start;
}

static uint64_t reach(struct dma_rig *r, uint64_t iova)
{
    return dma_rig_access(r, DMA_RIG_SOURCE, iova, IOMMU_WRITE);
}

/* --- strict ------------------------------------------------------------------------------------------------------ */

static void strict_pays_for_each(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_STRICT, 0, 0);
    struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 3 * PAGE, DMA_DEVICE_BOTH, r.now);
    assert_int_equal(mapping.done - r.now, DMA_RIG_MAP + 3 * DMA_RIG_ENTRY);
    hv_cycles done = dma_unmap(&r.map, mapping.iova, 3 * PAGE, mapping.done);
    assert_int_equal(done - mapping.done, DMA_RIG_UNMAP + 3 * DMA_RIG_ENTRY + INVALIDATION);
    const struct dma_map_stats *s = &r.unit.stats;
    assert_int_equal(s->maps, 1);
    assert_int_equal(s->unmaps, 1);
    assert_int_equal(s->invalidations, 1);
    assert_int_equal(s->invalidation_cycles, INVALIDATION);
    assert_int_equal(s->map_cycles, mapping.done - r.now);
    assert_int_equal(s->unmap_cycles, done - mapping.done);
    assert_int_equal(s->exposed_pages + s->exposed_kib_cycles + s->exposed_cycles_max, 0);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_rig_fini(&r);
}

/* Where walks do not snoop, each entry is written back besides. */
static void entries_are_written_back(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_init(&r);
    r.hardware.coherent = false;
    dma_rig_start(&r, DMA_LEGACY);
    dma_rig_attach(&r, &(struct dma_rig_setup){.mode = DMA_LEGACY, .levels = 4});
    struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, 2 * PAGE, DMA_DEVICE_BOTH, r.now);
    assert_int_equal(mapping.done - r.now, DMA_RIG_MAP + 2 * (DMA_RIG_ENTRY + DMA_RIG_WRITE_BACK));
    hv_cycles done = dma_unmap(&r.map, mapping.iova, 2 * PAGE, mapping.done);
    assert_int_equal(done - mapping.done, DMA_RIG_UNMAP + 2 * (DMA_RIG_ENTRY + DMA_RIG_WRITE_BACK) + INVALIDATION);
    dma_rig_fini(&r);
}

/* A larger page needs one entry where small ones need 512. */
static void large_pages_cost_one_entry(void **state)
{
    (void)state;
    struct dma_rig r;
    dma_rig_begin(&r, &(struct dma_rig_setup){.mode = DMA_SECOND, .levels = 4, .page = HV_PAGE_2M});
    struct dma_mapping mapping = dma_map(&r.map, DMA_RIG_BUFFERS, HV_MIB(2), DMA_DEVICE_BOTH, r.now);
    assert_int_equal(mapping.done - r.now, DMA_RIG_MAP + DMA_RIG_ENTRY);
    dma_rig_fini(&r);
}

/* --- deferred ---------------------------------------------------------------------------------------------------- */

/* Of 4 unmapped, the last one pays for all. The window of the n-th is what the later ones took, and the flush. */
static void deferred_by_number(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_DEFERRED, 4, 0);
    uint64_t iova[4];
    for (unsigned i = 0; i < 4; i++) {
        iova[i] = map_page(&r, i);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(unmap_page(&r, iova[i]), DEFERRED_UNMAP + (i == 3 ? INVALIDATION : 0));
    }
    const struct dma_map_stats *s = &r.unit.stats;
    assert_int_equal(s->flushes, 1);
    assert_int_equal(s->flushes_by_time, 0);
    assert_int_equal(s->invalidations, 1);
    assert_int_equal(s->exposed_pages, 4);
    assert_int_equal(s->exposed_cycles_max, 3 * DEFERRED_UNMAP + INVALIDATION);
    assert_int_equal(s->exposed_kib_cycles, 4 * ((3 + 2 + 1) * DEFERRED_UNMAP + 4 * INVALIDATION));
    dma_rig_fini(&r);
}

/* 5 us after the first one was unmapped, neither earlier nor later. */
static void deferred_by_time(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_DEFERRED, 100, 5);
    uint64_t a = map_page(&r, 0), b = map_page(&r, 1);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    unmap_page(&r, a);
    hv_cycles due = r.now + 5000;
    assert_int_equal(dma_map_next(&r.map), due);
    unmap_page(&r, b);
    assert_int_equal(dma_map_next(&r.map), due);
    assert_int_equal(dma_map_act(&r.map, due - 1), due - 1);
    assert_int_equal(r.unit.stats.flushes, 0);
    assert_int_equal(dma_map_act(&r.map, due), due + INVALIDATION);
    assert_int_equal(r.unit.stats.flushes_by_time, 1);
    assert_int_equal(r.unit.stats.exposed_cycles_max, 5000 + INVALIDATION);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_rig_fini(&r);
}

/* Without anybody to look at the clock, the next unmapping does. */
static void deferred_is_late_at_the_next_unmapping(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_DEFERRED, 100, 5);
    uint64_t a = map_page(&r, 0), b = map_page(&r, 1);
    unmap_page(&r, a);
    r.now += 5000;
    assert_int_equal(unmap_page(&r, b), DEFERRED_UNMAP + INVALIDATION);
    assert_int_equal(r.unit.stats.flushes_by_time, 1);
    dma_rig_fini(&r);
}

/* --- the window -------------------------------------------------------------------------------------------------- */

/* A device that has used its buffer can go on using it until the flush; one that has not, cannot. */
static void a_stale_translation_ends_with_the_flush(void **state)
{
    (void)state;
    static const enum dma_mode modes[] = {DMA_LEGACY, DMA_FIRST, DMA_SECOND, DMA_NESTED};
    for (size_t i = 0; i < HV_ARRAY_LEN(modes); i++) {
        struct dma_rig r;
        struct dma_rig_setup setup = {.mode = modes[i], .levels = 4, .policy = DMA_DEFERRED, .us = 5};
        dma_rig_begin(&r, &setup);
        uint64_t used = map_page(&r, 0), unused = map_page(&r, 1), host = dma_rig_host(&r, DMA_RIG_BUFFERS);
        assert_int_equal(reach(&r, used), host);
        unmap_page(&r, used);
        unmap_page(&r, unused);
        assert_int_equal(reach(&r, used), host);
        assert_int_equal(reach(&r, unused), BLOCKED);
        dma_map_act(&r.map, dma_map_next(&r.map));
        assert_int_equal(reach(&r, used), BLOCKED);
        assert_int_equal(reach(&r, unused), BLOCKED);
        dma_rig_fini(&r);
    }
}

/* Nobody gets an address of which a stale translation may still exist. */
static void addresses_wait_for_the_flush(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_DEFERRED, 100, 5);
    uint64_t first = map_page(&r, 0);
    assert_int_equal(reach(&r, first), DMA_RIG_BUFFERS);
    unmap_page(&r, first);
    uint64_t second = map_page(&r, 1);
    assert_int_not_equal(second, first);
    dma_map_act(&r.map, dma_map_next(&r.map));
    uint64_t third = map_page(&r, 2);
    assert_int_equal(third, first);
    assert_int_equal(reach(&r, third), DMA_RIG_BUFFERS + 2 * PAGE);
    dma_rig_fini(&r);
}

/* --- optimistic -------------------------------------------------------------------------------------------------- */

static void optimistic_takes_the_mapping_again(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_OPTIMISTIC, 100, 5);
    uint64_t iova = map_page(&r, 0);
    assert_int_equal(unmap_page(&r, iova), LEFT_MAPPED);
    hv_cycles since = r.now;
    r.now += 1000;
    assert_int_equal(reach(&r, iova), DMA_RIG_BUFFERS);
    assert_int_equal(map_page(&r, 0), iova);
    assert_int_equal(r.now - since, 1000 + DMA_RIG_REUSE);
    const struct dma_map_stats *s = &r.unit.stats;
    assert_int_equal(s->reused, 1);
    assert_int_equal(s->invalidations, 0);
    assert_int_equal(s->entries_written, 1);
    assert_int_equal(s->exposed_pages, 1);
    assert_int_equal(s->exposed_kib_cycles, 4 * 1000);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_rig_fini(&r);
}

static void optimistic_tears_down_by_time(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_OPTIMISTIC, 100, 5);
    uint64_t a = map_page(&r, 0), b = map_page(&r, 1), kept = map_page(&r, 2);
    unmap_page(&r, a);
    hv_cycles since = r.now;
    unmap_page(&r, b);
    assert_int_equal(dma_map_next(&r.map), since + 5000);
    assert_int_equal(dma_map_act(&r.map, since + 5000), since + 5000 + 2 * DMA_RIG_ENTRY + INVALIDATION);
    assert_int_equal(reach(&r, a), BLOCKED);
    assert_int_equal(reach(&r, b), BLOCKED);
    assert_int_equal(reach(&r, kept), DMA_RIG_BUFFERS + 2 * PAGE);
    assert_int_equal(r.unit.stats.exposed_cycles_max, 5000 + 2 * DMA_RIG_ENTRY + INVALIDATION);
    assert_int_equal(r.unit.stats.entries_cleared, 2);
    dma_rig_fini(&r);
}

static void optimistic_tears_down_by_number(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_OPTIMISTIC, 3, 0);
    uint64_t iova[3];
    for (unsigned i = 0; i < 3; i++) {
        iova[i] = map_page(&r, i);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(unmap_page(&r, iova[i]), LEFT_MAPPED + (i == 2 ? 3 * DMA_RIG_ENTRY + INVALIDATION : 0));
    }
    assert_int_equal(r.unit.stats.flushes, 1);
    assert_int_equal(reach(&r, iova[0]), BLOCKED);
    dma_rig_fini(&r);
}

/* The same memory with another size or direction is another mapping; the same twice is one, which the last leaves. */
static void mappings_are_shared(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_OPTIMISTIC, 100, 5);
    uint64_t iova = dma_map(&r.map, DMA_RIG_BUFFERS, PAGE, DMA_DEVICE_READS, r.now).iova;
    assert_int_not_equal(dma_map(&r.map, DMA_RIG_BUFFERS, PAGE, DMA_DEVICE_WRITES, r.now).iova, iova);
    assert_int_not_equal(dma_map(&r.map, DMA_RIG_BUFFERS, 2 * PAGE, DMA_DEVICE_READS, r.now).iova, iova);
    assert_int_equal(dma_map(&r.map, DMA_RIG_BUFFERS + 2048, 2048, DMA_DEVICE_READS, r.now).iova, iova + 2048);
    dma_unmap(&r.map, iova, PAGE, r.now);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_unmap(&r.map, iova + 2048, 2048, r.now);
    assert_int_not_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_rig_fini(&r);
}

/* --- static ------------------------------------------------------------------------------------------------------ */

static void static_stays_mapped(void **state)
{
    (void)state;
    struct dma_rig r;
    begin(&r, DMA_STATIC, 2, 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++) {
            hv_cycles start = r.now;
            uint64_t iova = map_page(&r, i);
            assert_int_equal(r.now - start, round == 0 ? DMA_RIG_MAP + DMA_RIG_ENTRY : 0);
            assert_int_equal(unmap_page(&r, iova), 0);
            r.now += 1000000;
            assert_int_equal(reach(&r, iova), DMA_RIG_BUFFERS + i * PAGE);
        }
    }
    assert_int_equal(r.unit.stats.invalidations, 0);
    assert_int_equal(r.unit.stats.reused, 16);
    assert_int_equal(dma_map_next(&r.map), UINT64_MAX);
    dma_rig_fini(&r);
}

/* --- accounts ---------------------------------------------------------------------------------------------------- */

/* A warm-up ends in the middle of a window: each part is counted where it belongs; the flush comes when it would. */
static void a_window_is_divided(void **state)
{
    (void)state;
    static const enum dma_policy policies[] = {DMA_DEFERRED, DMA_OPTIMISTIC};
    for (size_t i = 0; i < HV_ARRAY_LEN(policies); i++) {
        struct dma_rig r;
        begin(&r, policies[i], 100, 5);
        unmap_page(&r, map_page(&r, 0));
        hv_cycles since = r.now;
        dma_map_account(&r.map, since + 2000);
        assert_int_equal(r.unit.stats.exposed_kib_cycles, 4 * 2000);
        memset(&r.unit.stats, 0, sizeof(r.unit.stats));
        assert_int_equal(dma_map_next(&r.map), since + 5000);
        hv_cycles done = dma_map_act(&r.map, since + 5000);
        assert_int_equal(r.unit.stats.exposed_kib_cycles, 4 * (done - since - 2000));
        assert_int_equal(r.unit.stats.exposed_cycles_max, done - since);
        dma_rig_fini(&r);
    }
}

/* --- at random --------------------------------------------------------------------------------------------------- */

enum { SLOTS = 48, OPERATIONS = 30000 };

struct slot {
    bool used, known;   /* known: nobody has got the address since */
    uint64_t buffer, iova;
    uint64_t flushes;   /* that had been when it was unmapped */
};

/*
 * Mapped: reached. Unmapped and not invalidated: reached or not, but nothing else is. Invalidated since: not reached.
 * In `optimistic` a buffer is another slot's as soon as it is mapped again, at the same address.
 */
static void probe(struct dma_rig *r, const struct slot *s)
{
    uint64_t address = reach(r, s->iova);
    if (s->used) {
        assert_int_equal(address, s->buffer);
    } else if (r->unit.stats.flushes > s->flushes) {
        assert_int_equal(address, BLOCKED);
    } else if (address != BLOCKED) {
        assert_int_equal(address, s->buffer);
    }
}

static void random_step(struct dma_rig *r, struct slot *slots, struct hv_rng *rng)
{
    unsigned n = (unsigned)rng_below(rng, SLOTS);
    struct slot *s = &slots[n];
    if (s->used) {
        s->used = false;
        s->flushes = r->unit.stats.flushes;
        unmap_page(r, s->iova);
    } else {
        *s = (struct slot){.used = true, .known = true, .buffer = DMA_RIG_BUFFERS + n * PAGE};
        s->iova = map_page(r, n);
        for (unsigned i = 0; i < SLOTS; i++) {
            slots[i].known &= i == n || slots[i].iova != s->iova;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        const struct slot *tried = &slots[rng_below(rng, SLOTS)];
        if (tried->known) {
            probe(r, tried);
        }
    }
    if (r->now >= dma_map_next(&r->map)) {
        r->now = dma_map_act(&r->map, r->now);
    }
}

static void policies_at_random(void **state)
{
    (void)state;
    static const enum dma_policy policies[] = {DMA_DEFERRED, DMA_OPTIMISTIC};
    for (size_t i = 0; i < HV_ARRAY_LEN(policies); i++) {
        struct dma_rig r;
        struct slot slots[SLOTS] = {{0}};
        struct hv_rng rng;
        rng_init(&rng, i);
        begin(&r, policies[i], 20, 40);
        for (unsigned n = 0; n < OPERATIONS; n++) {
            random_step(&r, slots, &rng);
        }
        assert_true(r.unit.stats.flushes > r.unit.stats.flushes_by_time);
        assert_true(r.unit.stats.flushes_by_time > 0);
        dma_rig_fini(&r);
    }
}

GTEST_MAIN("DmaPolicy", cmocka_unit_test(strict_pays_for_each), cmocka_unit_test(entries_are_written_back),
           cmocka_unit_test(large_pages_cost_one_entry), cmocka_unit_test(deferred_by_number),
           cmocka_unit_test(deferred_by_time), cmocka_unit_test(deferred_is_late_at_the_next_unmapping),
           cmocka_unit_test(a_stale_translation_ends_with_the_flush), cmocka_unit_test(addresses_wait_for_the_flush),
           cmocka_unit_test(optimistic_takes_the_mapping_again), cmocka_unit_test(optimistic_tears_down_by_time),
           cmocka_unit_test(optimistic_tears_down_by_number), cmocka_unit_test(mappings_are_shared),
           cmocka_unit_test(static_stays_mapped), cmocka_unit_test(a_window_is_divided),
           cmocka_unit_test(policies_at_random))
