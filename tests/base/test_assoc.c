/* SPDX-License-Identifier: MIT */
/* The set-associative array against a plain model of each replacement policy, on every kind of geometry. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/assoc.h"

/* --- Models: one set, way by way -------------------------------------------------------------------------------- */

enum { MAX_WAYS = 64, TREE = 2 * MAX_WAYS };

struct model {
    enum assoc_policy policy;
    unsigned ways;
    uint64_t tag[MAX_WAYS];
    unsigned order[MAX_WAYS]; /* LRU: ways from the most to the least recently used */
    bool right_older[TREE];   /* PLRU: of each inner node, whether its right half is the older */
    unsigned rrpv[MAX_WAYS];  /* SRRIP */
};

static void model_init(struct model *m, enum assoc_policy policy, unsigned ways)
{
    memset(m, 0, sizeof(*m));
    m->policy = policy;
    m->ways = ways;
    for (unsigned way = 0; way < ways; way++) {
        m->order[way] = ways - 1 - way;
    }
}

static unsigned leaves(const struct model *m)
{
    unsigned n = 1;
    while (n < m->ways) {
        n *= 2;
    }
    return n;
}

/* Tree-PLRU: on the path to the way, every node is made to point to the other half. */
static void plru_touch(struct model *m, unsigned node, unsigned first, unsigned span, unsigned way)
{
    if (span == 1) {
        return;
    }
    unsigned middle = first + span / 2;
    m->right_older[node] = way < middle;
    if (way < middle) {
        plru_touch(m, 2 * node, first, span / 2, way);
    } else {
        plru_touch(m, 2 * node + 1, middle, span / 2, way);
    }
}

/* The victim: from the root to where the nodes point, except where there are no ways. */
static unsigned plru_victim(const struct model *m, unsigned node, unsigned first, unsigned span)
{
    if (span == 1) {
        return first;
    }
    unsigned middle = first + span / 2;
    return m->right_older[node] && middle < m->ways ? plru_victim(m, 2 * node + 1, middle, span / 2)
                                                    : plru_victim(m, 2 * node, first, span / 2);
}

static void lru_touch(struct model *m, unsigned way)
{
    unsigned at = 0;
    while (m->order[at] != way) {
        at++;
    }
    memmove(&m->order[1], &m->order[0], at * sizeof(m->order[0]));
    m->order[0] = way;
}

/* `inserted`: SRRIP tells a new entry (long re-reference interval) from a hit (near-immediate). */
static void model_touch(struct model *m, unsigned way, bool inserted)
{
    switch (m->policy) {
    case ASSOC_LRU:
        lru_touch(m, way);
        break;
    case ASSOC_PLRU:
        plru_touch(m, 1, 0, leaves(m), way);
        break;
    case ASSOC_SRRIP:
        m->rrpv[way] = inserted ? 2 : 0;
        break;
    case ASSOC_RANDOM:
        break;
    }
}

/* Jaleel et al., ISCA 2010, SRRIP-HP: the first way with RRPV 3 from the left; if there is none all RRPVs grow. */
static unsigned srrip_victim(struct model *m)
{
    for (;;) {
        for (unsigned way = 0; way < m->ways; way++) {
            if (m->rrpv[way] == 3) {
                return way;
            }
        }
        for (unsigned way = 0; way < m->ways; way++) {
            m->rrpv[way]++;
        }
    }
}

static unsigned model_victim(struct model *m)
{
    for (unsigned way = 0; way < m->ways; way++) {
        if (m->tag[way] == 0) {
            return way;
        }
    }
    switch (m->policy) {
    case ASSOC_LRU:
        return m->order[m->ways - 1];
    case ASSOC_PLRU:
        return plru_victim(m, 1, 0, leaves(m));
    case ASSOC_SRRIP:
    case ASSOC_RANDOM:
        break;
    }
    return srrip_victim(m);
}

static int model_find(const struct model *m, uint64_t tag)
{
    for (unsigned way = 0; way < m->ways; way++) {
        if (m->tag[way] == tag) {
            return (int)way;
        }
    }
    return ASSOC_NONE;
}

/* --- Random accesses, step by step ------------------------------------------------------------------------------ */

struct geometry {
    const char *name;
    unsigned sets, ways;
};

static const struct geometry geometries[] = {
    {"direct", 16, 1},          {"two_ways", 64, 2},          {"four_ways", 16, 4},     {"eight_ways", 8, 8},
    {"sixteen_ways", 4, 16},    {"full", 1, 64},              {"full_of_one", 1, 1},    {"full_of_seven", 1, 7},
    {"three_sets", 3, 4},       {"three_ways", 4, 3},         {"five_by_five", 5, 5},   {"twelve_ways", 128, 12},
    {"eleven_ways", 7, 11},     {"twenty_ways", 9, 20},       {"six_by_seventeen", 6, 17}, {"full_of_33", 1, 33},
};

/* The payload of a tag, so that a payload that moves or is overwritten shows. */
static uint64_t payload_of(uint64_t tag)
{
    return rng_mix(tag);
}

/* The way of a line's tag in its set, or ASSOC_NONE. */
static int way_of(const struct assoc *a, uint64_t line, uint64_t tag, uint64_t flags)
{
    ptrdiff_t slot = assoc_find(a, line, tag, flags);
    return slot == ASSOC_NONE ? ASSOC_NONE : (int)((size_t)slot - assoc_set(a, line));
}

static void access_one(struct assoc *a, struct model *models, uint64_t line)
{
    uint64_t tag = line + 1;
    struct model *m = &models[line % a->sets];
    size_t set = assoc_set(a, line);
    int way = way_of(a, line, tag, 0);
    assert_int_equal(way, model_find(m, tag));
    if (way != ASSOC_NONE) {
        assert_int_equal(a->payload[set + (unsigned)way], payload_of(tag));
        assoc_touch(a, set + (unsigned)way);
        model_touch(m, (unsigned)way, false);
        return;
    }
    size_t slot = assoc_victim(a, line);
    unsigned victim = model_victim(m);
    assert_int_equal(slot, set + victim);
    assert_int_equal(a->tags[slot], m->tag[victim]);
    assoc_place(a, line, slot, tag);
    a->payload[slot] = payload_of(tag);
    m->tag[victim] = tag;
    model_touch(m, victim, true);
}

static void drop_one(struct assoc *a, struct model *models, uint64_t line)
{
    struct model *m = &models[line % a->sets];
    int way = way_of(a, line, line + 1, 0);
    assert_int_equal(way, model_find(m, line + 1));
    if (way != ASSOC_NONE) {
        assoc_drop(a, assoc_set(a, line) + (unsigned)way);
        m->tag[way] = 0;
    }
}

/* `touches_before_wrap`: how soon the clock of the LRU stamps wraps; the order of use must survive it. */
static void follow_the_model(const struct geometry *g, enum assoc_policy policy, uint32_t touches_before_wrap)
{
    struct assoc a;
    struct hv_err err = {""};
    struct hv_rng rng;
    struct model *models = calloc(g->sets, sizeof(*models));
    assert_non_null(models);
    assert_true(assoc_init(&a, (uint64_t)g->sets * g->ways, g->ways, policy, true, &err));
    a.clock = UINT32_MAX - touches_before_wrap;
    for (unsigned set = 0; set < g->sets; set++) {
        model_init(&models[set], policy, g->ways);
    }
    rng_init(&rng, g->sets * 100 + g->ways);
    uint64_t lines = (uint64_t)g->sets * g->ways * 3 / 2 + 2; /* misses and hits in like numbers */
    for (unsigned i = 0; i < 20000; i++) {
        /* Mostly some favourites, so that recency matters. */
        uint64_t line = rng_below(&rng, rng_below(&rng, 3) == 0 ? lines : lines / 2 + 1);
        if (rng_below(&rng, 32) == 0) {
            drop_one(&a, models, line);
        } else {
            access_one(&a, models, line);
        }
    }
    assoc_fini(&a);
    free(models);
}

static void lru_follows_the_list(void **state)
{
    follow_the_model(*state, ASSOC_LRU, UINT32_MAX);
}

static void lru_survives_a_wrap_of_its_clock(void **state)
{
    follow_the_model(*state, ASSOC_LRU, 0);
    follow_the_model(*state, ASSOC_LRU, 10000);
}

static void plru_follows_the_tree(void **state)
{
    follow_the_model(*state, ASSOC_PLRU, UINT32_MAX);
}

static void srrip_follows_the_paper(void **state)
{
    follow_the_model(*state, ASSOC_SRRIP, UINT32_MAX);
}

/* --- Single properties ------------------------------------------------------------------------------------------ */

/* Puts tags 1, 2, ... into ways 0, 1, ... of the first set; each is the next victim, because empty ways come first. */
static void fill_set(struct assoc *a)
{
    for (unsigned way = 0; way < a->ways; way++) {
        assert_int_equal(assoc_victim(a, 0), way);
        assoc_place(a, 0, way, way + 1);
    }
}

/* The textbook's example: after touches of ways 0, 1, 2, 3 the tree points to 0; after another of 0, to 2. */
static void the_tree_of_four_ways(void **state)
{
    (void)state;
    struct assoc a;
    struct hv_err err = {""};
    assert_true(assoc_init(&a, 4, 4, ASSOC_PLRU, false, &err));
    fill_set(&a);
    assert_int_equal(assoc_victim(&a, 0), 0);
    assoc_touch(&a, 0);
    assert_int_equal(assoc_victim(&a, 0), 2);
    assoc_touch(&a, 2);
    assert_int_equal(assoc_victim(&a, 0), 1);
    assoc_fini(&a);
}

/*
 * Each way is chosen as often as any other: of n choices among w ways, each way's count has mean n/w and a standard
 * deviation of at most sqrt(n/w); six of those are never exceeded by a fair choice (once in 10^8 ways).
 */
static void random_is_fair(void **state)
{
    (void)state;
    static const unsigned ways[] = {2, 3, 4, 7, 8, 16, 24};
    enum { MEAN = 10000, SIX_DEVIATIONS = 600 };
    for (size_t i = 0; i < HV_ARRAY_LEN(ways); i++) {
        struct assoc a;
        struct hv_err err = {""};
        unsigned chosen[24] = {0};
        assert_true(assoc_init(&a, ways[i], ways[i], ASSOC_RANDOM, false, &err));
        fill_set(&a);
        for (unsigned n = 0; n < MEAN * ways[i]; n++) {
            size_t slot = assoc_victim(&a, 0);
            assert_in_range(slot, 0, ways[i] - 1);
            chosen[slot]++;
        }
        for (unsigned way = 0; way < ways[i]; way++) {
            assert_in_range(chosen[way], MEAN - SIX_DEVIATIONS, MEAN + SIX_DEVIATIONS);
        }
        assoc_fini(&a);
    }
}

/* The seed is fixed: a reset array chooses the same ways again. */
static void random_repeats_after_a_reset(void **state)
{
    (void)state;
    enum { CHOICES = 1000 };
    struct assoc a;
    struct hv_err err = {""};
    size_t first[CHOICES];
    assert_true(assoc_init(&a, 16, 16, ASSOC_RANDOM, false, &err));
    for (unsigned round = 0; round < 2; round++) {
        assoc_reset(&a);
        fill_set(&a);
        for (unsigned i = 0; i < CHOICES; i++) {
            size_t victim = assoc_victim(&a, 0);
            if (round == 0) {
                first[i] = victim;
            }
            assert_int_equal(victim, first[i]);
        }
    }
    assoc_fini(&a);
}

/* Flag bits of a tag take no part in the comparison, whether set in the array or in the question. */
static void flags_are_not_compared(void **state)
{
    (void)state;
    enum { FLAG = 1 };
    struct assoc a;
    struct hv_err err = {""};
    assert_true(assoc_init(&a, 6, 6, ASSOC_LRU, false, &err));
    assoc_place(&a, 0, 0, 0x10 | FLAG);
    assoc_place(&a, 0, 5, 0x20);
    for (unsigned flag = 0; flag <= FLAG; flag++) {
        assert_int_equal(way_of(&a, 0, 0x10 | flag, FLAG), 0);
        assert_int_equal(way_of(&a, 0, 0x20 | flag, FLAG), 5);
        assert_int_equal(way_of(&a, 0, 0x30 | flag, FLAG), ASSOC_NONE);
    }
    assert_int_equal(way_of(&a, 0, 0x10, 0), ASSOC_NONE);
    assert_int_equal(way_of(&a, 0, 0x10 | FLAG, 0), 0);
    assoc_fini(&a);
}

static void a_reset_empties_everything(void **state)
{
    (void)state;
    struct assoc a;
    struct hv_err err = {""};
    assert_true(assoc_init(&a, 30, 5, ASSOC_PLRU, true, &err));
    for (uint64_t line = 0; line < 30; line++) {
        assoc_place(&a, line, assoc_victim(&a, line), line + 1);
    }
    assoc_reset(&a);
    for (uint64_t line = 0; line < 30; line++) {
        assert_int_equal(way_of(&a, line, line + 1, 0), ASSOC_NONE);
        assert_int_equal(assoc_victim(&a, line), assoc_set(&a, line));
    }
    assoc_fini(&a);
}

static void impossible_geometries_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t entries, ways;
    } rows[] = {{10, 4}, {4, 8}, {8, 0}, {1536, 7}};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct assoc a;
        struct hv_err err = {""};
        assert_false(assoc_init(&a, rows[i].entries, rows[i].ways, ASSOC_LRU, false, &err));
        assert_non_null(strstr(err.text, "ways"));
    }
}

/* Indices are spread over all sets, with and without a power of two of them; no two sets share a slot. */
static void every_set_is_used(void **state)
{
    (void)state;
    static const unsigned sets[] = {1, 2, 3, 5, 16, 100, 128, 1000};
    for (size_t i = 0; i < HV_ARRAY_LEN(sets); i++) {
        struct assoc a;
        struct hv_err err = {""};
        assert_true(assoc_init(&a, 3 * (uint64_t)sets[i], 3, ASSOC_LRU, false, &err));
        for (uint64_t line = 0; line < 3 * (uint64_t)sets[i]; line++) {
            assert_int_equal(assoc_set(&a, line), assoc_set(&a, line % sets[i]));
            if (line > 0 && line < sets[i]) {
                assert_true(assoc_set(&a, line) >= assoc_set(&a, line - 1) + 3);
            }
        }
        assert_true(assoc_set(&a, sets[i] - 1) + 3 <= assoc_slots(&a));
        assoc_fini(&a);
    }
}

int main(int argc, char **argv)
{
    enum { N = HV_ARRAY_LEN(geometries) };
    struct CMUnitTest lru[N], wrap[N], plru[N], srrip[N];
    gtest_rows(lru, lru_follows_the_list, geometries, sizeof(geometries[0]), N);
    gtest_rows(wrap, lru_survives_a_wrap_of_its_clock, geometries, sizeof(geometries[0]), N);
    gtest_rows(plru, plru_follows_the_tree, geometries, sizeof(geometries[0]), N);
    gtest_rows(srrip, srrip_follows_the_paper, geometries, sizeof(geometries[0]), N);
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_tree_of_four_ways),         cmocka_unit_test(random_is_fair),
        cmocka_unit_test(random_repeats_after_a_reset),  cmocka_unit_test(flags_are_not_compared),
        cmocka_unit_test(a_reset_empties_everything),    cmocka_unit_test(impossible_geometries_are_refused),
        cmocka_unit_test(every_set_is_used),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("AssocLru", lru),     GTEST_SUITE("AssocLruWrap", wrap), GTEST_SUITE("AssocPlru", plru),
        GTEST_SUITE("AssocSrrip", srrip), GTEST_SUITE("Assoc", others),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
