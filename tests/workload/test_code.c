/* SPDX-License-Identifier: MIT */
/* The instruction side: it adds fetches, and takes nothing from the stream that it is added to. */
#include <stdlib.h>
#include <string.h>

#include "streams.h"

#include "gtest.h"

enum { LINE_INSTRUCTIONS = 16, FUNCTION_BYTES = 512 };

static struct workload_params with_code(enum workload_kind kind, uint64_t instructions_per_access)
{
    struct workload_params p = stream_params(kind, HV_MIB(1), 60000);
    p.instructions_per_access = instructions_per_access;
    p.code_footprint = HV_KIB(64);
    return p;
}

/* Without the fetches, the stream is that without code; and each access is made by the same instruction. */
static void accesses_and_instructions_are_preserved(void **state)
{
    (void)state;
    static const uint64_t instructions[] = { 1, 2, 3, 17, 500 };
    for (unsigned kind = 0; kind < WORKLOAD_MIX; kind++) {
        for (size_t k = 0; k < HV_ARRAY_LEN(instructions); k++) {
            struct workload_params p = with_code((enum workload_kind)kind, instructions[k]);
            size_t count, plain_count, next = 0;
            struct hv_access *all = stream_read(&p, 1000, &count);
            p.code_footprint = 0;
            struct hv_access *plain = stream_read(&p, 1000, &plain_count);
            for (size_t i = 0; i < count; i++) {
                if (all[i].kind == HV_FETCH) {
                    continue;
                }
                assert_int_equal(all[i].gva.v, plain[next].gva.v);
                assert_int_equal(all[i].kind, plain[next].kind);
                assert_int_equal(all[i].bytes, plain[next].bytes);
                assert_int_equal(all[i].flags & HV_ACCESS_DEPENDENT, plain[next].flags);
                next++;
                if (next % 1000 == 1) {
                    assert_int_equal(instructions_among(all, i + 1), instructions_among(plain, next));
                }
            }
            assert_in_range(next, p.accesses / 40, count - 1);
            free(plain);
            free(all);
        }
    }
}

/* An access that is the first instruction of a line comes with the fetch; any other is an instruction of its own. */
static void a_line_runs_sixteen_instructions_at_most(void **state)
{
    (void)state;
    static const uint64_t instructions[] = { 1, 3, 40 };
    for (size_t k = 0; k < HV_ARRAY_LEN(instructions); k++) {
        struct workload_params p = with_code(WORKLOAD_UNIFORM, instructions[k]);
        size_t count;
        uint64_t of_line = LINE_INSTRUCTIONS;
        struct hv_access *all = stream_read(&p, 1000, &count);
        assert_int_equal(all[0].kind, HV_FETCH); /* nothing runs before it is fetched */
        assert_int_equal(all[0].gap, 0);
        for (size_t i = 0; i < count; i++) {
            if (all[i].kind == HV_FETCH) {
                assert_int_equal(all[i].bytes, 64);
                assert_int_equal(all[i].flags, 0);
                assert_in_range(of_line + all[i].gap, 1, LINE_INSTRUCTIONS);
                of_line = 1;
            } else {
                of_line += instructions_among(&all[i], 1);
                assert_in_range(of_line, 1, LINE_INSTRUCTIONS);
                assert_true((all[i].flags & HV_ACCESS_SAME_INSTRUCTION) == 0 || all[i - 1].kind == HV_FETCH);
            }
        }
        free(all);
    }
}

/* Execution goes to the next line or to the start of a function, and stays in the code. */
static void fetches_follow_functions(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 1, HV_KIB(4), HV_KIB(12), HV_KIB(20) + 1, HV_MIB(4) };
    for (size_t k = 0; k < HV_ARRAY_LEN(sizes); k++) {
        struct workload_params p = with_code(WORKLOAD_UNIFORM, 10);
        size_t count;
        uint64_t last = 0, calls = 0, fetches = 0, bytes = (sizes[k] + 4095) / 4096 * 4096;
        p.code_footprint = sizes[k];
        struct hv_access *all = stream_read(&p, 1000, &count);
        for (size_t i = 0; i < count; i++) {
            if (all[i].kind == HV_FETCH) {
                assert_in_range(all[i].gva.v, STREAM_CODE_BASE, STREAM_CODE_BASE + bytes - 64);
                assert_true(all[i].gva.v % FUNCTION_BYTES == 0 || all[i].gva.v == last + 64);
                last = all[i].gva.v;
                calls += last % FUNCTION_BYTES == 0;
                fetches++;
            }
        }
        /* A call runs 1 to 128 instructions: 1 to 8 lines, 4.5 on average with a deviation of 2.3. */
        double lines = (double)fetches / (double)calls;
        assert_true(lines > 4.4 && lines < 4.6);
        /* And 64.5 instructions on average. */
        double per_call = (double)instructions_among(all, count) / (double)calls;
        assert_true(per_call > 63 && per_call < 66);
        free(all);
    }
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Of 128 functions with exponent 1, the first is called with 1 / (1 + 1/2 + ... + 1/128) = 0.1841. */
static void functions_are_called_by_popularity(void **state)
{
    (void)state;
    struct workload_params p = with_code(WORKLOAD_UNIFORM, 20);
    size_t count, calls = 0, run = 0, most = 0, different = 0;
    p.code_theta = 1;
    struct hv_access *all = stream_read(&p, 1000, &count);
    uint64_t *called = calloc(count, sizeof(*called));
    double sum = 0;
    for (unsigned rank = 1; rank <= 128; rank++) {
        sum += 1.0 / rank;
    }
    for (size_t i = 0; i < count; i++) {
        if (all[i].kind == HV_FETCH && all[i].gva.v % FUNCTION_BYTES == 0) {
            called[calls++] = all[i].gva.v;
        }
    }
    qsort(called, calls, sizeof(*called), by_address);
    for (size_t i = 0; i < calls; i++) {
        run = i > 0 && called[i] == called[i - 1] ? run + 1 : 1;
        different += run == 1;
        most = run > most ? run : most;
    }
    assert_binomial(most, calls, 1 / sum);
    assert_int_equal(different, 128);
    free(called);
    free(all);
}

static void code_is_a_region_of_its_own(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    size_t count;
    struct workload_params p = with_code(WORKLOAD_ZIPF, 3);
    struct workload *w = workload_open(&p, &err);
    const struct workload_region *regions = workload_regions(w, &count);
    assert_int_equal(count, 2);
    assert_int_equal(regions[0].start.v, STREAM_BASE);
    assert_int_equal(regions[0].pages, 256);
    assert_int_equal(regions[1].start.v, STREAM_CODE_BASE);
    assert_int_equal(regions[1].pages, 16);
    workload_close(w);
}

static void the_stream_is_a_function_of_parameters_and_seed(void **state)
{
    (void)state;
    static const enum workload_kind kinds[] = { WORKLOAD_UNIFORM, WORKLOAD_KVSTORE };
    for (size_t k = 0; k < HV_ARRAY_LEN(kinds); k++) {
        struct workload_params p = with_code(kinds[k], 5);
        assert_batches_do_not_show(&p);
        assert_within_regions(&p);
        assert_seed_decides(&p);
        p.events.remap_interval = 7; /* events pass through */
        assert_batches_do_not_show(&p);
        assert_within_regions(&p);
    }
}

static void a_trace_has_its_own_code(void **state)
{
    (void)state;
    struct workload_params p = with_code(WORKLOAD_TRACE, 3);
    assert_refused(&p, "workload.code_footprint is for synthetic workloads");
}

GTEST_MAIN("Code",
           cmocka_unit_test(accesses_and_instructions_are_preserved),
           cmocka_unit_test(a_line_runs_sixteen_instructions_at_most),
           cmocka_unit_test(fetches_follow_functions),
           cmocka_unit_test(functions_are_called_by_popularity),
           cmocka_unit_test(code_is_a_region_of_its_own),
           cmocka_unit_test(the_stream_is_a_function_of_parameters_and_seed),
           cmocka_unit_test(a_trace_has_its_own_code))
