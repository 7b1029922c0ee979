/* SPDX-License-Identifier: MIT */
/* What the parts of the test harness share with each other; tests include gtest.h only. */
#ifndef HV_TESTS_GTEST_INTERNAL_H
#define HV_TESTS_GTEST_INTERNAL_H

#include "gtest.h"

#include <stdbool.h>
#include <stdio.h>

enum gtest_verdict { GTEST_UNSELECTED, GTEST_DISABLED, GTEST_PASSED, GTEST_FAILED, GTEST_SKIPPED, GTEST_VERDICTS };

/* What became of one test in one pass over the program's tests. */
struct gtest_result {
    enum gtest_verdict verdict;
    double seconds;
    char *output;  /* what the test printed, "" for nothing; owned; NULL when it did not run */
    char *message; /* cmocka's account of the failure, "" for none; owned; NULL when it did not run */
};

/* The command line. */
struct gtest_flags {
    const char *filter;
    const char *xml; /* file to write, or NULL */
    int repeat;      /* negative: without end */
    bool list;
    bool help;
    bool brief;
    bool run_disabled;
    bool color;
};

/* Returns 0, or 2 after one sentence on stderr. */
int gtest_flags_parse(struct gtest_flags *flags, int argc, char **argv);

void gtest_flags_help(FILE *out);

/* Does the GoogleTest filter `a*:b?-c` select the full name `Suite.test`? */
bool gtest_filter_selects(const char *filter, const char *full_name);

/*
 * Sends stdout and stderr of this process into a file until gtest_capture_end, which returns the text (to be freed).
 * When the program dies in between, what was captured and the name of the test are printed first.
 */
void gtest_capture_begin(const char *full_name);
char *gtest_capture_end(void);

/* Writes the report of one pass; results holds one element a test, in the order of the suites. */
bool gtest_xml_write(const char *path, const struct gtest_suite *suites, size_t count,
                     const struct gtest_result *results);

#endif
