/* SPDX-License-Identifier: MIT */
/* What a report says about results: columns, axes, the summary in words, and walks of the results' own machine. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/param_reference.h"
#include "machine/params.h"
#include "report/report.h"

/* Adds a result whose config, stats and other members are these pieces of JSON. */
static void add(struct report *r, const char *label, const char *config, const char *stats, const char *others)
{
    struct result_file file;
    struct hv_err err = {""};
    char *text;
    int length = asprintf(&text, "{\"hvsim\": {\"version\": \"1\", \"commit\": \"abc\"}, \"config\": {%s}, \"stats\": "
                          "{%s}%s}", config, stats, others);
    assert_true(length > 0);
    if (!result_file_load_buffer(&file, label, text, (size_t)length, &err)) {
        fail_msg("%s", err.text);
    }
    report_add(r, &file, label);
    result_file_fini(&file);
    free(text);
}

#define COMPLETE ", \"complete\": true"
#define POINT(axes) COMPLETE ", \"sweep\": {\"point\": {" axes "}}"

/* The row of this name in a list of the data. */
static const json_t *row_of(const json_t *list, const char *name)
{
    const json_t *row;
    size_t i;
    json_array_foreach(list, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) {
            return row;
        }
    }
    fail_msg("there is no row %s", name);
    return NULL;
}

/* A member of such a row is this piece of JSON. */
static void assert_member(const json_t *list, const char *name, const char *member, const char *expected)
{
    json_t *value = json_loads(expected, JSON_DECODE_ANY, NULL);
    const json_t *got = json_object_get(row_of(list, name), member);
    if (!json_equal(got, value)) {
        fail_msg("%s of %s is %s, not %s", member, name, json_dumps(got, JSON_ENCODE_ANY), expected);
    }
    json_decref(value);
}

/* --- Columns ----------------------------------------------------------------------------------------------------- */

/* What is the same everywhere is one value; a result without a row, or with a ratio of nothing, has null. */
static void columns_are_values_by_result(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "\"core.width\": 4, \"core.rob\": 10", "\"core.cycles\": 5, \"core1.cycles\": 2, \"old\": 1",
        COMPLETE);
    add(&r, "b", "\"core.width\": 4, \"core.rob\": 20", "\"core.cycles\": 7, \"core1.cycles\": null", COMPLETE);
    add(&r, "c", "\"core.width\": 4, \"core.rob\": 20, \"new\": true", "\"core.cycles\": 7", COMPLETE);
    json_t *data = report_to_json(&r, "9", "z");
    const json_t *config = json_object_get(data, "config"), *stats = json_object_get(data, "stats");
    assert_member(config, "core.width", "value", "4");
    assert_member(config, "core.rob", "values", "[10, 20, 20]");
    assert_member(config, "new", "values", "[null, null, true]");
    assert_null(json_object_get(row_of(config, "new"), "help"));
    assert_member(stats, "core.cycles", "values", "[5, 7, 7]");
    assert_member(stats, "core1.cycles", "values", "[2, null]");
    assert_member(stats, "old", "values", "[1]");
    /* The words are those of the tables, of one core those of all. */
    assert_member(stats, "core.cycles", "unit", "\"cycles\"");
    assert_true(json_equal(json_object_get(row_of(stats, "core.cycles"), "help"),
                           json_object_get(row_of(stats, "core1.cycles"), "help")));
    assert_member(config, "core.width", "type", "\"count\"");
    json_decref(data);
    report_fini(&r);
}

/* --- Axes -------------------------------------------------------------------------------------------------------- */

/* "name name" of the axes */
static void assert_axes(const struct report *r, const char *expected)
{
    char names[512] = "";
    json_t *axes = report_axes(r), *axis;
    size_t i;
    json_array_foreach(axes, i, axis) {
        strcat(strcat(names, i > 0 ? " " : ""), json_string_value(json_object_get(axis, "name")));
        assert_int_equal(json_array_size(json_object_get(axis, "values")), json_array_size(r->points));
    }
    assert_string_equal(names, expected);
    json_decref(axes);
}

static void axes_are_what_differs(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "\"x\": 1, \"y\": [\"4k\"], \"z\": 3", "", COMPLETE);
    assert_axes(&r, "");
    add(&r, "b", "\"x\": 2, \"y\": [\"4k\"], \"z\": 3", "", COMPLETE);
    add(&r, "c", "\"x\": 2, \"y\": [\"4k\", \"2m\"], \"z\": 3", "", COMPLETE);
    assert_axes(&r, "x y");
    report_fini(&r);
}

/* A sweep over whole configurations changes many parameters, and has one axis; seeds are another. */
static void axes_of_a_sweep_are_its_own(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "\"x\": 1, \"y\": 1, \"workload.seed\": 1", "", POINT("\"config\": \"one\""));
    add(&r, "b", "\"x\": 2, \"y\": 2, \"workload.seed\": 1", "", POINT("\"config\": \"two\""));
    assert_axes(&r, "config");
    add(&r, "c", "\"x\": 2, \"y\": 2, \"workload.seed\": 2", "", POINT("\"config\": \"two\""));
    assert_axes(&r, "config workload.seed");
    report_fini(&r);
}

/* What no sweep writes is passed over, as is a mixture of sweeps. */
static void hostile_axes_are_none(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        POINT("\"config\": 5"), POINT("\"config\": [\"one\"]"), POINT("\"con\\nfig\": \"one\""), POINT(""),
        POINT("\"config\": \"\\u2028\""), COMPLETE ", \"sweep\": 7", COMPLETE ", \"sweep\": {\"point\": null}",
        POINT("\"other\": \"one\""),
    };
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct report r;
        report_init(&r);
        add(&r, "a", "\"x\": 1", "", POINT("\"config\": \"one\""));
        add(&r, "b", "\"x\": 2", "", hostile[i]);
        assert_axes(&r, "x");
        report_fini(&r);
    }
}

/* --- The summary ------------------------------------------------------------------------------------------------- */

static void assert_says(const struct report *r, const char *words)
{
    json_t *axes = report_axes(r), *summary = report_summary(r, axes);
    if (strstr(json_string_value(summary), words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, json_string_value(summary));
    }
    json_decref(summary);
    json_decref(axes);
}

/* 200 + 100 of 1000 cycles are walks, 400 data, 50 base: 30, 40, 5 and 25 per cent are left. */
#define STACK "\"core.cycles\": 1000, \"core.cycles_walk_guest\": 200, \"core.cycles_walk_host\": 100, " \
              "\"core.cycles_data\": 400, \"core.cycles_base\": 50, \"core.cycles_tlb\": 250"

static void summary_of_one_result(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "\"paging.mode\": \"native\", \"paging.guest.levels\": 5, \"workload.footprint\": 65536",
        STACK ", \"core.cycles_per_access\": 12.25, \"tlb.l2.miss_ratio\": 0.125, \"mmu.walks\": 10, "
        "\"mmu.walk_refs_mean\": 2.5, \"mmu.walk_cycles_mean\": 30", ", \"complete\": false");
    assert_says(&r, "1000000 accesses, uniform over 64KiB, seed 1. Paging is native: 5 levels, 4k pages. ");
    assert_says(&r, "An access took 12.25 cycles on average. ");
    assert_says(&r, "30.0 % went into page walks, 40.0 % into caches and memory, 5.0 % into issuing instructions and "
                "25.0 % into the rest.");
    assert_says(&r, "The second-level TLB missed 12.5 % of its look-ups.");
    assert_says(&r, "There were 10 page walks, of 2.5 references and 30 cycles on average.");
    assert_says(&r, "The run was interrupted, so these figures are partial.");
    report_fini(&r);
}

static void summary_of_several_results(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "fast", "\"paging.mode\": \"native\", \"workload.footprint\": 4096",
        "\"core.cycles_per_access\": 10, \"core.cycles\": 100, \"core.cycles_walk_guest\": 10", COMPLETE);
    add(&r, "slow", "\"paging.mode\": \"nested\", \"workload.footprint\": 1048576",
        "\"core.cycles_per_access\": 40, \"core.cycles\": 100, \"core.cycles_walk_host\": 70", COMPLETE);
    add(&r, "middle", "\"paging.mode\": \"native\", \"workload.footprint\": 8192",
        "\"core.cycles_per_access\": 20, \"core.cycles\": 0", ", \"complete\": false");
    assert_says(&r, "3 results, which differ in paging.mode (native and nested) and workload.footprint (4KiB, 1MiB "
                "and 8KiB). ");
    assert_says(&r, "An access took from 10 cycles (fast) to 40 cycles (slow). ");
    assert_says(&r, "Page walks took from 10.0 % to 70.0 % of the cycles. ");
    assert_says(&r, "Interrupted, and so with partial figures: 1 of them.");
    report_fini(&r);
}

static void summary_of_equal_results(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "", "\"core.cycles_per_access\": 10", COMPLETE);
    add(&r, "b", "", "\"core.cycles_per_access\": 10", COMPLETE);
    assert_says(&r, "2 results. An access took 10 cycles in all of them.");
    report_fini(&r);
}

/* Nothing can be said of a result without statistics, and nothing is. */
static void summary_of_nothing(void **state)
{
    (void)state;
    struct report r;
    report_init(&r);
    add(&r, "a", "\"paging.mode\": \"no such\"", "", COMPLETE);
    json_t *axes = report_axes(&r), *summary = report_summary(&r, axes);
    assert_string_equal(json_string_value(summary), "");
    json_decref(summary);
    json_decref(axes);
    report_fini(&r);
}

/* --- Walks ------------------------------------------------------------------------------------------------------- */

struct walk_case {
    const char *name, *config;
    int references; /* of the first view: g(t+1)+h, or one a level */
    size_t views;
};

/*
 * The defaults have page-walk caches, so there are three views: all references, cold and warm. Natively a cold walk is
 * the whole walk, as it is without walk caches.
 */
static const struct walk_case walk_cases[] = {
    {"4x4", "", 24, 3},
    {"5x5", "\"paging.guest.levels\": 5, \"paging.host.levels\": 5", 35, 3},
    {"native", "\"paging.mode\": \"native\"", 4, 2},
    {"host_2m", "\"paging.host.page_size\": \"2m\"", 19, 3},
    {"no_walk_caches", "\"mmu.pwc.kind\": \"none\", \"mmu.nested_tlb.entries\": 0", 24, 2},
    {"no_prefault", "\"paging.prefault\": false", 24, 3},
    {"lost_trace", "\"workload.kind\": \"trace\", \"workload.trace\": \"/nowhere.hvt\"", 24, 3},
    {"huge", "\"workload.footprint\": 70368744177664, \"workload.events.fork_interval\": 1", 24, 3},
    {"many_cores", "\"machine.cores\": 4, \"vm.count\": 3, \"workload.kind\": \"graph\"", 24, 3},
    {"unknown_parameter", "\"no.such\": 5", 24, 3},
};

static void walks_are_of_the_results_machine(void **state)
{
    const struct walk_case *c = *state;
    struct report r;
    json_t *data = json_object();
    report_init(&r);
    add(&r, "a", c->config, "", COMPLETE);
    report_walks(&r, data);
    if (json_object_get(data, "no_walks") != NULL) {
        fail_msg("%s", json_string_value(json_object_get(data, "no_walks")));
    }
    const json_t *walks = json_object_get(data, "walks");
    assert_int_equal(json_array_size(walks), c->views);
    for (size_t i = 0; i < c->views; i++) {
        const json_t *walk = json_object_get(json_array_get(walks, i), "walk");
        size_t references = json_array_size(json_object_get(walk, "references"));
        assert_non_null(json_object_get(walk, "result"));
        if (i == 0) {
            assert_int_equal(references, c->references);
        } else if (c->views == 3) {
            assert_true(references < (size_t)c->references);
        }
    }
    json_decref(data);
    report_fini(&r);
}

/* Of several results the first nested one is shown. */
static void walk_is_of_a_nested_result(void **state)
{
    (void)state;
    struct report r;
    json_t *data = json_object();
    report_init(&r);
    add(&r, "a", "\"paging.mode\": \"native\"", "", COMPLETE);
    add(&r, "b", "\"paging.mode\": \"nested\"", "", COMPLETE);
    add(&r, "c", "\"paging.mode\": \"nested\"", "", COMPLETE);
    report_walks(&r, data);
    assert_int_equal(json_integer_value(json_object_get(data, "walk_of")), 1);
    json_decref(data);
    report_fini(&r);
}

/* A machine that cannot be is a sentence, and no walks. */
static void impossible_machine_has_no_walks(void **state)
{
    (void)state;
    static const char *const impossible[] = {
        "\"paging.guest.levels\": 9", "\"tlb.l2.entries\": \"many\"", "\"machine.memory\": 1048576",
        "\"tlb.l2.entries\": 10, \"tlb.l2.ways\": 4",
        "\"paging.mode\": \"native\", \"vm.count\": 2", "\"core.width\": [\"a\"]",
    };
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        struct report r;
        json_t *data = json_object();
        report_init(&r);
        add(&r, "a", impossible[i], "", COMPLETE);
        report_walks(&r, data);
        assert_int_equal(json_array_size(json_object_get(data, "walks")), 0);
        assert_true(json_string_length(json_object_get(data, "no_walks")) > 10);
        json_decref(data);
        report_fini(&r);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_values_by_result), cmocka_unit_test(axes_are_what_differs),
        cmocka_unit_test(axes_of_a_sweep_are_its_own), cmocka_unit_test(hostile_axes_are_none),
        cmocka_unit_test(summary_of_one_result), cmocka_unit_test(summary_of_several_results),
        cmocka_unit_test(summary_of_equal_results), cmocka_unit_test(summary_of_nothing),
        cmocka_unit_test(walk_is_of_a_nested_result),
        cmocka_unit_test(impossible_machine_has_no_walks),
    };
    struct CMUnitTest walks[sizeof(walk_cases) / sizeof(walk_cases[0])];
    gtest_rows(walks, walks_are_of_the_results_machine, walk_cases, sizeof(walk_cases[0]),
               sizeof(walk_cases) / sizeof(walk_cases[0]));
    const struct gtest_suite suites[] = {GTEST_SUITE("Report", tests), GTEST_SUITE("ReportWalks", walks)};
    return gtest_main_suites(argc, argv, suites, sizeof(suites) / sizeof(suites[0]));
}
