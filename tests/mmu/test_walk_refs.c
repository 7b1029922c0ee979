/* SPDX-License-Identifier: MIT */
/*
 * How many references a walk makes, which, and in which order, against the closed form
 *
 *     native = guest levels walked
 *     nested = sum over guest entries read (n_table + 1) + n_data
 *
 * where n is what the second level's walk of that page costs: 0 on a nested-TLB hit.
 */
#include "gtest.h"

#include <string.h>

#include "rig.h"

enum { MAX_EVENTS = 256 };

/* Every reference of one walk, as an observer saw it. */
struct watch {
    struct mmu_event reads[MAX_EVENTS];
    size_t count;
    struct mmu_event last; /* of any kind */
};

static void watch_event(void *ctx, const struct mmu_event *event)
{
    struct watch *w = ctx;
    w->last = *event;
    if (event->kind == MMU_EVENT_READ) {
        assert_true(w->count < MAX_EVENTS);
        w->reads[w->count++] = *event;
    }
}

/* Walks once and returns the references; `w` has them one by one. */
static unsigned walk(struct rig *r, struct watch *w, struct mmu_walk_reply *reply)
{
    memset(w, 0, sizeof(*w));
    mmu_observe(&r->mmu, (struct mmu_observer){watch_event, w});
    uint64_t before = r->mmu.stats.walk_refs;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, reply);
    assert_true(reply->ok);
    assert_int_equal(w->last.kind, MMU_EVENT_DONE);
    assert_int_equal(w->last.value, reply->walk.result);
    unsigned refs = (unsigned)(r->mmu.stats.walk_refs - before);
    assert_int_equal(refs, w->count);
    return refs;
}

/* The grid's sums are the walker's totals. */
static void check_sums(const struct mmu *m)
{
    uint64_t refs = 0, cycles = 0, guest = 0;
    for (unsigned row = 0; row < MMU_GRID; row++) {
        for (unsigned column = 0; column < MMU_GRID; column++) {
            refs += m->grid[row][column].refs;
            cycles += m->grid[row][column].cycles;
        }
        guest += m->grid[row][0].refs;
    }
    assert_int_equal(refs, m->stats.walk_refs);
    assert_int_equal(cycles, m->stats.walk_cycles);
    assert_int_equal(guest, m->stats.walk_refs_guest);
    assert_int_equal(refs - guest, m->stats.walk_refs_host);
    assert_int_equal(m->walk_cycles.count, m->stats.walks);
}

/* --- Native ----------------------------------------------------------------------------------------------------- */

static void native_walks_read_one_entry_per_level(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned size = HV_PAGE_4K; size < HV_PAGE_SIZES; size++) {
            struct mmu_config config = rig_bare_config();
            struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
            struct rig_tables t = rig_tables_new(r, HV_MIB(1), 0, levels);
            rig_map(&t, RIG_GVA, RIG_DATA_GPA, (enum hv_page_size)size);
            struct mmu_regs regs = rig_regs(&t, NULL);
            mmu_set_context(&r->mmu, &regs);
            struct watch w;
            struct mmu_walk_reply reply;
            assert_int_equal(walk(r, &w, &reply), levels - size);
            assert_int_equal(reply.guest_cycles, RIG_DRAM_CYCLES * (levels - size));
            assert_int_equal(reply.host_cycles, 0);
            for (size_t i = 0; i < w.count; i++) {
                assert_int_equal(w.reads[i].guest_step, levels - i);
                assert_int_equal(w.reads[i].host_level, 0);
                assert_int_equal(w.reads[i].address, rig_entry(&t, RIG_GVA, levels - (unsigned)i).v);
                assert_int_equal(w.reads[i].cycles, RIG_DRAM_CYCLES);
            }
            check_sums(&r->mmu);
            rig_free(r);
        }
    }
}

/* --- Nested: the whole grid of shapes --------------------------------------------------------------------------- */

/* The walk of one guest-physical address: host levels down to the leaf of its page. */
static size_t check_host_walk(const struct watch *w, size_t i, struct rig_guest *g, unsigned step, uint64_t gpa,
                              enum hv_page_size page)
{
    for (unsigned level = g->ept.levels; level > (unsigned)page; level--, i++) {
        assert_int_equal(w->reads[i].guest_step, step);
        assert_int_equal(w->reads[i].host_level, level);
        assert_int_equal(w->reads[i].address, rig_entry(&g->ept, gpa, level).v);
    }
    return i;
}

static void check_order(const struct watch *w, struct rig_guest *g, const struct rig_guest_shape *shape)
{
    size_t i = 0;
    for (unsigned step = shape->guest_levels; step > (unsigned)shape->guest_page; step--, i++) {
        uint64_t entry = rig_entry(&g->guest, RIG_GVA, step).v;
        i = check_host_walk(w, i, g, step, entry - RIG_BASE, shape->host_table_page);
        assert_int_equal(w->reads[i].guest_step, step);
        assert_int_equal(w->reads[i].host_level, 0);
        assert_int_equal(w->reads[i].address, entry);
    }
    i = check_host_walk(w, i, g, 0, g->data_gpa, shape->host_page);
    assert_int_equal(i, w->count);
}

/* Each cell of the grid that the shape touches was touched once, and no other. */
static void check_cells(const struct mmu *m, const struct rig_guest_shape *shape)
{
    for (unsigned step = 0; step < MMU_GRID; step++) {
        for (unsigned level = 0; level < MMU_GRID; level++) {
            bool row = step == 0 || (step > (unsigned)shape->guest_page && step <= shape->guest_levels);
            enum hv_page_size page = step == 0 ? shape->host_page : shape->host_table_page;
            bool column = level == 0 ? step != 0 : level > (unsigned)page && level <= shape->host_levels;
            assert_int_equal(m->grid[step][level].refs, row && column ? 1 : 0);
            assert_int_equal(m->grid[step][level].cycles, row && column ? RIG_DRAM_CYCLES : 0);
        }
    }
}

static void check_shape(const struct rig_guest_shape *shape)
{
    struct mmu_config config = rig_bare_config();
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    struct rig_guest g = rig_build_guest(r, shape);
    struct watch w;
    struct mmu_walk_reply reply;
    unsigned entries = shape->guest_levels - (unsigned)shape->guest_page;
    unsigned n_table = shape->host_levels - (unsigned)shape->host_table_page;
    unsigned n_data = shape->host_levels - (unsigned)shape->host_page;
    unsigned refs = walk(r, &w, &reply);
    assert_int_equal(refs, entries * (n_table + 1) + n_data);
    if (shape->host_table_page == shape->host_page) {
        assert_int_equal(refs, (entries + 1) * (n_data + 1) - 1);
    }
    assert_int_equal(reply.done, RIG_DRAM_CYCLES * refs);
    assert_int_equal(reply.guest_cycles, RIG_DRAM_CYCLES * entries);
    assert_int_equal(reply.host_cycles, RIG_DRAM_CYCLES * (refs - entries));
    assert_int_equal(r->mmu.stats.walk_refs_max, refs);
    enum hv_page_size smaller = shape->guest_page < shape->host_page ? shape->guest_page : shape->host_page;
    assert_int_equal(reply.walk.size, smaller);
    assert_int_equal(tlb_entry_address(reply.walk.result, RIG_GVA, hv_page_shift(smaller)).v, RIG_BASE + g.data_gpa);
    check_order(&w, &g, shape);
    check_cells(&r->mmu, shape);
    check_sums(&r->mmu);
    rig_free(r);
}

/* 36 cells, and each of them again with tables on host pages of every other size. */
static void nested_walks_of_every_shape(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2 * 2 * 3 * 3 * 3; n++) {
        struct rig_guest_shape shape = {
            .guest_levels = 4 + n % 2,
            .host_levels = 4 + n / 2 % 2,
            .guest_page = (enum hv_page_size)(n / 4 % 3),
            .host_page = (enum hv_page_size)(n / 12 % 3),
            .host_table_page = (enum hv_page_size)(n / 36 % 3),
        };
        check_shape(&shape);
    }
}

/* The figures of the literature, written out. */
static void the_textbook_figures(void **state)
{
    (void)state;
    static const struct {
        unsigned guest_levels, host_levels, guest_page, host_page, refs;
    } rows[] = {
        {4, 4, 0, 0, 24}, {4, 4, 0, 1, 19}, {4, 4, 0, 2, 14}, {4, 4, 1, 1, 15}, {4, 4, 1, 2, 11}, {4, 4, 2, 2, 8},
        {5, 5, 0, 0, 35}, {5, 5, 1, 1, 24}, {5, 5, 2, 2, 15}, {5, 4, 0, 0, 29}, {4, 5, 0, 0, 29}, {4, 5, 1, 0, 23},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct rig_guest_shape shape = {
            rows[i].guest_levels, rows[i].host_levels, (enum hv_page_size)rows[i].guest_page,
            (enum hv_page_size)rows[i].host_page, (enum hv_page_size)rows[i].host_page,
        };
        struct mmu_config config = rig_bare_config();
        struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
        struct watch w;
        struct mmu_walk_reply reply;
        (void)rig_build_guest(r, &shape);
        assert_int_equal(walk(r, &w, &reply), rows[i].refs);
        rig_free(r);
    }
}

/* --- With caches ------------------------------------------------------------------------------------------------ */

static const struct rig_guest_shape all_4k = {4, 4, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_4K};

/* The references of the second of two equal walks. */
static unsigned second_walk(const struct mmu_config *config, const struct rig_guest_shape *shape, struct watch *w)
{
    struct rig *r = rig_new(config, RIG_MEMORY_BYTES);
    struct mmu_walk_reply reply;
    (void)rig_build_guest(r, shape);
    (void)walk(r, w, &reply);
    uint64_t result = reply.walk.result;
    unsigned refs = walk(r, w, &reply);
    assert_int_equal(reply.walk.result, result);
    check_sums(&r->mmu);
    rig_free(r);
    return refs;
}

/*
 * A guest cache at level G gives the table of level G-1 with its translation: of the guest's entries G-1 remain, and
 * all but the first of them need theirs translated, as does the data page. A host cache at level H leaves H-1
 * references of each translation. (Level 6: no such cache.)
 */
static void caches_of_translations_skip_the_levels_above(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned guest = PWC_LOWEST_LEVEL; guest <= levels + 1; guest++) {
            for (unsigned host = PWC_LOWEST_LEVEL; host <= levels + 1; host++) {
                struct rig_guest_shape shape = {levels, levels, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_4K};
                struct mmu_config config = rig_bare_config();
                config.pwc.kind = PWC_TRANSLATION;
                if (guest <= levels) {
                    config.pwc_level[HV_GUEST][guest].entries = 16;
                }
                if (host <= levels) {
                    config.pwc_level[HV_HOST][host].entries = 16;
                }
                struct watch w;
                unsigned entries = guest - 1, n = host - 1;
                unsigned translations = guest <= levels ? entries : entries + 1;
                assert_int_equal(second_walk(&config, &shape, &w), entries + translations * n);
                assert_int_equal(w.reads[0].guest_step, entries);
                assert_int_equal(w.reads[0].host_level, guest <= levels ? 0 : host - 1);
            }
        }
    }
}

/* Large leaves: a cache at the level of the leaf never holds anything. */
static void caches_of_translations_hold_no_leaf(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc_level[HV_GUEST][2].entries = config.pwc_level[HV_HOST][2].entries = 16;
    struct rig_guest_shape shape = {4, 4, HV_PAGE_2M, HV_PAGE_2M, HV_PAGE_2M};
    struct watch w;
    assert_int_equal(second_walk(&config, &shape, &w), (3 + 1) * (3 + 1) - 1);
}

static void nested_tlb_hits_cost_no_reference(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.nested_tlb.entries = 16;
    struct watch w;
    assert_int_equal(second_walk(&config, &all_4k, &w), 4); /* the guest's entries alone */

    /* Tables that share one 2M page of the host: already in the first walk n is 0 for all but the first of them. */
    struct rig_guest_shape shape = {4, 4, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_2M};
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    struct mmu_walk_reply reply;
    (void)rig_build_guest(r, &shape);
    assert_int_equal(walk(r, &w, &reply), (3 + 1) + 3 * (0 + 1) + 4);
    assert_int_equal(r->mmu.nested_tlb_stats.hits, 3);
    assert_int_equal(r->mmu.nested_tlb_stats.misses, 2);
    rig_free(r);
}

static void the_best_cases(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc_level[HV_GUEST][2].entries = config.pwc_level[HV_HOST][2].entries = 16;
    struct watch w;
    assert_int_equal(second_walk(&config, &all_4k, &w), 2);
    assert_int_equal(w.reads[0].guest_step, 1); /* the guest's leaf */
    assert_int_equal(w.reads[0].host_level, 0);
    assert_int_equal(w.reads[1].guest_step, 0); /* the second level's leaf of the data page */
    assert_int_equal(w.reads[1].host_level, 1);
    config.nested_tlb.entries = 16;
    assert_int_equal(second_walk(&config, &all_4k, &w), 1);
    assert_int_equal(w.reads[0].guest_step, 1);
    assert_int_equal(w.reads[0].host_level, 0);
}

/* The other family: each of the 24 references is made, those above the leaves at the cache's latency. */
static void caches_of_entries_make_every_reference(void **state)
{
    (void)state;
    enum { LATENCY = 3 };
    struct mmu_config config = rig_warm_config(PWC_ENTRY, 16);
    config.nested_tlb.entries = 0;
    config.pwc.latency_cycles = LATENCY;
    struct watch w;
    assert_int_equal(second_walk(&config, &all_4k, &w), 24);
    for (size_t i = 0; i < w.count; i++) {
        unsigned level = w.reads[i].host_level != 0 ? w.reads[i].host_level : w.reads[i].guest_step;
        assert_int_equal(w.reads[i].from_pwc, level >= PWC_LOWEST_LEVEL);
        assert_int_equal(w.reads[i].cycles, level >= PWC_LOWEST_LEVEL ? LATENCY : RIG_DRAM_CYCLES);
    }
}

/* One level alone, in one dimension alone. */
static void a_cache_of_entries_holds_its_level_only(void **state)
{
    (void)state;
    for (unsigned d = HV_GUEST; d <= HV_HOST; d++) {
        for (unsigned level = PWC_LOWEST_LEVEL; level <= 4; level++) {
            struct mmu_config config = rig_bare_config();
            config.pwc.kind = PWC_ENTRY;
            config.pwc_level[d][level].entries = 16;
            struct watch w;
            assert_int_equal(second_walk(&config, &all_4k, &w), 24);
            for (size_t i = 0; i < w.count; i++) {
                bool here = d == HV_HOST ? w.reads[i].host_level == level
                                         : w.reads[i].host_level == 0 && w.reads[i].guest_step == level;
                assert_int_equal(w.reads[i].from_pwc, here);
            }
        }
    }
}

/* Probing from the lowest level up, so a hit at level L has missed in those below. */
static void walk_caches_count_what_they_were_asked(void **state)
{
    (void)state;
    struct mmu_config config = rig_bare_config();
    config.pwc.kind = PWC_TRANSLATION;
    config.pwc_level[HV_GUEST][2].entries = config.pwc_level[HV_GUEST][3].entries = 16;
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    struct rig_tables t = rig_tables_new(r, HV_MIB(1), 0, 4);
    uint64_t neighbour = RIG_GVA + HV_MIB(2); /* in the same table of level 2 */
    rig_map(&t, RIG_GVA, 0, HV_PAGE_4K);
    rig_map(&t, neighbour, 0, HV_PAGE_4K);
    struct mmu_regs regs = rig_regs(&t, NULL);
    mmu_set_context(&r->mmu, &regs);
    struct mmu_walk_reply reply;
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply);   /* misses in both */
    mmu_walk(&r->mmu, (hv_gva){neighbour}, HV_LOAD, 0, &reply); /* misses at 2, hits at 3 */
    mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply);   /* hits at 2; 3 is not asked */
    const struct pwc_level_stats(*stats)[PWC_LEVELS] = r->mmu.pwc.stats;
    assert_int_equal(stats[HV_GUEST][2].hits, 1);
    assert_int_equal(stats[HV_GUEST][2].misses, 2);
    assert_int_equal(stats[HV_GUEST][3].hits, 1);
    assert_int_equal(stats[HV_GUEST][3].misses, 1);
    assert_int_equal(r->mmu.stats.walk_refs, 4 + 2 + 1);
    rig_free(r);
}

/* A table that a guest walk found through a stale walk cache faults, and the retry starts from the root. */
static void a_fault_drops_the_cached_tables_of_its_address(void **state)
{
    (void)state;
    static const enum pwc_kind kinds[] = {PWC_TRANSLATION, PWC_ENTRY};
    for (size_t i = 0; i < HV_ARRAY_LEN(kinds); i++) {
        struct mmu_config config = rig_bare_config();
        config.pwc.kind = kinds[i];
        config.pwc_level[HV_GUEST][2].entries = 16;
        struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
        struct rig_tables t = rig_tables_new(r, HV_MIB(1), 0, 4);
        rig_map(&t, RIG_GVA, 0, HV_PAGE_4K);
        struct mmu_regs regs = rig_regs(&t, NULL);
        mmu_set_context(&r->mmu, &regs);
        struct mmu_walk_reply reply;
        mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply);
        assert_true(reply.ok);
        /* Software moves the last table elsewhere and clears the old one, without an invalidation. */
        physmem_write64(&r->memory, rig_entry(&t, RIG_GVA, 1), 0);
        physmem_write64(&r->memory, rig_entry(&t, RIG_GVA, 2), 0);
        rig_map(&t, RIG_GVA, HV_MIB(8), HV_PAGE_4K);
        mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply);
        assert_false(reply.ok);
        assert_int_equal(reply.walk.fault.kind, HV_FAULT_PAGE);
        /* SDM Vol. 3A 4.10.4.1: so the fault does not recur. */
        mmu_walk(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply);
        assert_true(reply.ok);
        rig_free(r);
    }
}

GTEST_MAIN("WalkRefs", cmocka_unit_test(native_walks_read_one_entry_per_level),
           cmocka_unit_test(nested_walks_of_every_shape), cmocka_unit_test(the_textbook_figures),
           cmocka_unit_test(caches_of_translations_skip_the_levels_above),
           cmocka_unit_test(caches_of_translations_hold_no_leaf), cmocka_unit_test(nested_tlb_hits_cost_no_reference),
           cmocka_unit_test(the_best_cases), cmocka_unit_test(caches_of_entries_make_every_reference),
           cmocka_unit_test(a_cache_of_entries_holds_its_level_only),
           cmocka_unit_test(walk_caches_count_what_they_were_asked),
           cmocka_unit_test(a_fault_drops_the_cached_tables_of_its_address))
