/* SPDX-License-Identifier: MIT */
/* The hash join against a hash table that is kept here, from the accesses of its building. */
#include <stdlib.h>
#include <string.h>

#include "streams.h"

#include "gtest.h"

#define FOOTPRINT HV_MIB(1) /* the largest */

/* What one pass over the relations did. */
struct pass {
    uint64_t r_tuples, s_tuples;
    uint64_t r_at, heads_at, nodes_at, s_at, output_at; /* lowest address of each array that was seen */
    uint64_t *newest;  /* of each bucket, the address of the node that its head holds; 0: none */
    uint64_t *next;    /* of each node, the next one */
    uint64_t *matches; /* of each node, how often a probe ended at it */
    uint64_t nodes_read;
};

static struct workload_params join_params_of(uint64_t accesses)
{
    return stream_params(WORKLOAD_JOIN, FOOTPRINT, accesses);
}

static void expect(const struct hv_access *a, enum hv_access_kind kind, uint8_t flags, uint8_t bytes)
{
    assert_int_equal(a->kind, kind);
    assert_int_equal(a->flags, flags);
    assert_int_equal(a->bytes, bytes);
    assert_int_equal(a->gap, 2);
}

static bool is_build(const struct hv_access *a)
{
    return a[0].kind == HV_LOAD && a[0].bytes == 16 && a[2].kind == HV_STORE && a[2].bytes == 32;
}

/* R is read in order, a node is written for each tuple in order, and the node is chained into a random bucket. */
static size_t read_build(struct pass *p, const struct hv_access *all, size_t at)
{
    uint64_t tuples = 0;
    p->r_at = all[at].gva.v;
    p->nodes_at = all[at + 2].gva.v;
    p->heads_at = UINT64_MAX;
    for (size_t i = at; is_build(&all[i]); i += 4) {
        p->heads_at = all[i + 1].gva.v < p->heads_at ? all[i + 1].gva.v : p->heads_at;
    }
    p->heads_at &= ~(HV_PAGE_BYTES - 1);
    p->newest = calloc(FOOTPRINT / 8, sizeof(*p->newest));
    p->next = calloc(FOOTPRINT / 32, sizeof(*p->next));
    p->matches = calloc(FOOTPRINT / 32, sizeof(*p->matches));
    for (; is_build(&all[at]); at += 4, tuples++) {
        expect(&all[at], HV_LOAD, 0, 16);
        expect(&all[at + 1], HV_LOAD, HV_ACCESS_DEPENDENT, 8);
        expect(&all[at + 2], HV_STORE, 0, 32);
        expect(&all[at + 3], HV_STORE, 0, 8);
        assert_int_equal(all[at].gva.v, p->r_at + 16 * tuples);
        assert_int_equal(all[at + 2].gva.v, p->nodes_at + 32 * tuples);
        assert_int_equal(all[at + 3].gva.v, all[at + 1].gva.v);
        uint64_t *head = &p->newest[(all[at + 1].gva.v - p->heads_at) / 8];
        p->next[tuples] = *head;
        *head = all[at + 2].gva.v;
    }
    p->r_tuples = tuples;
    return at;
}

static bool is_probe(const struct hv_access *a)
{
    return a->kind == HV_LOAD && a->bytes == 16;
}

/* S is read in order; from the bucket's newest node on, the chain is followed; the output is written in order. */
static size_t read_probes(struct pass *p, const struct hv_access *all, size_t at, size_t count)
{
    uint64_t tuples = 0;
    p->s_at = all[at].gva.v;
    for (; at + 16 < count && is_probe(&all[at]) && !is_build(&all[at]); tuples++) {
        expect(&all[at], HV_LOAD, 0, 16);
        assert_int_equal(all[at].gva.v, p->s_at + 16 * tuples);
        expect(&all[at + 1], HV_LOAD, HV_ACCESS_DEPENDENT, 8);
        uint64_t node = p->newest[(all[at + 1].gva.v - p->heads_at) / 8], last = 0;
        for (at += 2; all[at].kind == HV_LOAD; at++) {
            expect(&all[at], HV_LOAD, HV_ACCESS_DEPENDENT, 32);
            assert_int_equal(all[at].gva.v, node);
            last = (node - p->nodes_at) / 32;
            node = p->next[last];
            p->nodes_read++;
        }
        p->matches[last]++;
        expect(&all[at], HV_STORE, 0, 16);
        p->output_at = tuples == 0 ? all[at].gva.v : p->output_at;
        assert_int_equal(all[at].gva.v, p->output_at + 16 * tuples);
        at++;
    }
    p->s_tuples = tuples;
    return at;
}

static void free_pass(struct pass *p)
{
    free(p->newest);
    free(p->next);
    free(p->matches);
}

/* A tuple of S ends at the node of its key, and every node is the key of as many as any other. */
static void check_matches(const struct pass *p)
{
    enum { PARTS = 32 };
    uint64_t in_part[PARTS] = { 0 }, nodes_in_part[PARTS] = { 0 };
    for (uint64_t i = 0; i < p->r_tuples; i++) {
        in_part[i * PARTS / p->r_tuples] += p->matches[i];
        nodes_in_part[i * PARTS / p->r_tuples]++;
    }
    for (unsigned i = 0; i < PARTS; i++) {
        assert_binomial(in_part[i], p->s_tuples, (double)nodes_in_part[i] / (double)p->r_tuples);
    }
}

static void check_two_passes(uint64_t footprint)
{
    size_t count;
    struct workload_params params = join_params_of(400000);
    params.footprint = footprint;
    struct hv_access *all = stream_read(&params, 1000, &count);
    struct pass one = { 0 }, two = { 0 };
    size_t at = read_build(&one, all, 0);
    at = read_probes(&one, all, at, count);
    check_matches(&one);
    /* Wiped: every head, a line at a time. */
    uint64_t lines = 0;
    for (; all[at].bytes == 64; at++, lines++) {
        assert_int_equal(all[at].kind, HV_STORE);
        assert_int_equal(all[at].gva.v, one.heads_at + 64 * lines);
    }
    assert_int_equal(lines, (one.r_tuples + 7) / 8);
    /* The second pass is the first again. */
    size_t begin = at;
    at = read_build(&two, all, at);
    at = read_probes(&two, all, at, count);
    assert_int_equal(two.r_tuples, one.r_tuples);
    assert_int_equal(two.s_tuples, one.s_tuples);
    assert_memory_equal(all, all + begin, (at - begin) * sizeof(*all));
    free_pass(&one);
    free_pass(&two);
    free(all);
}

/* Also for numbers of tuples that do not fill the last group of buckets. */
static void a_pass_reads_each_tuple_once_and_follows_the_chains(void **state)
{
    (void)state;
    check_two_passes(FOOTPRINT);
    for (uint64_t pages = 10; pages < 40; pages += 3) {
        check_two_passes(pages * HV_PAGE_BYTES);
    }
}

/* The relations divide the footprint as asked: 16 + 8 + 32 bytes a tuple of R, 16 + 16 a tuple of S. */
static void build_fraction_divides_the_footprint(void **state)
{
    (void)state;
    static const double fractions[] = { 0.01, 0.3, 0.5, 0.9 };
    for (size_t k = 0; k < HV_ARRAY_LEN(fractions); k++) {
        size_t count;
        struct pass p = { 0 };
        struct workload_params params = join_params_of(300000);
        params.join.build_fraction = fractions[k];
        struct hv_access *all = stream_read(&params, 1000, &count);
        read_probes(&p, all, read_build(&p, all, 0), count);
        double build = (double)p.r_tuples * 56, probe = (double)p.s_tuples * 32, whole = (double)FOOTPRINT;
        /* Five arrays on whole pages lose up to six pages of 256. */
        assert_true(build <= whole * fractions[k] && build > (whole - 6 * 4096) * fractions[k] - 56);
        assert_true(probe <= whole * (1 - fractions[k]) && probe > (whole - 6 * 4096) * (1 - fractions[k]) - 32);
        assert_true(p.output_at + p.s_tuples * 16 <= STREAM_BASE + FOOTPRINT);
        free_pass(&p);
        free(all);
    }
}

/* Eight items in eight buckets at random: 34 % of the buckets are empty, and 1.44 nodes are read until the match. */
static void buckets_fill_at_random(void **state)
{
    (void)state;
    size_t count;
    struct pass p = { 0 };
    struct workload_params params = join_params_of(300000);
    struct hv_access *all = stream_read(&params, 1000, &count);
    read_probes(&p, all, read_build(&p, all, 0), count);
    uint64_t empty = 0, buckets = p.r_tuples / 8 * 8;
    for (uint64_t i = 0; i < buckets; i++) {
        empty += p.newest[i] == 0;
    }
    /* Buckets of a group know of each other, so the spread is smaller than a binomial one. */
    assert_binomial(empty, buckets, 0.3436);
    /* Of seven others, each is in the same bucket with 1/8, and newer than the match with 1/2. */
    assert_binomial(p.nodes_read - p.s_tuples, 7 * p.s_tuples, 1.0 / 16);
    free_pass(&p);
    free(all);
}

static void phases_are_a_part_of_the_whole(void **state)
{
    (void)state;
    size_t count, part_count;
    struct pass p = { 0 };
    struct workload_params params = join_params_of(300000);
    struct hv_access *all = stream_read(&params, 1000, &count);
    size_t probes_at = read_build(&p, all, 0);
    size_t end = read_probes(&p, all, probes_at, count);

    params.join.phases = JOIN_PROBE;
    struct hv_access *probes = stream_read(&params, 1000, &part_count);
    size_t length = end - probes_at;
    assert_memory_equal(probes, all + probes_at, length * sizeof(*all));
    assert_memory_equal(probes + length, probes, (part_count - length < length ? part_count - length : length) *
                        sizeof(*all));

    params.join.phases = JOIN_BUILD;
    struct hv_access *builds = stream_read(&params, 1000, &part_count);
    assert_memory_equal(builds, all, probes_at * sizeof(*all));
    assert_int_equal(builds[probes_at].bytes, 64);
    free_pass(&p);
    free(builds);
    free(probes);
    free(all);
}

static void the_stream_is_a_function_of_parameters_and_seed(void **state)
{
    (void)state;
    static const enum join_phases phases[] = { JOIN_ALL, JOIN_BUILD, JOIN_PROBE };
    for (size_t i = 0; i < HV_ARRAY_LEN(phases); i++) {
        struct workload_params p = join_params_of(20000);
        p.footprint = HV_KIB(200);
        p.join.phases = phases[i];
        assert_batches_do_not_show(&p);
        assert_within_regions(&p);
        assert_seed_decides(&p);
    }
}

static void a_footprint_without_room_is_a_mistake(void **state)
{
    (void)state;
    struct workload_params p = join_params_of(100);
    p.footprint = HV_KIB(16);
    assert_refused(&p, "workload.footprint of 16KiB has no room for both relations of a join");
    p.footprint = HV_KIB(24);
    p.join.build_fraction = 0.001;
    assert_refused(&p, "has no room for both relations");
}

GTEST_MAIN("Join",
           cmocka_unit_test(a_pass_reads_each_tuple_once_and_follows_the_chains),
           cmocka_unit_test(build_fraction_divides_the_footprint),
           cmocka_unit_test(buckets_fill_at_random),
           cmocka_unit_test(phases_are_a_part_of_the_whole),
           cmocka_unit_test(the_stream_is_a_function_of_parameters_and_seed),
           cmocka_unit_test(a_footprint_without_room_is_a_mistake))
