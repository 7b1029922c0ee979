/* SPDX-License-Identifier: MIT */
/* Expressions over a table: what they are worth, and what is said of those that are none. */
#include "gtest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "figure/expr.h"
#include "small_sweep.h"

/* --- Values ------------------------------------------------------------------------------------------------------- */

static double value_of(const char *text)
{
    const struct hv_where where = {"f.yaml", 3, 5};
    struct small_sweep small;
    struct hv_err err = {""};
    small_sweep_init(&small);
    if (!expr_check(&small.sweep, text, &where, &err)) {
        fail_msg("%s: %s", text, err.text);
    }
    return expr_value(&small.table, text);
}

static const struct value_row {
    const char *name, *text;
    double value;
} value_rows[] = {
    {"number", "12.5", 12.5},
    {"exponent", "2e3", 2000},
    {"product_before_sum", "2 + 3 * 4 - 6 / 3", 12},
    {"from_left_to_right", "100 - 10 - 1", 89},
    {"quotients_from_left", "100 / 10 / 5", 2},
    {"parentheses", "(2 + 3) * (4 - 6)", -10},
    {"minus_of_minus", "- -3 * -2", -6},
    {"blanks", "\t( 1\t+ 1 ) ", 2},
    {"cell", "core.cpi[paging.mode=nested, mmu.walkers=1]", 6},
    {"axes_in_any_order", "core.cpi[mmu.walkers=2,paging.mode=native]", 3},
    {"blanks_in_a_cell", "mmu.walks [ paging.mode = nested , mmu.walkers = 2 ]", 50},
    {"ratio_of_cells", "mmu.walks[paging.mode=nested, mmu.walkers=1] / mmu.walks[paging.mode=native, mmu.walkers=2]", 4},
    {"sum_of_all", "sum(mmu.walks[])", 100},
    {"sum_of_one", "sum(mmu.walks[paging.mode=nested, mmu.walkers=2])", 50},
    {"mean", "mean(mmu.walks[])", 25},
    {"mean_of_some", "mean(mmu.walks[paging.mode=native])", 5},
    {"min", "min(mmu.walks[])", 0},
    {"max", "max(mmu.walks[mmu.walkers=1])", 40},
    {"fold_in_arithmetic", "2 * (max(mmu.walks[]) - min(mmu.walks[]))", 100},
    {"division_by_zero", "1 / 0", (double)INFINITY},
    {"by_negative_zero", "1 / -0", -(double)INFINITY},
    {"by_a_cell_of_zero", "1 / mmu.walks[paging.mode=native, mmu.walkers=1]", (double)INFINITY},
    {"overflow", "1e308 * 10", (double)INFINITY},
    {"nothing_over_nothing", "0 / 0", (double)NAN},
    {"less_infinity", "1 / 0 - 1 / 0", (double)NAN},
    {"failed_run", "core.cpi[paging.mode=nested, mmu.walkers=2]", (double)NAN},
    {"failed_run_in_a_sum", "sum(core.cpi[])", (double)NAN},
    {"failed_run_in_a_minimum", "min(core.cpi[])", (double)NAN},
    {"failed_run_in_a_maximum", "max(core.cpi[])", (double)NAN},
    {"failed_run_in_a_mean", "1 + mean(core.cpi[paging.mode=nested])", (double)NAN},
};

static void has_value(void **state)
{
    const struct value_row *row = *state;
    double value = value_of(row->text);
    if (!(value == row->value || (isnan(value) && isnan(row->value)))) {
        fail_msg("%s is %g, and not %g", row->text, value, row->value);
    }
}

/* --- Mistakes ----------------------------------------------------------------------------------------------------- */

static void assert_refused(const char *text, const char *sentence)
{
    const struct hv_where where = {"f.yaml", 3, 5};
    struct small_sweep small;
    struct hv_err err = {""};
    small_sweep_init(&small);
    assert_false(expr_check(&small.sweep, text, &where, &err));
    assert_string_equal(err.text, sentence);
}

/* The expression begins in column 5. */
static const struct mistake_row {
    const char *name, *text, *sentence;
} mistake_rows[] = {
    {"empty", "", "f.yaml:3:5: value: the expression ends too early"},
    {"ends_early", "1 + ", "f.yaml:3:9: value: the expression ends too early"},
    {"two_values", "1 2", "f.yaml:3:7: value: an operator or the end is expected"},
    {"strange_character", "1 + $", "f.yaml:3:9: value: a number or a metric is expected"},
    {"no_number", "1x + 2", "f.yaml:3:5: value: this is no number"},
    {"number_too_large", "1e999", "f.yaml:3:5: value: this is no number"},
    {"open", "(1 + 2", "f.yaml:3:11: value: \")\" is missing"},
    {"closed_too_often", "(1))", "f.yaml:3:8: value: an operator or the end is expected"},
    {"unknown_metric", "core.ipc[]", "f.yaml:3:5: value: \"core.ipc\" is none of the sweep's metrics"},
    {"unknown_function", "median(core.cpi[])", "f.yaml:3:5: value: \"median\" is none of the sweep's metrics"},
    {"function_of_a_number", "sum(1)", "f.yaml:3:9: value: \"1\" is none of the sweep's metrics"},
    {"function_left_open", "sum(core.cpi[]", "f.yaml:3:19: value: \")\" is missing"},
    {"no_brackets", "core.cpi",
     "f.yaml:3:13: value: after a metric come brackets: core.cpi[paging.mode=native], or core.cpi[]"},
    {"brackets_left_open", "core.cpi[paging.mode=native", "f.yaml:3:32: value: \"]\" is missing"},
    {"no_value_in_brackets", "core.cpi[paging.mode]",
     "f.yaml:3:14: value: between brackets stand AXIS=VALUE, separated by commas"},
    {"unknown_axis", "core.cpi[mode=native]", "f.yaml:3:14: value: \"mode\" is no axis of the sweep"},
    {"unknown_value", "core.cpi[mmu.walkers=3]",
     "f.yaml:3:26: value: axis mmu.walkers has no value \"3\"; it has 1, 2"},
    {"several_cells", "core.cpi[paging.mode=native]",
     "f.yaml:3:5: value: this is 2 rows of the table; a cell is one, and sum, mean, min and max take several"},
};

static void is_refused(void **state)
{
    const struct mistake_row *row = *state;
    assert_refused(row->text, row->sentence);
}

/* 31 pairs of parentheses around a number are allowed, so 32 levels in all. */
static void deep_nesting(void **state)
{
    (void)state;
    char text[128], sentence[128];
    snprintf(text, sizeof(text), "%.31s1%.31s", "((((((((((((((((((((((((((((((((", "))))))))))))))))))))))))))))))))");
    assert_true(value_of(text) == 1);
    snprintf(text, sizeof(text), "%.32s1%.32s", "((((((((((((((((((((((((((((((((", "))))))))))))))))))))))))))))))))");
    snprintf(sentence, sizeof(sentence), "f.yaml:3:%d: value: the expression is nested too deeply", 5 + 32);
    assert_refused(text, sentence);
    memset(text, '-', 100);
    text[100] = '\0';
    assert_refused(text, sentence);
}

static void long_names(void **state)
{
    (void)state;
    char name[301], text[400];
    memset(name, 'x', 300);
    name[300] = '\0';
    assert_refused(name, "f.yaml:3:5: value: this name is too long");
    snprintf(text, sizeof(text), "core.cpi[%s=1]", name);
    assert_refused(text, "f.yaml:3:14: value: this name is too long");
    snprintf(text, sizeof(text), "core.cpi[paging.mode=%s]", name);
    assert_refused(text, "f.yaml:3:26: value: this name is too long");
}

int main(int argc, char **argv)
{
    struct CMUnitTest values[HV_ARRAY_LEN(value_rows)], mistakes[HV_ARRAY_LEN(mistake_rows)];
    const struct CMUnitTest limits[] = {cmocka_unit_test(deep_nesting), cmocka_unit_test(long_names)};
    gtest_rows(values, has_value, value_rows, sizeof(value_rows[0]), HV_ARRAY_LEN(value_rows));
    gtest_rows(mistakes, is_refused, mistake_rows, sizeof(mistake_rows[0]), HV_ARRAY_LEN(mistake_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("Values", values), GTEST_SUITE("Mistakes", mistakes), GTEST_SUITE("Limits", limits),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
