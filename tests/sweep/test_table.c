/* SPDX-License-Identifier: MIT */
/* The numbers of a table, and how they are written. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "sweep/table.h"

/* 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 9+1+1+1+0+0+4+16 = 32, over 7. */
static void spread_of_a_sample(void **state)
{
    (void)state;
    static const double values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct table_entry e;
    table_entry_make(&e, values, 8);
    assert_int_equal(e.count, 8);
    assert_true(e.mean == 5 && e.min == 2 && e.max == 9);
    assert_true(e.stddev * e.stddev > 32.0 / 7 - 1e-12 && e.stddev * e.stddev < 32.0 / 7 + 1e-12);
    table_entry_make(&e, values, 1);
    assert_true(e.count == 1 && e.mean == 2 && e.min == 2 && e.max == 2 && e.stddev == 0);
    table_entry_make(&e, values, 0);
    assert_true(e.count == 0 && e.mean == 0);
}

static char *csv(const struct table *t)
{
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    table_write_csv(t, out);
    fclose(out);
    return text;
}

static char *printed(const struct table *t)
{
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    table_print(t, out);
    fclose(out);
    return text;
}

static void assert_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    free(text);
}

#define HEAD "config: c\nmetrics: [core.cpi, core.cycles]\naxes: {workload.footprint: [64KiB, 1MiB], " \
             "paging.mode: [native]}\n"

static void one_seed(void **state)
{
    (void)state;
    struct sweep s;
    expand_sweep(&s, HEAD);
    struct table_entry entries[] = {
        {1, 1.0 / 3, 1.0 / 3, 1.0 / 3, 0}, {1, 12345678901, 12345678901, 12345678901, 0}, {0, 0, 0, 0, 0}, {1, 7, 7, 7, 0},
    };
    size_t seeds[] = {1, 1};
    const struct table t = {&s, entries, seeds, 0};
    assert_text(csv(&t), "workload.footprint,paging.mode,core.cpi,core.cycles\n"
                         "65536,native,0.333333333333333,12345678901\n"
                         "1048576,native,,7\n");
    assert_text(printed(&t), "workload.footprint  paging.mode  core.cpi  core.cycles\n"
                             "             64KiB  native       0.333333  1.23457e+10\n"
                             "              1MiB  native              -            7\n");
    sweep_fini(&s);
}

/* A spread of one is unknown, not zero. */
static void several_seeds(void **state)
{
    (void)state;
    struct sweep s;
    expand_sweep(&s, HEAD "seeds: 3\n");
    struct table_entry entries[] = {
        {3, 2, 1, 3, 1}, {3, 5, 5, 5, 0}, {1, 4, 4, 4, 0}, {0, 0, 0, 0, 0},
    };
    size_t seeds[] = {3, 1};
    const struct table t = {&s, entries, seeds, 0};
    assert_text(csv(&t), "workload.footprint,paging.mode,seeds,core.cpi,core.cpi.min,core.cpi.max,core.cpi.stddev,"
                         "core.cycles,core.cycles.min,core.cycles.max,core.cycles.stddev\n"
                         "65536,native,3,2,1,3,1,5,5,5,0\n"
                         "1048576,native,1,4,4,4,,,,,\n");
    sweep_fini(&s);
}

GTEST_MAIN("Table", cmocka_unit_test(spread_of_a_sample), cmocka_unit_test(one_seed), cmocka_unit_test(several_seeds))
