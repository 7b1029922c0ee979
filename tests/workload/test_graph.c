/* SPDX-License-Identifier: MIT */
/* The random graphs against the probabilities they are drawn by, and the search against a search made here. */
#include <stdlib.h>
#include <string.h>

#include "streams.h"
#include "workload/kronecker.h"

#include "gtest.h"

enum { SCALE = 10, VERTICES = 1 << SCALE, ENTRIES = 32 * VERTICES, SEED = 7 };

/* Bytes of the arrays at this scale, in the order in which they lie; each begins on a page of its own. */
#define PAGES_OF(bytes) (((uint64_t)(bytes) + HV_PAGE_BYTES - 1) / HV_PAGE_BYTES)
#define FIRST_AT STREAM_BASE
#define NEIGHBOUR_AT (FIRST_AT + PAGES_OF((VERTICES + 1) * 8) * HV_PAGE_BYTES)
#define PARENT_AT (NEIGHBOUR_AT + PAGES_OF(ENTRIES * 4) * HV_PAGE_BYTES)
#define QUEUE_AT (PARENT_AT + PAGES_OF(VERTICES * 4) * HV_PAGE_BYTES)
#define PAGES_IN_ALL ((QUEUE_AT - STREAM_BASE) / HV_PAGE_BYTES + PAGES_OF(VERTICES * 4))

static struct workload_params small_graph(uint64_t accesses)
{
    struct workload_params p = stream_params(WORKLOAD_GRAPH, PAGES_IN_ALL * HV_PAGE_BYTES, accesses);
    p.seed = SEED;
    return p;
}

/* --- the graph --------------------------------------------------------------------------------------------------- */

/* Whatever the level, the bits of both ends are 00 with 0.57, 01 and 10 with 0.19 each, and independent of others. */
static void edges_fall_into_quadrants(void **state)
{
    (void)state;
    enum { EDGES = 400000 };
    static const unsigned scales[] = { 5, 12, 13, 20, 26 };
    struct kronecker *k = malloc(sizeof(*k));
    for (size_t s = 0; s < HV_ARRAY_LEN(scales); s++) {
        uint64_t both_zero[26] = { 0 }, from_zero[26] = { 0 }, to_zero[26] = { 0 }, top_two_zero = 0;
        kronecker_init(k, scales[s], 3);
        for (unsigned i = 0; i < EDGES; i++) {
            struct kronecker_edge edge = kronecker_next(k);
            uint64_t from = scatter_step_back(&k->numbers, edge.from), to = scatter_step_back(&k->numbers, edge.to);
            assert_true(edge.from < 1u << scales[s] && edge.to < 1u << scales[s]);
            for (unsigned bit = 0; bit < scales[s]; bit++) {
                from_zero[bit] += (from >> bit & 1) == 0;
                to_zero[bit] += (to >> bit & 1) == 0;
                both_zero[bit] += ((from | to) >> bit & 1) == 0;
            }
            top_two_zero += (from | to) >> (scales[s] - 2) == 0;
        }
        for (unsigned bit = 0; bit < scales[s]; bit++) {
            assert_binomial(from_zero[bit], EDGES, 0.57 + 0.19);
            assert_binomial(to_zero[bit], EDGES, 0.57 + 0.19);
            assert_binomial(both_zero[bit], EDGES, 0.57);
        }
        assert_binomial(top_two_zero, EDGES, 0.57 * 0.57);
    }
    free(k);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Rows made by looking for each vertex among all edges: the same neighbours, as often. */
static void rows_hold_every_edge_at_both_ends(void **state)
{
    (void)state;
    enum { SMALL = 6, EDGES = 16 << SMALL };
    struct kronecker *k = malloc(sizeof(*k));
    struct kronecker_edge edges[EDGES];
    struct csr g;
    kronecker_init(k, SMALL, SEED);
    for (unsigned i = 0; i < EDGES; i++) {
        edges[i] = kronecker_next(k);
    }
    assert_true(csr_init(&g, SMALL, SEED));
    assert_int_equal(g.first[0], 0);
    assert_int_equal(g.first[1 << SMALL], 2 * EDGES);
    for (uint32_t v = 0; v < 1u << SMALL; v++) {
        uint32_t expected[2 * EDGES], count = 0;
        for (unsigned i = 0; i < EDGES; i++) {
            if (edges[i].from == v) {
                expected[count++] = edges[i].to;
            }
            if (edges[i].to == v) {
                expected[count++] = edges[i].from;
            }
        }
        assert_int_equal(g.first[v + 1] - g.first[v], count);
        qsort(expected, count, sizeof(*expected), by_value);
        qsort(g.neighbour + g.first[v], count, sizeof(*expected), by_value);
        assert_memory_equal(g.neighbour + g.first[v], expected, count * sizeof(*expected));
    }
    csr_fini(&g);
    free(k);
}

/* --- the search -------------------------------------------------------------------------------------------------- */

/* What a search did, as its addresses tell. */
struct search {
    uint32_t root;
    uint32_t reads[ENTRIES];                                        /* of each entry of a row */
    uint32_t sets[VERTICES], checks[VERTICES], row_reads[VERTICES]; /* of each vertex */
    uint32_t pops, pushes;
};

static uint32_t index_in(const struct hv_access *a, uint64_t array, unsigned bytes)
{
    assert_int_equal((a->gva.v - array) % bytes, 0);
    assert_int_equal(a->bytes, bytes);
    return (uint32_t)((a->gva.v - array) / bytes);
}

static void note_load(struct search *s, const struct hv_access *a)
{
    if (a->gva.v >= QUEUE_AT) {
        assert_int_equal(index_in(a, QUEUE_AT, 4), s->pops++);
        assert_int_equal(a->flags, 0);
    } else if (a->gva.v >= PARENT_AT) {
        s->checks[index_in(a, PARENT_AT, 4)]++;
        assert_int_equal(a->flags, HV_ACCESS_DEPENDENT);
    } else if (a->gva.v >= NEIGHBOUR_AT) {
        s->reads[index_in(a, NEIGHBOUR_AT, 4)]++;
    } else {
        uint32_t vertex = index_in(a, FIRST_AT, 8);
        if ((a->flags & HV_ACCESS_DEPENDENT) != 0) {
            s->row_reads[vertex]++;
        } else { /* the end of the row before */
            assert_int_equal(a[-1].gva.v, a->gva.v - 8);
            assert_int_equal(a[-1].flags, HV_ACCESS_DEPENDENT);
        }
    }
}

/* Reads one search: it begins with the root's store to parent. Returns where the next begins or the stream ends. */
static size_t read_search(struct search *s, const struct hv_access *all, size_t at, size_t count)
{
    memset(s, 0, sizeof(*s));
    s->root = index_in(&all[at], PARENT_AT, 4);
    for (bool searching = true; at < count && searching; at++) {
        const struct hv_access *a = &all[at];
        if (a->kind == HV_LOAD) {
            note_load(s, a);
        } else if (a->gva.v >= QUEUE_AT) {
            assert_int_equal(index_in(a, QUEUE_AT, 4), s->pushes++);
        } else if (a->bytes == 64) {
            return at;
        } else {
            s->sets[index_in(a, PARENT_AT, 4)]++;
        }
    }
    return count;
}

/* Marks what can be reached from the root by walking over the edges until nothing is new; returns how many. */
static uint32_t flood(const struct csr *g, uint32_t root, bool reached[VERTICES])
{
    uint32_t total = 1;
    memset(reached, 0, VERTICES * sizeof(*reached));
    reached[root] = true;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t v = 0; v < VERTICES; v++) {
            for (uint32_t e = g->first[v]; reached[v] && e < g->first[v + 1]; e++) {
                if (!reached[g->neighbour[e]]) {
                    reached[g->neighbour[e]] = changed = true;
                    total++;
                }
            }
        }
    }
    return total;
}

static void check_search(const struct search *s, const struct csr *g)
{
    bool reached[VERTICES];
    uint32_t total = flood(g, s->root, reached), entries = 0;
    assert_int_equal(s->pops, total);
    assert_int_equal(s->pushes, total);
    for (uint32_t v = 0; v < VERTICES; v++) {
        assert_int_equal(s->sets[v], reached[v]);
        assert_int_equal(s->row_reads[v], reached[v]);
        for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
            assert_int_equal(s->reads[e], reached[v]);
            entries += reached[v];
        }
        /* Edges are there from both ends, so who is reached is checked once for each entry of its own row. */
        assert_int_equal(s->checks[v], reached[v] ? g->first[v + 1] - g->first[v] : 0);
    }
    assert_true(entries > 0);
}

/* Between two searches each line of parent is wiped once, in order. */
static size_t check_wipe(const struct hv_access *all, size_t at)
{
    for (unsigned line = 0; line < VERTICES * 4 / 64; line++, at++) {
        assert_int_equal(all[at].kind, HV_STORE);
        assert_int_equal(all[at].bytes, 64);
        assert_int_equal(all[at].gva.v, PARENT_AT + line * 64);
    }
    return at;
}

static void a_search_reads_every_edge_that_it_can_reach_once(void **state)
{
    (void)state;
    struct csr g;
    struct workload_params p = small_graph(400000);
    size_t count, at = 0;
    struct hv_access *all = stream_read(&p, 1000, &count);
    struct search *s = malloc(sizeof(*s));
    uint32_t roots[64], searches = 0;
    assert_true(csr_init(&g, SCALE, SEED));
    for (size_t end; (end = read_search(s, all, at, count)) < count; at = check_wipe(all, end)) {
        check_search(s, &g);
        assert_in_range(searches, 0, HV_ARRAY_LEN(roots) - 1);
        roots[searches++] = s->root;
    }
    assert_in_range(searches, 4, HV_ARRAY_LEN(roots));
    assert_int_not_equal(roots[0], roots[1]);
    csr_fini(&g);
    free(s);
    free(all);
}

/* Vertices are read in the order of their distance from the root. */
static void a_search_is_breadth_first(void **state)
{
    (void)state;
    struct csr g;
    struct workload_params p = small_graph(60000);
    size_t count;
    struct hv_access *all = stream_read(&p, 1000, &count);
    uint32_t distance[VERTICES], last = 0, popped = 0;
    assert_true(csr_init(&g, SCALE, SEED));
    memset(distance, 0xff, sizeof(distance));
    distance[index_in(&all[0], PARENT_AT, 4)] = 0;
    for (uint32_t d = 0; d < VERTICES; d++) {
        for (uint32_t v = 0; v < VERTICES; v++) {
            for (uint32_t e = g.first[v]; distance[v] == d && e < g.first[v + 1]; e++) {
                uint32_t *other = &distance[g.neighbour[e]];
                *other = d + 1 < *other ? d + 1 : *other;
            }
        }
    }
    for (size_t i = 0; i < count && all[i].bytes != 64; i++) {
        if (all[i].gva.v < NEIGHBOUR_AT && all[i].flags == HV_ACCESS_DEPENDENT) {
            uint32_t vertex = index_in(&all[i], FIRST_AT, 8);
            assert_true(distance[vertex] >= last);
            last = distance[vertex];
            popped++;
        }
    }
    assert_in_range(last, 2, VERTICES);
    assert_in_range(popped, 100, VERTICES);
    csr_fini(&g);
    free(all);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static void the_footprint_decides_the_scale(void **state)
{
    (void)state;
    static const struct {
        uint64_t footprint, pages;
    } rows[] = {
        { PAGES_IN_ALL * HV_PAGE_BYTES, PAGES_IN_ALL },
        { PAGES_IN_ALL * HV_PAGE_BYTES - 1, PAGES_IN_ALL },
        /* A page less, and it is scale 9: 513 * 8 bytes, 16384 * 4, twice 512 * 4. */
        { (PAGES_IN_ALL - 1) * HV_PAGE_BYTES, 2 + 16 + 1 + 1 },
        { 4 * HV_PAGE_BYTES, 4 },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = { "" };
        struct workload_params p = stream_params(WORKLOAD_GRAPH, rows[i].footprint, 1000);
        size_t regions;
        struct workload *w = workload_open(&p, &err);
        assert_non_null(w);
        assert_int_equal(workload_regions(w, &regions)->pages, rows[i].pages);
        assert_int_equal(regions, 1);
        workload_close(w);
    }
}

static void footprints_without_a_graph_are_mistakes(void **state)
{
    (void)state;
    struct workload_params p = small_graph(1000);
    p.footprint = HV_KIB(12);
    assert_refused(&p, "workload.footprint of 12KiB is out of range for kind graph, which takes from 16KiB to less");
    p.footprint = HV_GIB(16);
    assert_refused(&p, "workload.footprint of 16GiB is out of range for kind graph");
}

static void the_stream_is_a_function_of_parameters_and_seed(void **state)
{
    (void)state;
    struct workload_params p = small_graph(70000);
    assert_batches_do_not_show(&p);
    assert_within_regions(&p);
    p.accesses = 1000;
    assert_seed_decides(&p);
}

GTEST_MAIN("Graph",
           cmocka_unit_test(edges_fall_into_quadrants),
           cmocka_unit_test(rows_hold_every_edge_at_both_ends),
           cmocka_unit_test(a_search_reads_every_edge_that_it_can_reach_once),
           cmocka_unit_test(a_search_is_breadth_first),
           cmocka_unit_test(the_footprint_decides_the_scale),
           cmocka_unit_test(footprints_without_a_graph_are_mistakes),
           cmocka_unit_test(the_stream_is_a_function_of_parameters_and_seed))
