/* SPDX-License-Identifier: MIT */
/* The synthetic streams against what their parameters say, computed here from first principles. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/scatter.h"
#include "workload/workload.h"

#define BASE UINT64_C(0x10000000000)

enum { FORMULAS = WORKLOAD_CHASE + 1 }; /* the kinds of synth.c; the others have tests of their own */

static const struct workload_params usual = {
    .kind = WORKLOAD_UNIFORM,
    .footprint = HV_MIB(1),
    .accesses = 100000,
    .seed = 1,
    .write_fraction = 0.3,
    .instructions_per_access = 3,
    .stride = 4096,
    .theta = 0.99,
};

static struct workload_params with(enum workload_kind kind, uint64_t footprint, uint64_t accesses)
{
    struct workload_params p = usual;
    p.kind = kind;
    p.footprint = footprint;
    p.accesses = accesses;
    return p;
}

/* The whole stream, asked for in batches of the given size, in memory that the caller frees. */
static struct hv_access *stream_of(const struct workload_params *params, size_t batch)
{
    struct hv_err err = { "" };
    struct workload *w = workload_open(params, &err);
    assert_non_null(w);
    assert_int_equal(workload_total(w), params->accesses);
    struct hv_access *all = calloc(params->accesses, sizeof(*all));
    assert_non_null(all);
    size_t count = 0, got;
    while ((got = workload_next(w, all + count, batch < params->accesses - count ? batch : params->accesses - count,
                                &err)) > 0) {
        count += got;
    }
    struct hv_access extra;
    assert_int_equal(count, params->accesses);
    assert_int_equal(workload_next(w, &extra, 1, &err), 0);
    workload_close(w);
    return all;
}

static void sequential_walks_in_steps_of_8_and_wraps(void **state)
{
    (void)state;
    struct workload_params p = with(WORKLOAD_SEQUENTIAL, 8192, 3000);
    struct hv_access *s = stream_of(&p, 256);
    for (uint64_t i = 0; i < p.accesses; i++) {
        assert_int_equal(s[i].gva.v, BASE + i % 1024 * 8);
    }
    free(s);
}

/* The stride goes on where it left the footprint, and addresses are rounded down to the access size. */
static void stride_wraps_modulo_the_footprint(void **state)
{
    (void)state;
    static const uint64_t strides[] = { 1, 8, 12, 4096, 5000, 12288, 40960 };
    for (size_t k = 0; k < HV_ARRAY_LEN(strides); k++) {
        struct workload_params p = with(WORKLOAD_STRIDE, 40960, 5000);
        p.stride = strides[k];
        struct hv_access *s = stream_of(&p, 256);
        for (uint64_t i = 0; i < p.accesses; i++) {
            assert_int_equal(s[i].gva.v, BASE + i * strides[k] % 40960 / 8 * 8);
        }
        free(s);
    }
}

static void a_stride_beyond_the_footprint_is_a_mistake(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    struct workload_params p = with(WORKLOAD_STRIDE, 8192, 10);
    p.stride = 8193;
    assert_null(workload_open(&p, &err));
    assert_non_null(strstr(err.text, "workload.stride of 8193"));
    assert_non_null(strstr(err.text, "workload.footprint of 8192"));
}

/* The batches asked for must not show in the stream: the cores ask for what they need. */
static void batch_sizes_do_not_change_the_stream(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < FORMULAS; kind++) {
        struct workload_params p = with((enum workload_kind)kind, 5 * HV_PAGE_BYTES * 7, 20000);
        struct hv_access *whole = stream_of(&p, p.accesses);
        struct hv_access *single = stream_of(&p, 1);
        struct hv_access *odd = stream_of(&p, 37);
        assert_memory_equal(whole, single, p.accesses * sizeof(*whole));
        assert_memory_equal(whole, odd, p.accesses * sizeof(*whole));
        free(whole);
        free(single);
        free(odd);
    }
}

static void the_seed_decides_what_is_random(void **state)
{
    (void)state;
    static const enum workload_kind kinds[] = { WORKLOAD_UNIFORM, WORKLOAD_ZIPF, WORKLOAD_CHASE };
    for (size_t k = 0; k < HV_ARRAY_LEN(kinds); k++) {
        struct workload_params p = with(kinds[k], HV_MIB(1), 1000), other = p;
        other.seed = 2;
        struct hv_access *a = stream_of(&p, 100), *again = stream_of(&p, 100), *b = stream_of(&other, 100);
        assert_memory_equal(a, again, p.accesses * sizeof(*a));
        assert_memory_not_equal(a, b, p.accesses * sizeof(*a));
        free(a);
        free(again);
        free(b);
    }
}

static void elements_have_gap_size_kind_and_flags(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < FORMULAS; kind++) {
        struct workload_params p = with((enum workload_kind)kind, HV_MIB(4), 10000);
        struct hv_access *s = stream_of(&p, 256);
        for (uint64_t i = 0; i < p.accesses; i++) {
            assert_int_equal(s[i].gap, 2);
            assert_int_equal(s[i].bytes, 8);
            assert_int_equal(s[i].asid, 0);
            assert_int_equal(s[i].gva.v % 8, 0);
            assert_in_range(s[i].gva.v, BASE, BASE + HV_MIB(4) - 8);
            assert_int_equal(s[i].flags, kind == WORKLOAD_CHASE ? HV_ACCESS_DEPENDENT : 0);
            assert_in_range(s[i].kind, HV_LOAD, kind == WORKLOAD_CHASE ? HV_LOAD : HV_STORE);
        }
        free(s);
    }
}

static uint64_t stores_among(const struct workload_params *p)
{
    struct hv_access *s = stream_of(p, 256);
    uint64_t stores = 0;
    for (uint64_t i = 0; i < p->accesses; i++) {
        stores += s[i].kind == HV_STORE;
    }
    free(s);
    return stores;
}

static void the_share_of_stores_is_the_write_fraction(void **state)
{
    (void)state;
    static const enum workload_kind kinds[] = { WORKLOAD_SEQUENTIAL, WORKLOAD_STRIDE, WORKLOAD_UNIFORM,
                                                WORKLOAD_ZIPF };
    for (size_t k = 0; k < HV_ARRAY_LEN(kinds); k++) {
        struct workload_params p = with(kinds[k], HV_MIB(1), 100000);
        /* 100,000 draws of 0.3 have a standard deviation of 145: five of them. */
        assert_in_range(stores_among(&p), 30000 - 725, 30000 + 725);
        p.write_fraction = 0;
        assert_int_equal(stores_among(&p), 0);
        p.write_fraction = 1;
        assert_int_equal(stores_among(&p), p.accesses);
    }
}

static void a_footprint_is_rounded_up_to_pages(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < FORMULAS; kind++) {
        struct hv_err err = { "" };
        struct workload_params p = with((enum workload_kind)kind, 2 * HV_PAGE_BYTES + 1, 10000);
        struct workload *w = workload_open(&p, &err);
        size_t count;
        const struct workload_region *regions = workload_regions(w, &count);
        assert_int_equal(count, 1);
        assert_int_equal(regions[0].start.v, BASE);
        assert_int_equal(regions[0].pages, 3);
        workload_close(w);
        struct hv_access *s = stream_of(&p, 256);
        for (uint64_t i = 0; i < p.accesses; i++) {
            assert_in_range(s[i].gva.v, BASE, BASE + 3 * HV_PAGE_BYTES - 8);
        }
        free(s);
    }
}

/* Chi-square over 128 equal parts: 127 degrees of freedom; 5 standard deviations (sqrt(2 * 127)) above the mean. */
static void uniform_is_uniform(void **state)
{
    (void)state;
    static const uint64_t footprints[] = { HV_KIB(4), HV_KIB(512), 131 * HV_KIB(512), HV_GIB(1) };
    for (size_t k = 0; k < HV_ARRAY_LEN(footprints); k++) {
        struct workload_params p = with(WORKLOAD_UNIFORM, footprints[k], 1280000);
        struct hv_access *s = stream_of(&p, 256);
        uint64_t seen[128] = { 0 };
        for (uint64_t i = 0; i < p.accesses; i++) {
            seen[(s[i].gva.v - BASE) * 128 / footprints[k]]++;
        }
        double chi_square = 0;
        for (size_t i = 0; i < 128; i++) {
            double difference = (double)seen[i] - 10000;
            chi_square += difference * difference / 10000;
        }
        assert_true(chi_square > 127 - 5 * 16 && chi_square < 127 + 5 * 16);
        free(s);
    }
}

/* One access a page and cycle, and the second cycle repeats the first: then an LRU cache of fewer entries misses. */
static void chase_is_one_cycle_through_all_pages(void **state)
{
    (void)state;
    static const uint64_t pages[] = { 1, 2, 3, 5, 64, 100, 127, 128, 129, 1000, 4097, 100000 };
    for (size_t k = 0; k < HV_ARRAY_LEN(pages); k++) {
        uint64_t n = pages[k];
        struct workload_params p = with(WORKLOAD_CHASE, n * HV_PAGE_BYTES, 3 * n);
        struct hv_access *s = stream_of(&p, 100);
        unsigned char *visited = calloc(n, 1);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t page = (s[i].gva.v - BASE) / HV_PAGE_BYTES;
            assert_in_range(page, 0, n - 1);
            assert_int_equal(visited[page]++, 0);
            assert_int_equal(s[i].gva.v, s[i + n].gva.v);
            assert_int_equal(s[i].gva.v, s[i + 2 * n].gva.v);
        }
        free(visited);
        free(s);
    }
}

/* Neither the next page nor a fixed distance: few steps are short, and few distances repeat. */
static void chase_order_is_scattered_and_uses_all_lines(void **state)
{
    (void)state;
    enum { PAGES = 65536, LINES = 64 };
    struct workload_params p = with(WORKLOAD_CHASE, PAGES * HV_PAGE_BYTES, PAGES);
    struct hv_access *s = stream_of(&p, 256);
    uint64_t lines[LINES] = { 0 }, near_steps = 0;
    unsigned char *distances = calloc(2 * PAGES, 1);
    uint64_t different = 0;
    for (uint64_t i = 0; i < PAGES; i++) {
        lines[s[i].gva.v / 64 % LINES]++;
        if (i > 0) {
            int64_t step = (int64_t)(s[i].gva.v / HV_PAGE_BYTES) - (int64_t)(s[i - 1].gva.v / HV_PAGE_BYTES);
            near_steps += step > -512 && step < 512;
            different += distances[step + PAGES]++ == 0;
        }
    }
    for (size_t i = 0; i < LINES; i++) {
        assert_in_range(lines[i], PAGES / LINES / 2, PAGES / LINES * 2);
    }
    /* A random order has 1.6 % of its steps within the 2 MiB before or after, and half of its distances once. */
    assert_in_range(near_steps, 1, PAGES / 20);
    assert_in_range(different, PAGES / 4, PAGES);
    free(distances);
    free(s);
}

static void scatter_is_a_bijection(void **state)
{
    (void)state;
    for (uint64_t count = 1; count < 2000; count = count * 5 / 4 + 1) {
        unsigned char seen[2000] = { 0 };
        struct scatter scatter;
        scatter_init(&scatter, count, count);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t x = scatter_map(&scatter, i);
            assert_in_range(x, 0, count - 1);
            assert_int_equal(seen[x]++, 0);
            assert_int_equal(scatter_unmap(&scatter, x), i);
        }
    }
}

static void every_parameter_has_a_row_and_every_kind_a_name(void **state)
{
    (void)state;
    assert_string_equal(workload_param_rows[0].name, "kind");
    assert_string_equal(workload_kind_names[WORKLOAD_CHASE], "chase");
    assert_string_equal(workload_kind_names[WORKLOAD_TRACE], "trace");
    assert_null(workload_kind_names[WORKLOAD_KINDS]);
}

GTEST_MAIN("Synth",
           cmocka_unit_test(sequential_walks_in_steps_of_8_and_wraps),
           cmocka_unit_test(stride_wraps_modulo_the_footprint),
           cmocka_unit_test(a_stride_beyond_the_footprint_is_a_mistake),
           cmocka_unit_test(batch_sizes_do_not_change_the_stream),
           cmocka_unit_test(the_seed_decides_what_is_random),
           cmocka_unit_test(elements_have_gap_size_kind_and_flags),
           cmocka_unit_test(the_share_of_stores_is_the_write_fraction),
           cmocka_unit_test(a_footprint_is_rounded_up_to_pages),
           cmocka_unit_test(uniform_is_uniform),
           cmocka_unit_test(chase_is_one_cycle_through_all_pages),
           cmocka_unit_test(chase_order_is_scattered_and_uses_all_lines),
           cmocka_unit_test(scatter_is_a_bijection),
           cmocka_unit_test(every_parameter_has_a_row_and_every_kind_a_name))
