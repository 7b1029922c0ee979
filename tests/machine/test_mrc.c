/* SPDX-License-Identifier: MIT */
/* A miss-ratio curve is, to the last miss, what separate runs with each size count. */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>

#include "build.h"
#include "machine/mrc.h"

static struct mrc_request *request_new(const uint64_t *sizes, size_t count, uint64_t ways)
{
    struct mrc_request *request = calloc(1, sizeof(*request));
    assert_non_null(request);
    for (size_t i = 0; i < count; i++) {
        request->sizes[request->count++] = sizes[i];
    }
    request->ways = ways;
    return request;
}

static struct mrc *measure(const char *settings, const struct mrc_request *request)
{
    struct machine_params params;
    struct hv_err err = {""};
    struct mrc *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    resolve_settings(&params, settings);
    assert_true(mrc_check(&params, request, &err));
    struct machine *m = machine_new(&params, NULL, &err);
    if (m == NULL || !mrc_measure(m, request, result, &err)) {
        fail_msg("%s", err.text);
    }
    machine_free(m);
    return result;
}

/* Each size in a run of its own. */
static void compare(const char *settings, const uint64_t *sizes, size_t count, uint64_t ways)
{
    struct mrc_request *request = request_new(sizes, count, ways);
    struct mrc *curve = measure(settings, request);
    assert_true(curve->complete);
    for (size_t i = 0; i < count; i++) {
        char all[1024], ways_text[32] = "full";
        if (ways != PARAM_WAYS_FULL) {
            snprintf(ways_text, sizeof(ways_text), "%u", (unsigned)ways);
        }
        snprintf(all, sizeof(all), "%s tlb.l2.replacement=lru tlb.l2.entries=%u tlb.l2.ways=%s", settings,
                 (unsigned)sizes[i], ways_text);
        struct machine *m = run_settings(all);
        assert_int_equal(curve->misses[i], stat_of(m, "tlb.l2.misses"));
        assert_int_equal(curve->lookups, stat_of(m, "tlb.l2.lookups"));
        assert_int_equal(curve->accesses, stat_of(m, "core.accesses"));
        assert_int_equal(curve->instructions, stat_of(m, "core.instructions"));
        machine_free(m);
    }
    free(curve);
    free(request);
}

static const uint64_t any_size[] = {1, 2, 7, 64, 100, 511, 512, 1536, 4000};
static const uint64_t of_four_ways[] = {4, 12, 64, 300, 1024, 1536};

static const struct row {
    const char *name, *settings;
} rows[] = {
    {"zipf", "workload.kind=zipf workload.footprint=64MiB workload.accesses=60000"},
    {"warm", "workload.kind=zipf workload.footprint=64MiB workload.accesses=60000 workload.warmup=20000"},
    {"native", "paging.mode=native workload.kind=uniform workload.footprint=8MiB workload.accesses=40000"},
    {"huge", "paging.guest.huge_fraction=0.5 paging.host.huge_fraction=0.5 workload.footprint=256MiB "
             "workload.kind=zipf workload.accesses=40000"},
    {"pages_1g", "paging.guest.page_size=1g paging.host.page_size=1g workload.footprint=8GiB workload.accesses=20000"},
    {"plru_first_level", "tlb.l1d_4k.replacement=plru workload.kind=zipf workload.footprint=16MiB "
                         "workload.accesses=40000"},
    {"chase", "workload.kind=chase workload.footprint=4MiB workload.accesses=30000"},
    {"program", "workload.kind=trace workload.trace=workloads/sqlite.hvt workload.accesses=300000"},
};

static void each_size_equals_a_run(void **state)
{
    const struct row *row = *state;
    compare(row->settings, any_size, HV_ARRAY_LEN(any_size), PARAM_WAYS_FULL);
    compare(row->settings, of_four_ways, HV_ARRAY_LEN(of_four_ways), 4);
}

enum { MANY = 64 };

static void make_many(uint64_t sizes[MANY])
{
    for (size_t i = 0; i < MANY; i++) {
        sizes[i] = 32 * (i + 1);
    }
}

static void many_sizes_equal_as_many_runs(void **state)
{
    (void)state;
    const char *settings = "workload.kind=zipf workload.footprint=16MiB workload.accesses=6000 workload.warmup=1000";
    uint64_t sizes[MANY];
    make_many(sizes);
    compare(settings, sizes, MANY, PARAM_WAYS_FULL);
    compare(settings, sizes, MANY, 4);
}

/* Whatever the number of sizes, the stream is made once, the first level is asked once, and nothing is walked. */
static void many_sizes_take_one_pass(void **state)
{
    (void)state;
    struct machine_params params;
    struct hv_err err = {""};
    struct mrc *result = calloc(1, sizeof(*result));
    uint64_t sizes[MANY];
    make_many(sizes);
    struct mrc_request *request = request_new(sizes, MANY, 4);
    resolve_settings(&params, "workload.kind=zipf workload.footprint=16MiB workload.accesses=6000");
    struct machine *m = machine_new(&params, NULL, &err);
    assert_non_null(m);
    assert_non_null(result);
    assert_true(mrc_measure(m, request, result, &err));
    assert_int_equal(result->accesses, 6000);
    assert_int_equal(stat_of(m, "tlb.l1d.lookups"), 6000);
    assert_int_equal(stat_of(m, "tlb.l1d.misses"), result->lookups);
    assert_int_equal(stat_of(m, "mmu.walks"), 0);
    assert_int_equal(stat_of(m, "cache.l1d.hits") + stat_of(m, "cache.l1d.misses"), 0);
    machine_free(m);
    free(request);
    free(result);
}

/* A chase over N pages that the first level does not help: nothing below N entries, everything from N on. */
static void a_circle_is_a_step(void **state)
{
    (void)state;
    enum { PAGES = 1000, CYCLES = 4 };
    static const uint64_t sizes[] = {100, PAGES - 1, PAGES, PAGES + 1};
    struct mrc_request *request = request_new(sizes, HV_ARRAY_LEN(sizes), PARAM_WAYS_FULL);
    struct mrc *curve = measure("workload.kind=chase workload.footprint=4000KiB workload.accesses=4000 "
                                "workload.warmup=1000", request);
    assert_int_equal(curve->lookups, (CYCLES - 1) * PAGES);
    assert_int_equal(curve->misses[0], (CYCLES - 1) * PAGES);
    assert_int_equal(curve->misses[1], (CYCLES - 1) * PAGES);
    assert_int_equal(curve->misses[2], 0);
    assert_int_equal(curve->misses[3], 0);
    free(curve);
    free(request);
}

static void what_changes_translations_is_refused(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "machine.cores=2", "sched.processes=2", "vm.count=2", "vm.vcpus=2", "paging.prefault=false",
        "paging.preset_flags=false", "tlb.l2.sizes=[1g]",
    };
    static const uint64_t sizes[] = {64};
    struct mrc_request *request = request_new(sizes, 1, PARAM_WAYS_FULL);
    for (size_t i = 0; i < HV_ARRAY_LEN(settings); i++) {
        struct machine_params params;
        struct hv_err err = {""};
        resolve_settings(&params, settings[i]);
        assert_false(mrc_check(&params, request, &err));
        assert_true(err.text[0] != '\0');
    }
    free(request);
}

static void sizes_have_whole_sets(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {64, 65};
    struct mrc_request *request = request_new(sizes, 2, 4);
    struct machine_params params;
    struct hv_err err = {""};
    resolve_settings(&params, "");
    assert_false(mrc_check(&params, request, &err));
    assert_string_equal(err.text, "--sizes: 65 entries cannot be divided into sets of 4 ways; choose multiples of them, "
                        "or --ways full");
    free(request);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest own_tests[] = {
        cmocka_unit_test(a_circle_is_a_step), cmocka_unit_test(what_changes_translations_is_refused),
        cmocka_unit_test(sizes_have_whole_sets), cmocka_unit_test(many_sizes_equal_as_many_runs),
        cmocka_unit_test(many_sizes_take_one_pass),
    };
    struct CMUnitTest row_tests[HV_ARRAY_LEN(rows)];
    gtest_rows(row_tests, each_size_equals_a_run, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("MrcEqualsRuns", row_tests), GTEST_SUITE("Mrc", own_tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
