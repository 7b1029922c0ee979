/* SPDX-License-Identifier: MIT */
/*
 * Accesses that overlap in time: walks out of order, and accesses to a page whose walk is under way. Every reference
 * of a walk takes RIG_DRAM_CYCLES here.
 */
#include "ready.h"

#include <stdlib.h>

#include "base/rng.h"
#include "rig.h"

enum { WALK = 4 * RIG_DRAM_CYCLES, L2_CYCLES = 9, NOW = 10000, PAGES = RIG_PAGES };

/* Room for one page in the first level, for all in the second. */
static struct mmu_config two_levels(uint64_t walkers, bool merge)
{
    struct mmu_config config = rig_bare_config();
    rig_add_tlb(&config, TLB_L1D_4K, 1, 1, 0);
    rig_add_tlb(&config, TLB_L2, PAGES, 1, L2_CYCLES);
    config.mmu.walkers = walkers;
    config.mmu.merge_walks = merge;
    return config;
}

static struct mmu_reply translate_as(struct rig *r, unsigned n, enum hv_access_kind kind, hv_cycles now)
{
    struct mmu_reply reply;
    assert_true(mmu_translate(&r->mmu, rig_page(n), kind, now, &reply));
    assert_int_equal(reply.hpa.v, HV_GIB(1) + n * HV_PAGE_BYTES + RIG_GVA % HV_PAGE_BYTES);
    return reply;
}

/* When the translation of a load is there. */
static hv_cycles translate(struct rig *r, unsigned n, hv_cycles now)
{
    struct mmu_reply reply = translate_as(r, n, HV_LOAD, now);
    hv_cycles walk = reply.walked ? reply.queue_cycles + reply.walk_guest_cycles + reply.walk_host_cycles : 0;
    return now + reply.tlb_cycles + walk;
}

static hv_cycles walk_at(struct rig *r, unsigned n, hv_cycles now)
{
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, rig_page(n), HV_LOAD, now, &reply);
    assert_true(reply.ok);
    return reply.done;
}

/* --- Walkers out of order --------------------------------------------------------------------------------------- */

static void a_walk_ahead_delays_no_earlier_one(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    assert_ready_exactly_at(walk_at(r, 0, NOW), NOW + WALK);
    assert_ready_exactly_at(walk_at(r, 1, 1000), 1000 + WALK);
    assert_ready_exactly_at(walk_at(r, 2, 1001), 1000 + 2 * WALK); /* these two are in order */
    assert_ready_exactly_at(walk_at(r, 3, NOW + 1), NOW + 2 * WALK);
    assert_int_equal(r->mmu.stats.walk_queue_cycles, 2 * (WALK - 1));
    assert_int_equal(r->mmu.stats.walkers_busy_cycles, 4 * WALK);
    rig_free(r);
}

/* N(t), the number of walks on walkers in cycle t, added up cycle by cycle, is what the statistics say. */
static void littles_law_holds_for_walkers(void **state)
{
    (void)state;
    enum { WALKS = 300, SPAN = 100000 };
    static const uint64_t walkers[] = {1, 2, 4};
    for (size_t i = 0; i < HV_ARRAY_LEN(walkers); i++) {
        struct mmu_config config = rig_bare_config();
        config.mmu.walkers = walkers[i];
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        uint8_t *under_way = calloc(2 * SPAN, 1);
        assert_non_null(under_way);
        struct hv_rng rng;
        rng_init(&rng, i);
        hv_cycles now = 0, integral = 0;
        for (unsigned n = 0; n < WALKS; n++) {
            struct mmu_walk_reply reply;
            now += rng_below(&rng, 2 * SPAN / WALKS);
            mmu_walk(&r->mmu, rig_page(n % PAGES), HV_LOAD, now, &reply);
            for (hv_cycles c = now + reply.queue_cycles; c < reply.done; c++) {
                assert_true(++under_way[c] <= walkers[i]); /* arrivals in order: never more walks than walkers */
            }
        }
        for (hv_cycles c = 0; c < 2 * SPAN; c++) {
            integral += under_way[c];
        }
        const struct mmu_stats *s = &r->mmu.stats;
        assert_int_equal(integral, s->walkers_busy_cycles);
        /* L = rate x mean time, over any length of time. */
        double rate = (double)s->walks / SPAN, mean = (double)s->walk_cycles / (double)s->walks;
        assert_true(rate * mean - (double)integral / SPAN < 1e-9 && (double)integral / SPAN - rate * mean < 1e-9);
        free(under_way);
        rig_free(r);
    }
}

/* --- Accesses to a page whose walk is under way ----------------------------------------------------------------- */

static void a_first_level_hit_waits_for_the_walk(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(1, true);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    struct mmu *m = &r->mmu;
    hv_cycles done = NOW + L2_CYCLES + WALK;
    assert_int_equal(mmu_pending_until(m, rig_page(0), NOW), NOW);
    assert_ready_exactly_at(translate(r, 0, NOW), done);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), NOW + L2_CYCLES), done);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), done - 1), done);
    assert_int_equal(m->stats.walks_merged, 2);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), done), done);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), done + 1), done + 1);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(1), NOW + 1), NOW + 1); /* another page */
    assert_int_equal(m->stats.walks_merged, 2);
    assert_int_equal(m->stats.walks, 1);
    rig_free(r);
}

static void a_second_level_hit_waits_for_the_walk(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(2, true);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_cycles done = NOW + L2_CYCLES + WALK;
    assert_ready_exactly_at(translate(r, 0, NOW), done);
    (void)translate(r, 1, NOW); /* takes page 0 out of the first level */
    assert_ready_exactly_at(translate(r, 0, done - L2_CYCLES - 1), done);
    assert_int_equal(r->mmu.stats.walks_merged, 1);
    struct mmu_reply reply;
    (void)translate(r, 1, 2 * NOW);
    assert_true(mmu_translate_plain(&r->mmu, rig_page(0), HV_LOAD, NOW, &reply)); /* the other way of asking */
    assert_ready_exactly_at(NOW + reply.tlb_cycles, done);
    assert_int_equal(r->mmu.stats.walks_merged, 2);
    (void)translate(r, 2, 2 * NOW);
    assert_ready_exactly_at(translate(r, 0, 2 * NOW), 2 * NOW + L2_CYCLES); /* long there */
    assert_int_equal(r->mmu.stats.walks, 3);
    assert_int_equal(r->mmu.stats.walks_merged, 2);
    rig_free(r);
}

/* The access waits although it misses both levels, which may have lost the page again. */
static void a_miss_waits_for_the_walk(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config(); /* no TLB */
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    assert_ready_exactly_at(translate(r, 0, NOW), NOW + WALK);
    assert_ready_exactly_at(translate(r, 0, NOW + 1), NOW + WALK);
    assert_ready_exactly_at(translate(r, 0, NOW + WALK - 1), NOW + WALK);
    assert_int_equal(r->mmu.stats.walks, 1);
    assert_int_equal(r->mmu.stats.walks_merged, 2);
    assert_ready_exactly_at(translate(r, 0, NOW + WALK), NOW + 2 * WALK); /* it has ended: nothing to wait for */
    assert_ready_exactly_at(translate(r, 0, 1000), 1000 + WALK);          /* nobody has asked for it yet */
    assert_int_equal(r->mmu.stats.walks, 3);
    rig_free(r);
}

/* What the walk under way brings does not allow a store to a page that is not dirty. */
static void a_store_does_not_join_a_walk_that_does_not_serve_it(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.mmu.walkers = 2;
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_hpa pte = rig_entry(&t, rig_page(0).v, 1);
    physmem_write64(&r->memory, pte, physmem_read64(&r->memory, pte) & ~RADIX_IA32E_DIRTY);
    (void)translate(r, 0, NOW);
    assert_true(translate_as(r, 0, HV_STORE, NOW + 50).walked);
    assert_int_equal(r->mmu.stats.walks, 2);
    assert_int_equal(r->mmu.stats.flag_updates, 1);
    assert_false(translate_as(r, 0, HV_STORE, NOW + 100).walked); /* but the second store joins the first one's */
    rig_free(r);
}

static void without_merging_each_access_walks(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(4, false);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    struct mmu *m = &r->mmu;
    hv_cycles done = NOW + L2_CYCLES + WALK;
    (void)translate(r, 0, NOW);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), NOW + 50), NOW + 50 + WALK); /* a first-level hit */
    assert_int_equal(m->stats.walks, 2);
    (void)translate(r, 1, NOW + 20);
    assert_true(translate_as(r, 0, HV_LOAD, NOW + 70).walked); /* a second-level hit */
    assert_int_equal(m->stats.walks, 4);
    assert_int_equal(m->stats.walks_merged, 0);
    /* The first of the page's walks brings the translation. */
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), done), done);
    assert_int_equal(m->stats.walks, 4);
    rig_free(r);

    config = rig_bare_config();
    config.mmu.merge_walks = false;
    r = rig_new_native(&config, &t);
    (void)translate(r, 0, NOW);
    assert_ready_exactly_at(translate(r, 0, NOW + 50), NOW + 2 * WALK); /* behind the other, on the only walker */
    assert_int_equal(r->mmu.stats.walks, 2);
    rig_free(r);
}

/* Of two accesses to a page the later one was simulated first: the earlier one has the walk that both need. */
static void an_earlier_access_brings_the_walk_forward(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(1, true);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    struct mmu *m = &r->mmu;
    (void)translate(r, 0, NOW);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), 1000), 1000 + WALK);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), 1000 + WALK - 1), 1000 + WALK);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), 1000 + WALK), 1000 + WALK);
    assert_ready_exactly_at(mmu_pending_until(m, rig_page(0), NOW + 100), NOW + 100); /* long there by then */
    assert_int_equal(m->stats.walks, 1);
    assert_int_equal(m->stats.walks_merged, 1);
    rig_free(r);
}

/* A walk that waits for its walker has been asked for: an access meanwhile waits for the end of that walk. */
static void a_walk_in_the_queue_is_under_way(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(1, true);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    hv_cycles done = NOW + L2_CYCLES + 2 * WALK;
    (void)translate(r, 0, NOW);
    assert_ready_exactly_at(translate(r, 1, NOW), done);
    assert_ready_exactly_at(mmu_pending_until(&r->mmu, rig_page(1), NOW + L2_CYCLES + 5), done);
    assert_int_equal(r->mmu.stats.walks_merged, 1);
    rig_free(r);
}

static void an_invalidation_ends_the_waiting(void **state)
{
    (void)state;
    struct mmu_config config = two_levels(2, true);
    struct rig_tables t;
    struct rig *r = rig_new_native(&config, &t);
    (void)translate(r, 0, NOW);
    rig_map(&t, rig_page(0).v, HV_GIB(2), HV_PAGE_4K);
    mmu_invlpg(&r->mmu, rig_page(0));
    assert_int_equal(mmu_pending_until(&r->mmu, rig_page(0), NOW + 50), NOW + 50);
    struct mmu_reply reply;
    assert_true(mmu_translate(&r->mmu, rig_page(0), HV_LOAD, NOW + 50, &reply));
    assert_true(reply.walked);
    assert_int_equal(reply.hpa.v, HV_GIB(2) + RIG_GVA % HV_PAGE_BYTES);
    rig_free(r);
}

/* A large page is under way as a whole, a global one in every address space, any other in its own. */
static void a_page_is_under_way_where_it_is_valid(void **state)
{
    (void)state;
    for (unsigned global = 0; global < 2; global++) {
        struct mmu_config config = rig_warm_config(PWC_NONE, 16);
        struct rig_tables t;
        struct rig *r = rig_new_native(&config, &t);
        uint64_t large = RIG_GVA + HV_GIB(1);
        t.leaf_bits |= global ? RADIX_GLOBAL : 0;
        rig_map(&t, large, HV_GIB(2), HV_PAGE_2M);
        struct mmu_reply reply;
        assert_true(mmu_translate(&r->mmu, (hv_gva){large}, HV_LOAD, NOW, &reply));
        hv_cycles done = NOW + 3 * RIG_DRAM_CYCLES;
        uint64_t start = large & ~(HV_MIB(2) - 1);
        assert_ready_exactly_at(mmu_pending_until(&r->mmu, (hv_gva){start}, NOW + 1), done);
        assert_ready_exactly_at(mmu_pending_until(&r->mmu, (hv_gva){start + HV_MIB(2) - 1}, NOW + 1), done);
        assert_ready_exactly_at(mmu_pending_until(&r->mmu, (hv_gva){start + HV_MIB(2)}, NOW + 1), NOW + 1);
        struct mmu_regs regs = r->mmu.env.regs;
        regs.cr4 |= MMU_CR4_PCIDE;
        regs.cr3 |= 5;
        mmu_set_context(&r->mmu, &regs);
        hv_cycles elsewhere = global ? done : NOW + 1;
        assert_ready_exactly_at(mmu_pending_until(&r->mmu, (hv_gva){large}, NOW + 1), elsewhere);
        rig_free(r);
    }
}

GTEST_MAIN("MmuContention", cmocka_unit_test(a_walk_ahead_delays_no_earlier_one),
           cmocka_unit_test(littles_law_holds_for_walkers), cmocka_unit_test(a_first_level_hit_waits_for_the_walk),
           cmocka_unit_test(a_second_level_hit_waits_for_the_walk), cmocka_unit_test(a_miss_waits_for_the_walk),
           cmocka_unit_test(a_store_does_not_join_a_walk_that_does_not_serve_it),
           cmocka_unit_test(without_merging_each_access_walks),
           cmocka_unit_test(an_earlier_access_brings_the_walk_forward),
           cmocka_unit_test(a_walk_in_the_queue_is_under_way), cmocka_unit_test(an_invalidation_ends_the_waiting),
           cmocka_unit_test(a_page_is_under_way_where_it_is_valid))
