/* SPDX-License-Identifier: MIT */
/* The TLB hierarchy: where pages of each size go, splintering, views, rights, and the counters' invariants. */
#include "gtest.h"

#include <string.h>

#include "tlb/tlb_levels.h"

enum { SPACE = 1, GLOBAL_SPACE = 2, OTHER_SPACE = 3, OTHER_GLOBAL = 4 };
enum { ONLY_4K = 1, ONLY_2M = 2, ONLY_1G = 4, SIZES_4K_2M = 3, ALL_SIZES = 7 };

static const struct tlb_view view = {SPACE, GLOBAL_SPACE};
static const struct tlb_view other_view = {OTHER_SPACE, GLOBAL_SPACE}; /* the same VPID, another PCID */
static const struct tlb_view no_global = {SPACE, 0};
static const struct tlb_needs no_needs = {0, 0};

struct units {
    struct tlb_params unit[TLB_UNITS];
};

static struct units no_units(void)
{
    struct units u;
    memset(&u, 0, sizeof(u));
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        u.unit[unit].ways = PARAM_WAYS_FULL;
    }
    return u;
}

static void add(struct units *u, enum tlb_unit unit, uint64_t entries, uint32_t sizes)
{
    u->unit[unit].entries = entries;
    u->unit[unit].sizes = sizes;
    u->unit[unit].latency_cycles = 10 + unit; /* so that a hit tells who answered */
}

/* Intel's shape: a structure per size in the first level, 4K and 2M together in the second, no 1G there. */
static struct units intel(void)
{
    struct units u = no_units();
    add(&u, TLB_L1D_4K, 64, ONLY_4K);
    add(&u, TLB_L1D_2M, 32, ONLY_2M);
    add(&u, TLB_L1D_1G, 4, ONLY_1G);
    add(&u, TLB_L1I_4K, 128, ONLY_4K);
    add(&u, TLB_L1I_2M, 8, ONLY_2M);
    add(&u, TLB_L2, 1536, SIZES_4K_2M);
    return u;
}

static struct tlb_levels make(const struct units *u)
{
    struct tlb_levels t;
    struct hv_err err = {""};
    if (!tlb_levels_init(&t, u->unit, &err)) {
        fail_msg("%s", err.text);
    }
    return t;
}

/* A page of a size at an address, mapped to 1 TiB above itself. */
static uint64_t page_of(uint64_t address, enum hv_page_size size)
{
    uint64_t frame = (address + HV_GIB(1024)) & ~(hv_page_bytes(size) - 1);
    return frame | (uint64_t)size << TLB_GUEST_SIZE_SHIFT | TLB_HOST_ALL | TLB_DIRTY;
}

static void fill(struct tlb_levels *t, enum tlb_level level, uint64_t address, enum hv_page_size size)
{
    tlb_levels_fill(t, level, address, view, size, page_of(address, size));
}

static bool lookup(struct tlb_levels *t, enum tlb_level level, uint64_t address, struct tlb_hit *hit)
{
    return tlb_levels_lookup(t, level, address, view, &no_needs, hit);
}

#define ADDRESS UINT64_C(0x00003fff7fe12345)

/* --- Where pages go --------------------------------------------------------------------------------------------- */

enum { NOBODY = TLB_UNITS };

/* A level's structures, a page of each size, and which structure holds it afterwards, as a page of which size. */
static void pages_go_where_their_size_fits(void **state)
{
    (void)state;
    static const struct {
        enum tlb_level level;
        uint32_t sizes[TLB_UNITS]; /* of each structure that exists */
        struct {
            unsigned unit;
            enum hv_page_size size;
        } goes[HV_PAGE_SIZES];
    } rows[] = {
        /* One structure per size. */
        {TLB_LEVEL_L1D, {[TLB_L1D_4K] = ONLY_4K, [TLB_L1D_2M] = ONLY_2M, [TLB_L1D_1G] = ONLY_1G},
         {{TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_2M, HV_PAGE_2M}, {TLB_L1D_1G, HV_PAGE_1G}}},
        /* No structure for 1G: splintered to 2M. */
        {TLB_LEVEL_L1D, {[TLB_L1D_4K] = ONLY_4K, [TLB_L1D_2M] = ONLY_2M},
         {{TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_2M, HV_PAGE_2M}, {TLB_L1D_2M, HV_PAGE_2M}}},
        /* 4K alone: both large sizes are splintered to it. */
        {TLB_LEVEL_L1D, {[TLB_L1D_4K] = ONLY_4K},
         {{TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_4K, HV_PAGE_4K}}},
        /* 4K and 1G: 2M goes to 4K, 1G to its own. */
        {TLB_LEVEL_L1D, {[TLB_L1D_4K] = ONLY_4K, [TLB_L1D_1G] = ONLY_1G},
         {{TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_1G, HV_PAGE_1G}}},
        /* AMD: one structure for all sizes. */
        {TLB_LEVEL_L1D, {[TLB_L1D_4K] = ALL_SIZES},
         {{TLB_L1D_4K, HV_PAGE_4K}, {TLB_L1D_4K, HV_PAGE_2M}, {TLB_L1D_4K, HV_PAGE_1G}}},
        {TLB_LEVEL_L1I, {[TLB_L1I_4K] = ONLY_4K, [TLB_L1I_2M] = ONLY_2M},
         {{TLB_L1I_4K, HV_PAGE_4K}, {TLB_L1I_2M, HV_PAGE_2M}, {TLB_L1I_2M, HV_PAGE_2M}}},
        /* A second level does not splinter: what it cannot hold it does not cache. */
        {TLB_LEVEL_L2, {[TLB_L2] = SIZES_4K_2M},
         {{TLB_L2, HV_PAGE_4K}, {TLB_L2, HV_PAGE_2M}, {NOBODY, HV_PAGE_1G}}},
        {TLB_LEVEL_L2, {[TLB_L2] = SIZES_4K_2M, [TLB_L2_1G] = ONLY_1G},
         {{TLB_L2, HV_PAGE_4K}, {TLB_L2, HV_PAGE_2M}, {TLB_L2_1G, HV_PAGE_1G}}},
        {TLB_LEVEL_L2, {[TLB_L2] = ONLY_4K},
         {{TLB_L2, HV_PAGE_4K}, {NOBODY, HV_PAGE_2M}, {NOBODY, HV_PAGE_1G}}},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
            struct units u = no_units();
            for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
                add(&u, (enum tlb_unit)unit, rows[i].sizes[unit] != 0 ? 8 : 0, rows[i].sizes[unit]);
            }
            struct tlb_levels t = make(&u);
            struct tlb_hit hit;
            fill(&t, rows[i].level, ADDRESS, (enum hv_page_size)size);
            bool held = rows[i].goes[size].unit != NOBODY;
            assert_int_equal(lookup(&t, rows[i].level, ADDRESS, &hit), held);
            assert_int_equal(t.level[rows[i].level].stats.fills, held);
            if (held) {
                assert_int_equal(hit.size, rows[i].goes[size].size);
                assert_int_equal(hit.latency_cycles, 10 + rows[i].goes[size].unit);
                assert_int_equal(tlb_entry_address(hit.payload, ADDRESS, hv_page_shift(hit.size)).v,
                                 ADDRESS + HV_GIB(1024));
            }
            tlb_levels_fini(&t);
        }
    }
}

/* A splintered page is as many entries as pieces were touched, each translating its own piece. */
static void each_piece_of_a_splintered_page_is_filled_apart(void **state)
{
    (void)state;
    struct units u = no_units();
    add(&u, TLB_L1D_4K, 64, ONLY_4K);
    add(&u, TLB_L1D_2M, 32, ONLY_2M);
    struct tlb_levels t = make(&u);
    struct tlb_hit hit;
    uint64_t base = ADDRESS & ~(HV_GIB(1) - 1);
    for (uint64_t piece = 0; piece < 32; piece++) {
        uint64_t address = base + piece * HV_MIB(2) + 0x54321;
        assert_false(lookup(&t, TLB_LEVEL_L1D, address, &hit));
        fill(&t, TLB_LEVEL_L1D, address, HV_PAGE_1G);
    }
    for (uint64_t piece = 0; piece < 32; piece++) {
        uint64_t address = base + piece * HV_MIB(2) + 0x1fffff;
        assert_true(lookup(&t, TLB_LEVEL_L1D, address, &hit));
        assert_int_equal(tlb_entry_address(hit.payload, address, 21).v, address + HV_GIB(1024));
    }
    assert_int_equal(t.level[TLB_LEVEL_L1D].stats.fills, 32);
    assert_int_equal(t.level[TLB_LEVEL_L1D].stats.evictions, 0);
    /* One INVLPG anywhere in the 1G page takes all pieces. */
    struct tlb_spaces spaces;
    tlb_spaces_init(&spaces);
    spaces.named[SPACE] = 1;
    uint64_t elsewhere = base + HV_GIB(1) - 1;
    tlb_levels_invalidate(&t, &spaces, &elsewhere);
    assert_int_equal(t.level[TLB_LEVEL_L1D].stats.invalidations, 32);
    tlb_spaces_fini(&spaces);
    tlb_levels_fini(&t);
}

/* A structure for all sizes shares its entries among them. */
static void a_unified_structure_shares_its_entries(void **state)
{
    (void)state;
    struct units u = no_units();
    add(&u, TLB_L1D_4K, 3, ALL_SIZES);
    struct tlb_levels t = make(&u);
    struct tlb_hit hit;
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        fill(&t, TLB_LEVEL_L1D, HV_GIB(size + 1), (enum hv_page_size)size);
    }
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        assert_true(lookup(&t, TLB_LEVEL_L1D, HV_GIB(size + 1) + 5, &hit));
        assert_int_equal(hit.size, size);
    }
    fill(&t, TLB_LEVEL_L1D, HV_GIB(9), HV_PAGE_2M); /* a fourth: the least recently used, the 4K page, goes */
    assert_int_equal(t.level[TLB_LEVEL_L1D].stats.evictions, 1);
    assert_false(lookup(&t, TLB_LEVEL_L1D, HV_GIB(1), &hit));
    assert_true(lookup(&t, TLB_LEVEL_L1D, HV_GIB(2), &hit));
    assert_true(lookup(&t, TLB_LEVEL_L1D, HV_GIB(3), &hit));
    assert_true(lookup(&t, TLB_LEVEL_L1D, HV_GIB(9), &hit));
    tlb_levels_fini(&t);
}

/* --- Views and rights ------------------------------------------------------------------------------------------- */

static void global_translations_serve_every_pcid(void **state)
{
    (void)state;
    struct units u = intel();
    struct tlb_levels t = make(&u);
    struct tlb_hit hit;
    uint64_t global = HV_MIB(4), own = HV_MIB(8);
    tlb_levels_fill(&t, TLB_LEVEL_L1D, global, view, HV_PAGE_4K, page_of(global, HV_PAGE_4K) | TLB_GLOBAL);
    tlb_levels_fill(&t, TLB_LEVEL_L1D, own, view, HV_PAGE_4K, page_of(own, HV_PAGE_4K));
    static const struct {
        struct tlb_view view;
        bool global, own;
    } rows[] = {
        {{SPACE, GLOBAL_SPACE}, true, true},
        {{OTHER_SPACE, GLOBAL_SPACE}, true, false},
        {{OTHER_SPACE, OTHER_GLOBAL}, false, false},
        {{SPACE, 0}, false, true}, /* CR4.PGE is clear */
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(tlb_levels_lookup(&t, TLB_LEVEL_L1D, global, rows[i].view, &no_needs, &hit), rows[i].global);
        assert_int_equal(tlb_levels_lookup(&t, TLB_LEVEL_L1D, own, rows[i].view, &no_needs, &hit), rows[i].own);
    }
    tlb_levels_drop(&t, global, other_view);
    assert_false(tlb_levels_lookup(&t, TLB_LEVEL_L1D, global, view, &no_needs, &hit));
    /* With CR4.PGE clear the G flag of an entry means nothing. */
    tlb_levels_fill(&t, TLB_LEVEL_L1D, global, no_global, HV_PAGE_4K, page_of(global, HV_PAGE_4K));
    assert_true(tlb_levels_lookup(&t, TLB_LEVEL_L1D, global, no_global, &no_needs, &hit));
    assert_false(tlb_levels_lookup(&t, TLB_LEVEL_L1D, global, other_view, &no_needs, &hit));
    tlb_levels_fini(&t);
}

/* An entry that does not allow the access is a miss, and is rewritten in place by the walk that follows. */
static void an_entry_without_the_right_is_a_miss(void **state)
{
    (void)state;
    static const struct tlb_needs store = {TLB_HOST_W | TLB_DIRTY, TLB_HOST_W | TLB_DIRTY};
    static const struct tlb_needs shielded = {TLB_GUEST_U, 0}; /* SMAP: no user page */
    struct units u = intel();
    struct tlb_levels t = make(&u);
    struct tlb_level_stats *stats = &t.level[TLB_LEVEL_L1D].stats;
    struct tlb_hit hit;
    uint64_t clean = page_of(ADDRESS, HV_PAGE_4K) & ~(uint64_t)TLB_DIRTY;
    tlb_levels_fill(&t, TLB_LEVEL_L1D, ADDRESS, view, HV_PAGE_4K, clean | TLB_GUEST_U);
    assert_true(tlb_levels_lookup(&t, TLB_LEVEL_L1D, ADDRESS, view, &no_needs, &hit));
    assert_false(tlb_levels_lookup(&t, TLB_LEVEL_L1D, ADDRESS, view, &store, &hit));
    assert_false(tlb_levels_lookup(&t, TLB_LEVEL_L1D, ADDRESS, view, &shielded, &hit));
    tlb_levels_fill(&t, TLB_LEVEL_L1D, ADDRESS, view, HV_PAGE_4K, clean | TLB_DIRTY);
    assert_true(tlb_levels_lookup(&t, TLB_LEVEL_L1D, ADDRESS, view, &store, &hit));
    assert_true(tlb_levels_lookup(&t, TLB_LEVEL_L1D, ADDRESS, view, &shielded, &hit));
    assert_int_equal(stats->hits, 3);
    assert_int_equal(stats->misses, 2);
    assert_int_equal(stats->fills, 1);
    assert_int_equal(stats->evictions, 0);
    tlb_levels_fini(&t);
}

/* --- Counters --------------------------------------------------------------------------------------------------- */

static uint64_t live(const struct tlb_levels *t, enum tlb_unit first, enum tlb_unit last)
{
    uint64_t entries = 0;
    for (unsigned unit = first; unit <= last; unit++) {
        for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
            entries += t->unit[unit].live[size];
        }
    }
    return entries;
}

/* hits + misses are the lookups made; fills - evictions - invalidations are the entries held. */
static void check_invariants(const struct tlb_levels *t, const uint64_t lookups[TLB_LEVELS])
{
    static const enum tlb_unit first[] = {TLB_L1D_4K, TLB_L1I_4K, TLB_L2}, last[] = {TLB_L1D_1G, TLB_L1I_2M, TLB_L2_1G};
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb_level_stats *s = &t->level[level].stats;
        assert_int_equal(s->hits + s->misses, lookups[level]);
        assert_int_equal(s->fills - s->evictions - s->invalidations, live(t, first[level], last[level]));
    }
}

static void counters_add_up(void **state)
{
    (void)state;
    struct units u = intel();
    struct tlb_levels t = make(&u);
    struct tlb_spaces spaces;
    struct hv_rng rng;
    uint64_t lookups[TLB_LEVELS] = {0};
    tlb_spaces_init(&spaces);
    rng_init(&rng, 7);
    for (unsigned i = 0; i < 200000; i++) {
        enum tlb_level level = (enum tlb_level)rng_below(&rng, TLB_LEVELS);
        enum hv_page_size size = (enum hv_page_size)rng_below(&rng, HV_PAGE_SIZES);
        uint64_t address = rng_below(&rng, 300) * hv_page_bytes(size) + rng_below(&rng, HV_PAGE_BYTES);
        struct tlb_view v = rng_below(&rng, 2) == 0 ? view : other_view;
        struct tlb_needs needs = {rng_below(&rng, 4) == 0 ? TLB_DIRTY : 0, 0};
        struct tlb_hit hit;
        uint64_t global = rng_below(&rng, 8) == 0 ? TLB_GLOBAL : 0;
        lookups[level]++;
        if (!tlb_levels_lookup(&t, level, address, v, &needs, &hit)) {
            tlb_levels_fill(&t, level, address, v, size, page_of(address, size) | global);
        }
        switch (rng_below(&rng, 1000)) {
        case 0:
            tlb_levels_drop(&t, address, v);
            break;
        case 1:
            spaces.named[v.space] = 1;
            tlb_levels_invalidate(&t, &spaces, &address);
            spaces.named[v.space] = 0;
            break;
        case 2:
            if (rng_below(&rng, 10) == 0) {
                tlb_levels_flush(&t);
            }
            break;
        default:
            break;
        }
        if (i % 256 == 0) {
            check_invariants(&t, lookups);
        }
    }
    check_invariants(&t, lookups);
    tlb_levels_flush(&t);
    assert_int_equal(live(&t, TLB_L1D_4K, TLB_L2_1G), 0);
    check_invariants(&t, lookups);
    tlb_spaces_fini(&spaces);
    tlb_levels_fini(&t);
}

/* What a prefetch asks: nothing is counted, and the page asked for is replaced no later. */
static void asking_what_a_level_has_is_no_lookup(void **state)
{
    (void)state;
    struct units u = no_units();
    add(&u, TLB_L2, 2, SIZES_4K_2M);
    struct tlb_levels t = make(&u);
    fill(&t, TLB_LEVEL_L2, 0x1000, HV_PAGE_4K);
    fill(&t, TLB_LEVEL_L2, HV_MIB(2), HV_PAGE_2M);
    assert_true(tlb_levels_has(&t, TLB_LEVEL_L2, HV_MIB(4) - 1, view));
    assert_false(tlb_levels_has(&t, TLB_LEVEL_L2, HV_MIB(4), view));
    assert_false(tlb_levels_has(&t, TLB_LEVEL_L2, 0x2000, view));
    assert_false(tlb_levels_has(&t, TLB_LEVEL_L2, 0x1000, other_view));
    assert_false(tlb_levels_has(&t, TLB_LEVEL_L1D, 0x1000, view));
    assert_true(tlb_levels_has(&t, TLB_LEVEL_L2, 0x1fff, view));
    assert_int_equal(t.level[TLB_LEVEL_L2].stats.hits + t.level[TLB_LEVEL_L2].stats.misses, 0);
    fill(&t, TLB_LEVEL_L2, 0x5000, HV_PAGE_4K);
    assert_false(tlb_levels_has(&t, TLB_LEVEL_L2, 0x1000, view));
    assert_true(tlb_levels_has(&t, TLB_LEVEL_L2, HV_MIB(2), view));
    tlb_levels_fill(&t, TLB_LEVEL_L2, 0x7000, view, HV_PAGE_4K, page_of(0x7000, HV_PAGE_4K) | TLB_GLOBAL);
    assert_true(tlb_levels_has(&t, TLB_LEVEL_L2, 0x7000, other_view));
    tlb_levels_fini(&t);
}

static void a_reset_leaves_nothing(void **state)
{
    (void)state;
    struct units u = intel();
    struct tlb_levels t = make(&u);
    struct tlb_hit hit;
    fill(&t, TLB_LEVEL_L1D, ADDRESS, HV_PAGE_4K);
    fill(&t, TLB_LEVEL_L2, ADDRESS, HV_PAGE_2M);
    tlb_levels_reset(&t);
    uint64_t none[TLB_LEVELS] = {0};
    check_invariants(&t, none);
    assert_int_equal(live(&t, TLB_L1D_4K, TLB_L2_1G), 0);
    assert_false(lookup(&t, TLB_LEVEL_L1D, ADDRESS, &hit));
    assert_false(lookup(&t, TLB_LEVEL_L2, ADDRESS, &hit));
    tlb_levels_fini(&t);
}

static void an_impossible_structure_is_named(void **state)
{
    (void)state;
    for (unsigned unit = 0; unit < TLB_UNITS; unit++) {
        struct units u = intel();
        struct tlb_levels t;
        struct hv_err err = {""};
        u.unit[unit].entries = 10;
        u.unit[unit].ways = 4;
        char name[32];
        snprintf(name, sizeof(name), "tlb.%s:", tlb_unit_names[unit]);
        assert_false(tlb_levels_init(&t, u.unit, &err));
        assert_non_null(strstr(err.text, name));
    }
}

GTEST_MAIN("TlbLevels", cmocka_unit_test(pages_go_where_their_size_fits),
           cmocka_unit_test(each_piece_of_a_splintered_page_is_filled_apart),
           cmocka_unit_test(a_unified_structure_shares_its_entries),
           cmocka_unit_test(global_translations_serve_every_pcid),
           cmocka_unit_test(an_entry_without_the_right_is_a_miss), cmocka_unit_test(counters_add_up),
           cmocka_unit_test(asking_what_a_level_has_is_no_lookup),
           cmocka_unit_test(a_reset_leaves_nothing), cmocka_unit_test(an_impossible_structure_is_named))
