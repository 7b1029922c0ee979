/* SPDX-License-Identifier: MIT */
/*
 * cmocka tests behind GoogleTest's command line.
 *
 * A test is a cmocka test, `void f(void **state)` with cmocka's assertions. The program's main is one of the macros or
 * functions below; it understands --gtest_list_tests, --gtest_filter= and --gtest_output=xml: and reports as
 * GoogleTest does, so that the IDEs and servers that drive GoogleTest drive these programs without knowing the
 * difference. `--help` lists every flag.
 *
 * Each test runs with stdout and stderr captured. The capture is shown when the test is over, or when it kills the
 * program.
 */
#ifndef HV_TESTS_GTEST_H
#define HV_TESTS_GTEST_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * A named list of tests. The setup runs once, before the first selected test, and the teardown after the last. What
 * the setup leaves in *state is the initial state of every test that has none of its own.
 */
struct gtest_suite {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    CMFixtureFunction setup;
    CMFixtureFunction teardown;
};

/* An element of an array of suites, from an array of tests. */
#define GTEST_SUITE(suite_name, test_array)                                                                            \
    {                                                                                                                  \
        .name = (suite_name), .tests = (test_array), .count = sizeof(test_array) / sizeof((test_array)[0])             \
    }

/* Runs what the command line asks for. Returns main's value: 0 passed, 1 a test failed, 2 a mistake in a flag. */
int gtest_main(int argc, char **argv, const char *suite, const struct CMUnitTest *tests, size_t count);
int gtest_main_suites(int argc, char **argv, const struct gtest_suite *suites, size_t count);

/* The whole main of a program with one suite: GTEST_MAIN("Tlb", cmocka_unit_test(hits), cmocka_unit_test(misses)) */
#define GTEST_MAIN(suite_name, ...)                                                                                    \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                               \
        return gtest_main(argc, argv, suite_name, tests, sizeof(tests) / sizeof(tests[0]));                            \
    }

/*
 * One function that serves a table of named rows: fills out[0 .. count-1] with one test a row. The row type begins
 * with `const char *name`, of letters, digits, '_' and '/' only because '-' and ':' mean something to a filter. In the
 * test, `const struct my_row *row = *state;`.
 */
void gtest_rows(struct CMUnitTest *out, CMUnitTestFunction test, const void *rows, size_t row_bytes, size_t count);

#endif
