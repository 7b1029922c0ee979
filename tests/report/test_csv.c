/* SPDX-License-Identifier: MIT */
/* Tables of comma-separated values: RFC 4180, and what is refused. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "report/report.h"

struct csv_case {
    const char *name, *text, *expected; /* columns and rows as JSON; NULL: refused */
};

static const struct csv_case cases[] = {
    {"plain", "a,b\n1,2\n3,4\n", "[[\"a\",\"b\"],[[\"1\",\"2\"],[\"3\",\"4\"]]]"},
    {"no_last_line_feed", "a,b\n1,2", "[[\"a\",\"b\"],[[\"1\",\"2\"]]]"},
    {"carriage_returns", "a,b\r\n1,2\r\n", "[[\"a\",\"b\"],[[\"1\",\"2\"]]]"},
    {"empty_fields", "a,b\n,\n", "[[\"a\",\"b\"],[[\"\",\"\"]]]"},
    {"quotes", "a,b\n\"x, y\",\"say \"\"z\"\"\"\n", "[[\"a\",\"b\"],[[\"x, y\",\"say \\\"z\\\"\"]]]"},
    {"head_alone", "a\n", "[[\"a\"],[]]"},
    {"nothing", "", "[[\"\"],[]]"},
    {"too_few_fields", "a,b\n1\n", NULL},
    {"too_many_fields", "a,b\n1,2,3\n", NULL},
    {"open_quote", "a\n\"x\n", NULL},
    {"line_feed_in_quotes", "a\n\"x\ny\"\n", NULL},
    {"control_character", "a\n\x01\n", NULL},
    {"no_utf8", "a\n\xff\n", NULL},
};

static void reads_or_refuses(void **state)
{
    const struct csv_case *c = *state;
    struct hv_err err = {""};
    json_t *table = report_read_csv("t.csv", c->text, strlen(c->text), &err);
    if (c->expected == NULL) {
        assert_null(table);
        assert_non_null(strstr(err.text, "t.csv:"));
        return;
    }
    assert_non_null(table);
    json_t *expected = json_loads(c->expected, 0, NULL);
    assert_true(json_equal(json_object_get(table, "columns"), json_array_get(expected, 0)));
    assert_true(json_equal(json_object_get(table, "rows"), json_array_get(expected, 1)));
    json_decref(expected);
    json_decref(table);
}

/* A NUL within the text is no end of it, and no text. */
static void refuses_nul(void **state)
{
    (void)state;
    struct hv_err err = {""};
    assert_null(report_read_csv("t.csv", "a\n1\0002\n", 6, &err));
}

/* 1023 bytes fit into a field; 1024 do not. */
static void field_of_1024_bytes_is_too_long(void **state)
{
    (void)state;
    char text[1024 + 1];
    memset(text, 'x', sizeof(text));
    struct hv_err err = {""};
    json_t *table = report_read_csv("t.csv", text, 1023, &err);
    assert_non_null(table);
    json_decref(table);
    assert_null(report_read_csv("t.csv", text, 1024, &err));
}

int main(int argc, char **argv)
{
    struct CMUnitTest rows[sizeof(cases) / sizeof(cases[0])];
    const struct CMUnitTest limits[] = {cmocka_unit_test(refuses_nul),
                                        cmocka_unit_test(field_of_1024_bytes_is_too_long)};
    gtest_rows(rows, reads_or_refuses, cases, sizeof(cases[0]), sizeof(cases) / sizeof(cases[0]));
    const struct gtest_suite suites[] = {GTEST_SUITE("Csv", rows), GTEST_SUITE("CsvLimits", limits)};
    return gtest_main_suites(argc, argv, suites, sizeof(suites) / sizeof(suites[0]));
}
