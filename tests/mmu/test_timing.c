/* SPDX-License-Identifier: MIT */
/* When translations are ready: not a cycle before, not a cycle after. Expectations are sums of configured latencies. */
#include "ready.h"

#include <string.h>

#include "rig.h"

enum { L1_CYCLES = 2, L2_CYCLES = 9, PWC_CYCLES = 3, NESTED_CYCLES = 5, NOW = 1000 };

static const struct rig_guest_shape all_4k = {4, 4, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_4K};

/* What a whole translation takes, by its parts. */
static hv_cycles translate(struct rig *r, unsigned page, hv_cycles now)
{
    struct mmu_reply reply;
    assert_true(mmu_translate(&r->mmu, (hv_gva){RIG_GVA + page * HV_PAGE_BYTES}, HV_LOAD, now, &reply));
    hv_cycles walk = reply.walked ? reply.queue_cycles + reply.walk_guest_cycles + reply.walk_host_cycles : 0;
    return now + reply.tlb_cycles + walk;
}

static void tlb_levels(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    rig_add_tlb(&config, TLB_L1D_4K, 1, 1, L1_CYCLES);
    rig_add_tlb(&config, TLB_L2, 8, 1, L2_CYCLES);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    /* A miss of both levels pays the second's time, then the walk. */
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + L2_CYCLES + 4 * RIG_DRAM_CYCLES);
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + L1_CYCLES);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + L2_CYCLES + 4 * RIG_DRAM_CYCLES);
    /* The first level holds one page; the other is in the second, and comes back to the first. */
    assert_ready_exactly_at(translate(r, 0, 4 * NOW), 4 * NOW + L2_CYCLES);
    assert_ready_exactly_at(translate(r, 0, 4 * NOW), 4 * NOW + L1_CYCLES);
    assert_int_equal(r->mmu.stats.walks, 2);
    rig_free(r);
}

/* A structure of another page size answers at its own latency. */
static void each_structure_has_its_latency(void **state)
{
    (void)state;
    for (unsigned size = HV_PAGE_4K; size < HV_PAGE_SIZES; size++) {
        struct mmu_config config = rig_bare_config();
        rig_add_tlb(&config, TLB_L1D_4K, 4, 1, 1);
        rig_add_tlb(&config, TLB_L1D_2M, 4, 2, 2);
        rig_add_tlb(&config, TLB_L1D_1G, 4, 4, 3);
        struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
        struct rig_tables t = rig_tables_new(r, HV_MIB(1), 0, 4);
        rig_map(&t, RIG_GVA, HV_GIB(1), (enum hv_page_size)size);
        struct mmu_regs regs = rig_regs(&t, NULL);
        mmu_set_context(&r->mmu, &regs);
        (void)translate(r, 0, NOW);
        assert_ready_exactly_at(translate(r, 0, NOW), NOW + 1 + size);
        rig_free(r);
    }
}

static void walk_caches_of_translations(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc.latency_cycles = PWC_CYCLES;
    config.pwc_level[HV_GUEST][2].entries = 4;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + PWC_CYCLES + 4 * RIG_DRAM_CYCLES);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + PWC_CYCLES + RIG_DRAM_CYCLES);
    rig_free(r);
}

static void walk_caches_of_entries(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_ENTRY;
    config.pwc.latency_cycles = PWC_CYCLES;
    for (unsigned level = PWC_LOWEST_LEVEL; level <= 4; level++) {
        config.pwc_level[HV_GUEST][level].entries = 4;
    }
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + 4 * RIG_DRAM_CYCLES);
    assert_ready_exactly_at(translate(r, 1, 2 * NOW), 2 * NOW + 3 * PWC_CYCLES + RIG_DRAM_CYCLES);
    rig_free(r);
}

/* Each of the five translations of a walk asks the nested TLB first. */
static void nested_tlb(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.nested_tlb.entries = 16;
    config.nested_tlb.latency_cycles = NESTED_CYCLES;
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    (void)rig_build_guest(r, &all_4k);
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, NOW, &reply);
    assert_ready_exactly_at(reply.done, NOW + 5 * NESTED_CYCLES + 24 * RIG_DRAM_CYCLES);
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 10 * NOW, &reply);
    assert_ready_exactly_at(reply.done, 10 * NOW + 5 * NESTED_CYCLES + 4 * RIG_DRAM_CYCLES);
    assert_int_equal(reply.guest_cycles, 4 * RIG_DRAM_CYCLES);
    assert_int_equal(reply.host_cycles, 5 * NESTED_CYCLES);
    rig_free(r);
}

/* Host caches of translations are asked once per translation, at the start of its walk. */
static void host_walk_caches(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc.latency_cycles = PWC_CYCLES;
    config.pwc_level[HV_HOST][2].entries = 16;
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    (void)rig_build_guest(r, &all_4k);
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, NOW, &reply);
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 10 * NOW, &reply);
    /* One look-up for the guest's tables, five for the host's; four guest entries and five host leaves are read. */
    assert_ready_exactly_at(reply.done, 10 * NOW + 6 * PWC_CYCLES + 9 * RIG_DRAM_CYCLES);
    rig_free(r);
}

/* Setting an accessed flag writes the entry: one more reference. */
static void flag_updates_cost_a_reference(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_hpa pte = rig_entry(&t, RIG_GVA, 1);
    physmem_write64(&r->memory, pte, physmem_read64(&r->memory, pte) & ~UINT64_C(0x60));
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, NOW, &reply);
    assert_ready_exactly_at(reply.done, NOW + 5 * RIG_DRAM_CYCLES);
    assert_int_equal(r->mmu.stats.walk_refs, 4); /* of reads */
    assert_int_equal(r->mmu.stats.flag_updates, 1);
    assert_int_equal(r->mmu.grid[1][0].cycles, 2 * RIG_DRAM_CYCLES);
    rig_free(r);
}

/* --- Walkers ---------------------------------------------------------------------------------------------------- */

static hv_cycles walk_at(struct rig *r, unsigned page, hv_cycles now, hv_cycles *queued)
{
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA + page * HV_PAGE_BYTES}, HV_LOAD, now, &reply);
    assert_true(reply.ok);
    *queued = reply.queue_cycles;
    return reply.done;
}

enum { WALK = 4 * RIG_DRAM_CYCLES };

static void one_walker_does_one_walk_at_a_time(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_cycles queued;
    assert_ready_exactly_at(walk_at(r, 0, NOW, &queued), NOW + WALK);
    assert_int_equal(queued, 0);
    assert_ready_exactly_at(walk_at(r, 1, NOW, &queued), NOW + 2 * WALK); /* both wanted at once */
    assert_int_equal(queued, WALK);
    assert_ready_exactly_at(walk_at(r, 2, NOW + 2 * WALK - 1, &queued), NOW + 3 * WALK); /* a cycle too early */
    assert_int_equal(queued, 1);
    assert_ready_exactly_at(walk_at(r, 3, NOW + 3 * WALK, &queued), NOW + 4 * WALK); /* just when it is free */
    assert_int_equal(queued, 0);
    assert_int_equal(r->mmu.stats.walk_queue_cycles, WALK + 1);
    rig_free(r);
}

/* The walker is taken once the second-level TLB has missed, not when the access begins. */
static void a_walk_begins_when_the_tlbs_have_missed(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    rig_add_tlb(&config, TLB_L2, 8, 1, L2_CYCLES);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_cycles queued;
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + L2_CYCLES + WALK);
    assert_ready_exactly_at(walk_at(r, 1, NOW + L2_CYCLES + WALK - 1, &queued), NOW + L2_CYCLES + 2 * WALK);
    assert_int_equal(queued, 1);
    rig_free(r);
}

/* The second walk does not wait for the first, nor the memory for a walk that lies ahead in time. */
static void two_walkers_do_two(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.mmu.walkers = 2;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_cycles queued;
    assert_ready_exactly_at(walk_at(r, 0, NOW, &queued), NOW + WALK);
    /* Half a reference later, so that the two never want the memory channel in the same cycle. */
    hv_cycles half = RIG_DRAM_CYCLES / 2;
    hv_cycles second = walk_at(r, 1, NOW + half, &queued);
    assert_int_equal(queued, 0);
    assert_true(second >= NOW + half + WALK);
    assert_true(second < NOW + half + WALK + RIG_DRAM_CYCLES); /* it ran beside the first */
    hv_cycles third = walk_at(r, 2, NOW + half, &queued);
    assert_int_equal(queued, WALK - half); /* until the first walker is free */
    assert_true(third >= NOW + 2 * WALK);
    rig_free(r);
}

/* With caches that answer alone there is no memory to share, and times are exact. */
static void two_walkers_in_the_caches(void **state)
{
    (void)state;
    enum { HIT = 7 };
    struct mmu_config config = rig_bare_config();
    config.mmu.walkers = 2;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    struct cache_params params = {.size = HV_KIB(32), .ways = 8, .line_bytes = 64, .latency_cycles = HIT};
    struct hv_err err = {""};
    assert_true(cache_init(&r->path.l1d, "l1d", &params, &err));
    hv_cycles queued;
    (void)walk_at(r, 0, 0, &queued);
    (void)walk_at(r, 2, 0, &queued); /* its PTE lies in the next line */
    assert_ready_exactly_at(walk_at(r, 0, NOW, &queued), NOW + 4 * HIT);
    assert_ready_exactly_at(walk_at(r, 1, NOW, &queued), NOW + 4 * HIT);
    assert_int_equal(queued, 0);
    assert_ready_exactly_at(walk_at(r, 2, NOW, &queued), NOW + 8 * HIT);
    assert_int_equal(queued, 4 * HIT);
    assert_ready_exactly_at(walk_at(r, 3, NOW + 4 * HIT, &queued), NOW + 8 * HIT);
    assert_int_equal(queued, 0);
    assert_int_equal(r->path.l1d.stats.hits + r->path.l1d.stats.misses, 0); /* walks are counted apart */
    assert_int_equal(r->path.l1d.stats.walk_hits + r->path.l1d.stats.walk_misses, r->mmu.stats.walk_refs);
    cache_fini(&r->path.l1d);
    rig_free(r);
}

/* Walks may enter below the first-level cache. */
static void walks_enter_where_they_are_told(void **state)
{
    (void)state;
    for (unsigned entry = 0; entry < 2; entry++) {
        struct mmu_config config = rig_bare_config();
        config.mmu.walk_entry = entry; /* l1d, l2 */
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        struct cache_params l1 = {.size = HV_KIB(32), .ways = 8, .line_bytes = 64, .latency_cycles = 4};
        struct cache_params l2 = {.size = HV_KIB(256), .ways = 4, .line_bytes = 64, .latency_cycles = 14};
        struct hv_err err = {""};
        assert_true(cache_init(&r->path.l1d, "l1d", &l1, &err));
        assert_true(cache_init(&r->path.l2, "l2", &l2, &err));
        hv_cycles queued;
        (void)walk_at(r, 0, 0, &queued);
        assert_ready_exactly_at(walk_at(r, 0, NOW, &queued), NOW + 4 * (entry == 0 ? 4 : 14));
        cache_fini(&r->path.l1d);
        cache_fini(&r->path.l2);
        rig_free(r);
    }
}

GTEST_MAIN("MmuTiming", cmocka_unit_test(tlb_levels), cmocka_unit_test(each_structure_has_its_latency),
           cmocka_unit_test(walk_caches_of_translations), cmocka_unit_test(walk_caches_of_entries),
           cmocka_unit_test(nested_tlb), cmocka_unit_test(host_walk_caches),
           cmocka_unit_test(flag_updates_cost_a_reference), cmocka_unit_test(one_walker_does_one_walk_at_a_time),
           cmocka_unit_test(a_walk_begins_when_the_tlbs_have_missed),
           cmocka_unit_test(two_walkers_do_two), cmocka_unit_test(two_walkers_in_the_caches),
           cmocka_unit_test(walks_enter_where_they_are_told))
