/* SPDX-License-Identifier: MIT */
/* The XML report of the harness, in the schema of GoogleTest that CI servers read. */
#include "gtest_internal.h"

#include <string.h>
#include <time.h>

/* XML 1.0 forbids most control characters, and a test may print any byte: what is not plain ASCII becomes '?'. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\n': fputs("&#x0A;", out); break;
        case '\t': fputs("&#x09;", out); break;
        default: fputc(*text >= ' ' && *text <= '~' ? *text : '?', out);
        }
    }
}

static void put_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    put_escaped(out, value);
    fputc('"', out);
}

struct totals {
    size_t tests;
    size_t verdicts[GTEST_VERDICTS];
    double seconds;
};

static struct totals totals_of(const struct gtest_result *results, size_t count)
{
    struct totals totals = {0};
    for (size_t i = 0; i < count; i++) {
        totals.tests += results[i].verdict != GTEST_UNSELECTED;
        totals.verdicts[results[i].verdict]++;
        totals.seconds += results[i].seconds;
    }
    return totals;
}

static void put_totals(FILE *out, const struct totals *totals, const char *timestamp)
{
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" disabled=\"%zu\" skipped=\"%zu\" errors=\"0\" time=\"%.3f\"",
            totals->tests, totals->verdicts[GTEST_FAILED], totals->verdicts[GTEST_DISABLED],
            totals->verdicts[GTEST_SKIPPED], totals->seconds);
    put_attribute(out, "timestamp", timestamp);
}

static void put_case(FILE *out, const char *suite, const char *test, const struct gtest_result *result)
{
    static const char *const result_names[GTEST_VERDICTS] = {
        [GTEST_DISABLED] = "suppressed",
        [GTEST_PASSED] = "completed",
        [GTEST_FAILED] = "completed",
        [GTEST_SKIPPED] = "skipped",
    };
    fputs("    <testcase", out);
    put_attribute(out, "name", test);
    put_attribute(out, "status", result->verdict == GTEST_DISABLED ? "notrun" : "run");
    put_attribute(out, "result", result_names[result->verdict]);
    fprintf(out, " time=\"%.3f\"", result->seconds);
    put_attribute(out, "classname", suite);
    if (result->verdict == GTEST_FAILED) {
        fputs(">\n      <failure", out);
        put_attribute(out, "message", result->message);
        fputs(" type=\"\">", out);
        put_escaped(out, result->message);
        put_escaped(out, result->output);
        fputs("</failure>\n    </testcase>\n", out);
    } else if (result->verdict == GTEST_SKIPPED) {
        fputs(">\n      <skipped message=\"skip() was called\"/>\n    </testcase>\n", out);
    } else {
        fputs("/>\n", out);
    }
}

static void put_suite(FILE *out, const struct gtest_suite *suite, const struct gtest_result *results,
                      const char *timestamp)
{
    struct totals totals = totals_of(results, suite->count);
    if (totals.tests == 0) {
        return;
    }
    fputs("  <testsuite", out);
    put_attribute(out, "name", suite->name);
    put_totals(out, &totals, timestamp);
    fputs(">\n", out);
    for (size_t i = 0; i < suite->count; i++) {
        if (results[i].verdict != GTEST_UNSELECTED) {
            put_case(out, suite->name, suite->tests[i].name, &results[i]);
        }
    }
    fputs("  </testsuite>\n", out);
}

bool gtest_xml_write(const char *path, const struct gtest_suite *suites, size_t count,
                     const struct gtest_result *results)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        perror(path);
        return false;
    }
    char timestamp[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(timestamp, sizeof(timestamp), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &parts));

    size_t tests = 0;
    for (size_t i = 0; i < count; i++) {
        tests += suites[i].count;
    }
    struct totals totals = totals_of(results, tests);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", out);
    put_totals(out, &totals, timestamp);
    fputs(" name=\"AllTests\">\n", out);
    for (size_t i = 0; i < count; i++) {
        put_suite(out, &suites[i], results, timestamp);
        results += suites[i].count;
    }
    fputs("</testsuites>\n", out);
    if (fclose(out) != 0) {
        perror(path);
        return false;
    }
    return true;
}
