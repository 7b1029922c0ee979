/* SPDX-License-Identifier: MIT */
/* Axes become rows in the order of nested loops; zipped ones turn together; values are read as parameters are. */
#include "gtest.h"

#include <string.h>

#include "host.h"

#define C "config: c\n"

static const struct rows_row {
    const char *name, *text;
    const char *rows; /* "a,b;a,b;": the labels of all axes */
} rows_rows[] = {
    {"one_axis", C "axes: {core.width: [4, 2, 8]}", "4;2;8;"},
    {"first_turns_slowest", C "axes: {core.width: [1, 2], core.rob: [3, 4], core.mshrs: [5, 6]}",
     "1,3,5;1,3,6;1,4,5;1,4,6;2,3,5;2,3,6;2,4,5;2,4,6;"},
    {"nested_names", C "axes: {core: {width: [1, 2], rob: [3]}, tlb.l2: {ways: [full]}}", "1,3,full;2,3,full;"},
    {"zip", C "axes: {core.width: [1, 2], core.rob: [3, 4], zip: [[core.width, core.rob]]}", "1,3;2,4;"},
    {"zip_turns_where_its_first_stands",
     C "axes: {core.width: [1, 2], core.mshrs: [5, 6], core.rob: [3, 4], zip: [[core.rob, core.width]]}",
     "1,5,3;1,6,3;2,5,4;2,6,4;"},
    {"two_zips",
     C "axes: {core.width: [1, 2], core.rob: [3, 4], core.mshrs: [5, 6, 7], mmu.walkers: [1, 2, 3], "
     "zip: [[core.width, core.rob], [mmu.walkers, core.mshrs]]}",
     "1,3,5,1;1,3,6,2;1,3,7,3;2,4,5,1;2,4,6,2;2,4,7,3;"},
    {"configurations", "axes: {config: [c1, c2], core.width: [1, 2]}", "c1,1;c1,2;c2,1;c2,2;"},
    {"workloads_of_their_own_key", C "workload: [w1, w2]\naxes: {core.width: [1, 2]}", "w1,1;w1,2;w2,1;w2,2;"},
    {"zipped_with_a_workload", C "workload: [w1, w2]\naxes: {core.width: [1, 2], zip: [[workload, core.width]]}",
     "w1,1;w2,2;"},
    {"as_people_write_them",
     C "axes: {workload.footprint: [64KiB, 1048576], workload.accesses: [2e6], workload.theta: [0.50], "
     "tlb.tagged: [true], tlb.l2.sizes: [[4k, 2m], '[4k]']}",
     "64KiB,2000000,0.5,true,[4k, 2m];64KiB,2000000,0.5,true,[4k];"
     "1MiB,2000000,0.5,true,[4k, 2m];1MiB,2000000,0.5,true,[4k];"},
};

static void rows(void **state)
{
    const struct rows_row *row = *state;
    char text[1024], got[1024] = "";
    struct sweep s;
    snprintf(text, sizeof(text), "metrics: [core.cpi]\n%s", row->text);
    load_sweep(&s, text);
    for (size_t r = 0; r < s.rows; r++) {
        for (size_t i = 0; i < s.axis_count; i++) {
            strcat(strcat(got, i > 0 ? "," : ""), sweep_value(&s, r, &s.axes[i])->label);
        }
        strcat(got, ";");
    }
    assert_string_equal(got, row->rows);
    sweep_fini(&s);
}

/* What a table has of a value: a number without its unit, and nothing that a field could not hold. */
static const struct cell_row {
    const char *name, *axis, *cell;
    bool is_number;
    double number;
} cell_rows[] = {
    {"count", "core.rob: [1e2]", "100", true, 100},
    {"size", "cache.llc.size: [8MiB]", "8388608", true, 8388608},
    {"real", "workload.theta: [0.99]", "0.99", true, 0.99},
    {"ways", "tlb.l2.ways: [12]", "12", true, 12},
    {"all_ways", "tlb.l2.ways: [full]", "full", false, 0},
    {"word", "paging.mode: [nested]", "nested", false, 0},
    {"truth", "tlb.tagged: [false]", "false", false, 0},
    {"set", "tlb.l2.sizes: [[2m, 4k]]", "[4k 2m]", false, 0},
    {"text", "workload.trace: ['a,\"b\".hvt']", "a;'b'.hvt", false, 0},
    {"source", "config: [c]", "c", false, 0},
};

static void cell(void **state)
{
    const struct cell_row *row = *state;
    char text[256];
    struct sweep s;
    bool source = strncmp(row->axis, "config", 6) == 0;
    snprintf(text, sizeof(text), "%smetrics: [core.cpi]\naxes: {%s}", source ? "" : C, row->axis);
    load_sweep(&s, text);
    const struct sweep_value *value = &s.axes[0].values[0];
    assert_string_equal(value->cell, row->cell);
    assert_int_equal(value->is_number, row->is_number);
    assert_true(value->number == row->number);
    sweep_fini(&s);
}

/* Beside tests/cli/bad_input.sh, which has the mistakes that people make: those that programs make. */
static const struct bad_row {
    const char *name, *text, *sentence;
} bad_rows[] = {
    {"set_of_lists", C "metrics: [core.cpi]\naxes: {tlb.l2.sizes: [[[4k]]]}",
     "s.yaml:3:23: a value of axis tlb.l2.sizes is no list of names"},
    {"list_in_a_number", C "metrics: [core.cpi]\naxes: {core.width: [[1, 2]]}",
     "s.yaml:3:21: a value of axis core.width is a list; it takes a list of plain values"},
    {"omitted", C "metrics: [core.cpi]\naxes: {core.width: }",
     "s.yaml:3:8: axis core.width takes a list of values, such as [a, b]"},
    {"zip_of_words", C "metrics: [core.cpi]\naxes: {core.width: [1], zip: core.width}",
     "s.yaml:3:25: zip takes a list of groups of axes: [[a, b], ...]"},
    {"zip_of_maps", C "metrics: [core.cpi]\naxes: {core.width: [1], core.rob: [1], zip: [[{a: 1}, core.rob]]}",
     "s.yaml:3:47: this takes the name of an axis"},
    {"zip_of_itself", C "metrics: [core.cpi]\naxes: {core.width: [1], zip: [[core.width, core.width]]}",
     "s.yaml:3:31: zip has axis core.width twice"},
    {"configuration_of_a_list", "metrics: [core.cpi]\naxes: {config: [[c]]}",
     "s.yaml:2:17: a value of axis config is a list; it takes a list of plain values"},
    {"configuration_of_nothing", "metrics: [core.cpi]\naxes: {config: [\"\"]}",
     "s.yaml:2:17: config takes a list of names"},
    {"only_a_zip", C "metrics: [core.cpi]\naxes: {zip: []}",
     "s.yaml:3:1: a sweep needs axes: parameters with lists of values, such as {paging.mode: [native, nested]}"},
    {"metric_of_a_list", C "axes: {core.width: [1]}\nmetrics: [[core.cpi]]",
     "s.yaml:3:11: metrics takes a list of statistics"},
    {"no_metric", C "axes: {core.width: [1]}\nmetrics: []",
     "s.yaml:3:1: a sweep needs metrics: a list of statistics, such as [core.cpi]"},
};

static void refused(void **state)
{
    const struct bad_row *row = *state;
    assert_refused(row->text, row->sentence);
}

int main(int argc, char **argv)
{
    struct CMUnitTest row_tests[HV_ARRAY_LEN(rows_rows)], cell_tests[HV_ARRAY_LEN(cell_rows)],
        bad_tests[HV_ARRAY_LEN(bad_rows)];
    gtest_rows(row_tests, rows, rows_rows, sizeof(rows_rows[0]), HV_ARRAY_LEN(rows_rows));
    gtest_rows(cell_tests, cell, cell_rows, sizeof(cell_rows[0]), HV_ARRAY_LEN(cell_rows));
    gtest_rows(bad_tests, refused, bad_rows, sizeof(bad_rows[0]), HV_ARRAY_LEN(bad_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("Rows", row_tests), GTEST_SUITE("Cell", cell_tests), GTEST_SUITE("Refused", bad_tests),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
