/* SPDX-License-Identifier: MIT */
/* tlb.prefetch next_page: what is brought, when, at whose expense, and what software must not see of it. */
#include "ready.h"

#include <string.h>

#include "rig.h"

enum { WALK = 4 * RIG_DRAM_CYCLES, L2_CYCLES = 9, NOW = 10000, PAGES = RIG_PAGES };

/* When a walk at NOW that the access begins with a miss of both TLB levels ends, and the prefetch behind it. */
enum { DEMAND_DONE = NOW + L2_CYCLES + WALK, PREFETCH_DONE = DEMAND_DONE + WALK };

static struct mmu_config prefetching(uint64_t walkers)
{
    struct mmu_config config = rig_bare_config();
    rig_add_tlb(&config, TLB_L1D_4K, 1, 1, 0);
    rig_add_tlb(&config, TLB_L1D_2M, 1, 2, 0);
    rig_add_tlb(&config, TLB_L1I_4K, 1, 1, 0);
    rig_add_tlb(&config, TLB_L2, 16, 3, L2_CYCLES);
    config.mmu.walkers = walkers;
    config.prefetch = MMU_PREFETCH_NEXT_PAGE;
    return config;
}

static struct mmu_reply access_as(struct rig *r, hv_gva gva, enum hv_access_kind kind, hv_cycles now)
{
    struct mmu_reply reply;
    assert_true(mmu_translate(&r->mmu, gva, kind, now, &reply));
    return reply;
}

static hv_cycles translate(struct rig *r, unsigned n, hv_cycles now)
{
    struct mmu_reply reply = access_as(r, rig_page(n), HV_LOAD, now);
    assert_int_equal(reply.hpa.v, HV_GIB(1) + n * HV_PAGE_BYTES + RIG_GVA % HV_PAGE_BYTES);
    hv_cycles walk = reply.walked ? reply.queue_cycles + reply.walk_guest_cycles + reply.walk_host_cycles : 0;
    return now + reply.tlb_cycles + walk;
}

static void clear_entry_bits(struct rig *r, hv_hpa entry, uint64_t bits)
{
    physmem_write64(&r->memory, entry, physmem_read64(&r->memory, entry) & ~bits);
}

static void expect_prefetches(const struct rig *r, uint64_t walks, uint64_t dropped, uint64_t hits)
{
    assert_int_equal(r->mmu.stats.prefetch_walks, walks);
    assert_int_equal(r->mmu.stats.prefetch_dropped, dropped);
    assert_int_equal(r->mmu.stats.prefetch_hits, hits);
}

/* --- What is brought, and when ---------------------------------------------------------------------------------- */

static void the_next_page_is_in_the_second_level(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    assert_ready_exactly_at(translate(r, 0, NOW), DEMAND_DONE); /* the demand walk takes no longer than ever */
    expect_prefetches(r, 1, 0, 0);
    assert_int_equal(r->mmu.stats.walks, 1);
    assert_int_equal(r->mmu.stats.walk_refs, 4);
    assert_int_equal(r->mmu.stats.prefetch_refs, 4);
    assert_int_equal(r->mmu.stats.prefetch_cycles, WALK);
    assert_int_equal(r->mmu.stats.walkers_busy_cycles, 2 * WALK);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + L2_CYCLES);
    expect_prefetches(r, 1, 0, 1); /* a hit starts none */
    (void)translate(r, 0, 3 * NOW);
    assert_ready_exactly_at(translate(r, 1, 3 * NOW), 3 * NOW + L2_CYCLES);
    expect_prefetches(r, 1, 0, 1); /* only the first use counts */
    assert_ready_exactly_at(translate(r, 2, 4 * NOW), 4 * NOW + L2_CYCLES + WALK);
    mmu_check_walkers(&r->mmu);
    rig_free(r);
}

static void nothing_is_prefetched_by_default(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    config.prefetch = MMU_PREFETCH_NONE;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    (void)translate(r, 0, NOW);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + L2_CYCLES + WALK);
    expect_prefetches(r, 0, 0, 0);
    rig_free(r);
}

/* Who comes before the prefetch has ended waits for its end, neither longer nor shorter; by either way of asking. */
static void an_early_access_waits_for_the_prefetch(void **state)
{
    (void)state;
    static const hv_cycles before[] = {0, 1, 100, WALK - 1};
    for (size_t i = 0; i < 2 * HV_ARRAY_LEN(before); i++) {
        struct mmu_config config = prefetching(1);
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        (void)translate(r, 0, NOW);
        hv_cycles early = before[i / 2], now = PREFETCH_DONE - L2_CYCLES - early;
        struct mmu_reply reply;
        assert_true((i % 2 ? mmu_translate_plain : mmu_translate_miss)(&r->mmu, rig_page(1), HV_LOAD, now, &reply));
        assert_false(reply.walked);
        assert_ready_exactly_at(now + reply.tlb_cycles, PREFETCH_DONE);
        assert_int_equal(r->mmu.stats.walks_merged, early != 0);
        expect_prefetches(r, 1, 0, 1);
        rig_free(r);
    }
}

/* A prefetch takes a walker: with one only, the next miss waits for it; with two it does not. */
static void a_prefetch_occupies_a_walker(void **state)
{
    (void)state;
    for (uint64_t walkers = 1; walkers <= 2; walkers++) {
        struct mmu_config config = prefetching(walkers);
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        (void)translate(r, 0, NOW);
        hv_cycles now = DEMAND_DONE + 30; /* never at the same cycle as the prefetch at the memory channel */
        hv_cycles begin = walkers == 1 ? PREFETCH_DONE : now + L2_CYCLES;
        assert_ready_exactly_at(translate(r, 5, now), begin + WALK);
        rig_free(r);
    }
}

/* A walk that has the walker when the demand walk ends: the prefetch does not wait for it, there is none. */
static void without_a_free_walker_there_is_no_prefetch(void **state)
{
    (void)state;
    for (uint64_t walkers = 1; walkers <= 2; walkers++) {
        struct mmu_config config = prefetching(walkers);
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        struct mmu_walk_reply reply;
        mmu_walk(&r->mmu, rig_page(5), HV_LOAD, DEMAND_DONE, &reply);
        assert_ready_exactly_at(translate(r, 0, NOW), DEMAND_DONE);
        expect_prefetches(r, walkers - 1, 0, 0);
        rig_free(r);
    }
}

/* A page of 2M is followed by the next 2M. */
static void the_next_page_is_of_the_same_size(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    uint64_t large = (RIG_GVA & ~(HV_GIB(1) - 1)) + HV_GIB(1);
    for (unsigned n = 0; n < 2; n++) {
        rig_map(&t, large + n * HV_MIB(2), HV_GIB(2) + n * HV_MIB(2), HV_PAGE_2M);
    }
    (void)access_as(r, (hv_gva){large + 0x12345}, HV_LOAD, NOW);
    struct mmu_reply reply = access_as(r, (hv_gva){large + HV_MIB(2) + 0x6789a}, HV_LOAD, 2 * NOW);
    assert_false(reply.walked);
    assert_int_equal(reply.hpa.v, HV_GIB(2) + HV_MIB(2) + 0x6789a);
    expect_prefetches(r, 1, 0, 1);
    rig_free(r);
}

static void what_is_there_is_not_fetched_again(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    (void)translate(r, 3, NOW);      /* brings 4 */
    (void)translate(r, 2, 2 * NOW);  /* 3 is there */
    expect_prefetches(r, 1, 0, 0);
    rig_free(r);
}

/* --- What software must not see --------------------------------------------------------------------------------- */

/* The page behind the last one is not mapped: no fault, and an access there faults as ever. */
static void a_prefetch_never_faults(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    (void)translate(r, PAGES - 1, NOW);
    expect_prefetches(r, 1, 1, 0);
    assert_int_equal(r->mmu.stats.faults_guest_page, 0);
    assert_int_equal(r->mmu.stats.walks, 1);
    struct mmu_reply reply;
    assert_false(mmu_translate(&r->mmu, rig_page(PAGES), HV_LOAD, 2 * NOW, &reply));
    assert_int_equal(r->mmu.stats.faults_guest_page, 1);
    mmu_check_walkers(&r->mmu);
    rig_free(r);
}

/* Behind the last canonical address there is nothing to walk for. */
static void a_prefetch_stays_canonical(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    uint64_t last = (UINT64_C(1) << 47) - HV_PAGE_BYTES;
    rig_map(&t, last, HV_GIB(3), HV_PAGE_4K);
    (void)access_as(r, (hv_gva){last}, HV_LOAD, NOW);
    expect_prefetches(r, 0, 0, 0);
    rig_free(r);
}

/* A prefetch sets no flag in any entry of its way; it ends there. */
static void a_prefetch_sets_no_flags(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_hpa pte = rig_entry(&t, rig_page(1).v, 1);
    clear_entry_bits(r, pte, RADIX_IA32E_ACCESSED);
    uint64_t value = physmem_read64(&r->memory, pte);
    (void)translate(r, 0, NOW);
    expect_prefetches(r, 1, 1, 0);
    assert_int_equal(physmem_read64(&r->memory, pte), value);
    assert_int_equal(r->mmu.stats.flag_updates, 0);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + L2_CYCLES + WALK + RIG_DRAM_CYCLES);
    rig_free(r);
}

/* A page that is not dirty is brought for loads; a store walks and sets the flag. */
static void a_store_is_no_reason_to_set_the_next_page_dirty(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_hpa pte = rig_entry(&t, rig_page(1).v, 1);
    clear_entry_bits(r, pte, RADIX_IA32E_DIRTY);
    (void)access_as(r, rig_page(0), HV_STORE, NOW);
    expect_prefetches(r, 1, 0, 0);
    assert_int_equal(physmem_read64(&r->memory, pte) & RADIX_IA32E_DIRTY, 0);
    assert_true(access_as(r, rig_page(1), HV_STORE, 2 * NOW).walked);
    assert_int_equal(physmem_read64(&r->memory, pte) & RADIX_IA32E_DIRTY, RADIX_IA32E_DIRTY);
    assert_false(access_as(r, rig_page(1), HV_STORE, 3 * NOW).walked);
    expect_prefetches(r, 2, 0, 0); /* that walk brought page 2, and was no use of page 1's prefetch */
    rig_free(r);
}

/* The same in the second level: a host entry without its accessed flag, under the data page or under a guest table. */
static void a_prefetch_sets_no_flags_of_the_host(void **state)
{
    (void)state;
    for (unsigned clear = 0; clear < 2; clear++) {
        struct mmu_config config = prefetching(1);
        struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
        static const struct rig_guest_shape shape = {4, 4, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_4K};
        struct rig_guest g = rig_build_guest(r, &shape);
        uint64_t next = g.data_gpa + HV_PAGE_BYTES;
        rig_map(&g.guest, RIG_GVA + HV_PAGE_BYTES, next, HV_PAGE_4K);
        rig_map(&g.ept, next, RIG_BASE + next, HV_PAGE_4K);
        hv_hpa entry = rig_entry(&g.ept, next, 1);
        clear_entry_bits(r, entry, clear ? (uint64_t)RADIX_EPT_ACCESSED : 0);
        uint64_t value = physmem_read64(&r->memory, entry);
        (void)access_as(r, rig_page(0), HV_LOAD, NOW);
        expect_prefetches(r, 1, clear, 0);
        assert_int_equal(physmem_read64(&r->memory, entry), value);
        assert_int_equal(r->mmu.stats.prefetch_refs, 24);
        assert_int_equal(access_as(r, rig_page(1), HV_LOAD, 10 * NOW).walked, clear);
        rig_free(r);
    }
}

/* --- Who counts what -------------------------------------------------------------------------------------------- */

/* The grid is that of walks alone. The prefetch of a fetch is one too, and walks of prefetches use the walk caches. */
static void prefetches_are_counted_apart(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc_level[HV_GUEST][2].entries = 4;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    (void)access_as(r, rig_page(0), HV_FETCH, NOW);
    uint64_t refs = 0, cycles = 0;
    for (unsigned step = 0; step < MMU_GRID; step++) {
        refs += r->mmu.grid[step][0].refs;
        cycles += r->mmu.grid[step][0].cycles;
    }
    assert_int_equal(refs, 4);
    assert_int_equal(cycles, WALK);
    assert_int_equal(r->mmu.walk_cycles.count, 1);
    assert_int_equal(r->mmu.stats.prefetch_refs, 1); /* the table is known from the demand walk */
    assert_false(access_as(r, rig_page(1), HV_FETCH, 2 * NOW).walked);
    expect_prefetches(r, 1, 0, 1);
    rig_free(r);
}

static void observe(void *ctx, const struct mmu_event *event)
{
    (void)event;
    ++*(unsigned *)ctx;
}

/* An observer is told of the access that it asked for: two TLB misses, four reads, the end. */
static void observers_see_no_prefetch(void **state)
{
    (void)state;
    struct mmu_config config = prefetching(1);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    unsigned events = 0;
    mmu_observe(&r->mmu, (struct mmu_observer){observe, &events});
    (void)translate(r, 0, NOW);
    assert_int_equal(events, 2 + 4 + 1);
    expect_prefetches(r, 1, 0, 0);
    rig_free(r);
}

/* A prefetched translation goes stale like any other, and check.stale knows it. */
static void stale_prefetches_are_found(void **state)
{
    (void)state;
    for (unsigned invalidated = 0; invalidated < 2; invalidated++) {
        struct mmu_config config = prefetching(1);
        config.check_stale = true;
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        (void)translate(r, 0, NOW);
        rig_map(&t, rig_page(1).v, HV_GIB(3), HV_PAGE_4K);
        if (invalidated) {
            mmu_invlpg(&r->mmu, rig_page(1));
        }
        struct mmu_reply reply = access_as(r, rig_page(1), HV_LOAD, 2 * NOW);
        assert_int_equal(reply.walked, invalidated);
        assert_int_equal(r->mmu.stats.stale_found, !invalidated);
        rig_free(r);
    }
}

GTEST_MAIN("Prefetch", cmocka_unit_test(the_next_page_is_in_the_second_level),
           cmocka_unit_test(nothing_is_prefetched_by_default),
           cmocka_unit_test(an_early_access_waits_for_the_prefetch), cmocka_unit_test(a_prefetch_occupies_a_walker),
           cmocka_unit_test(without_a_free_walker_there_is_no_prefetch),
           cmocka_unit_test(the_next_page_is_of_the_same_size), cmocka_unit_test(what_is_there_is_not_fetched_again),
           cmocka_unit_test(a_prefetch_never_faults), cmocka_unit_test(a_prefetch_stays_canonical),
           cmocka_unit_test(a_prefetch_sets_no_flags),
           cmocka_unit_test(a_store_is_no_reason_to_set_the_next_page_dirty),
           cmocka_unit_test(a_prefetch_sets_no_flags_of_the_host), cmocka_unit_test(prefetches_are_counted_apart),
           cmocka_unit_test(observers_see_no_prefetch), cmocka_unit_test(stale_prefetches_are_found))
