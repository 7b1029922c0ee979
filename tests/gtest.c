/* SPDX-License-Identifier: MIT */
/* The test harness: selects tests, drives cmocka one test at a time, and reports in GoogleTest's form. */
#include "gtest_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One pass over the selected tests. */
struct pass {
    const struct gtest_flags *flags;
    const struct gtest_suite *suites;
    size_t suite_count;
    struct gtest_result *results; /* one a test, in the order of the suites */
    bool fixture_failed;          /* a suite's teardown failed: no test's fault, but no success either */
};

static void *checked(void *memory)
{
    if (memory == NULL) {
        perror("the test harness");
        abort();
    }
    return memory;
}

static char *full_name_of(const char *suite, const char *test)
{
    size_t size = strlen(suite) + strlen(test) + 2;
    char *name = checked(malloc(size));
    snprintf(name, size, "%s.%s", suite, test);
    return name;
}

static bool is_disabled(const struct gtest_suite *suite, const struct CMUnitTest *test)
{
    return strncmp(suite->name, "DISABLED_", 9) == 0 || strncmp(test->name, "DISABLED_", 9) == 0;
}

/* ---- Output ---- */

enum color { RED = 31, GREEN = 32, YELLOW = 33 };

static void print_tag(const struct gtest_flags *flags, enum color color, const char *tag)
{
    if (flags->color) {
        printf("\033[0;%dm%s\033[m ", (int)color, tag);
    } else {
        printf("%s ", tag);
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_text(const char *text)
{
    size_t length = strlen(text);
    fputs(text, stdout);
    if (length > 0 && text[length - 1] != '\n') {
        putchar('\n');
    }
}

static void print_result(const struct gtest_flags *flags, const char *full_name, const struct gtest_result *result)
{
    bool failed = result->verdict == GTEST_FAILED;
    if (flags->brief && !failed) {
        return;
    }
    print_text(result->output);
    print_text(result->message);
    if (failed) {
        print_tag(flags, RED, "[  FAILED  ]");
    } else if (result->verdict == GTEST_SKIPPED) {
        print_tag(flags, YELLOW, "[  SKIPPED ]");
    } else {
        print_tag(flags, GREEN, "[       OK ]");
    }
    printf("%s (%.0f ms)\n", full_name, result->seconds * 1e3);
    fflush(stdout);
}

static void print_list(const struct gtest_flags *flags, const struct gtest_suite *suites, size_t count)
{
    for (size_t s = 0; s < count; s++) {
        bool titled = false;
        for (size_t i = 0; i < suites[s].count; i++) {
            char *name = full_name_of(suites[s].name, suites[s].tests[i].name);
            if (gtest_filter_selects(flags->filter, name)) {
                printf("%s%s%s  %s\n", titled ? "" : suites[s].name, titled ? "" : ".", titled ? "" : "\n",
                       suites[s].tests[i].name);
                titled = true;
            }
            free(name);
        }
    }
}

/* ---- One test, through cmocka ---- */

/* Every test has this name inside cmocka; a byte that no test prints makes cmocka's own lines unmistakable. */
#define MARK '\001'
static const char mark_name[] = {MARK, '\0'};

static char *trimmed_copy(const char *text, const char *end, const char *unwanted)
{
    while (text < end && strchr(unwanted, *text) != NULL) {
        text++;
    }
    while (end > text && strchr(unwanted, end[-1]) != NULL) {
        end--;
    }
    return checked(strndup(text, (size_t)(end - text)));
}

/*
 * cmocka's "subunit" form is the one that can be taken apart: `test: NAME`, what the test printed, then one of
 * `success: NAME`, `skip: NAME`, `failure: NAME [ text ]` and `error: NAME [ text ]`, the last for a failing setup or
 * teardown.
 */
static void take_apart(struct gtest_result *result, const char *captured)
{
    static const struct {
        const char *word;
        enum gtest_verdict verdict;
    } verdicts[] = {
        {"success: ", GTEST_PASSED},
        {"skip: ", GTEST_SKIPPED},
        {"failure: ", GTEST_FAILED},
        {"error: ", GTEST_FAILED},
    };
    const char *first = strchr(captured, MARK);
    const char *last = strrchr(captured, MARK);
    const char *output = first != NULL ? first + 2 : captured;
    result->verdict = GTEST_FAILED;
    for (size_t i = 0; last != first && i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        const char *line = last - strlen(verdicts[i].word);
        if (line >= output && strncmp(line, verdicts[i].word, strlen(verdicts[i].word)) == 0) {
            result->verdict = verdicts[i].verdict;
            result->output = checked(strndup(output, (size_t)(line - output)));
            result->message = trimmed_copy(last + 1, last + strlen(last), "[] \n");
            return;
        }
    }
    result->output = checked(strdup(output));
    result->message = checked(strdup("cmocka gave no verdict"));
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void run_through_cmocka(const struct CMUnitTest *test, const char *full_name, struct gtest_result *result)
{
    struct CMUnitTest marked = *test;
    marked.name = mark_name;
    double start = seconds_now();
    gtest_capture_begin(full_name);
    int failures = _cmocka_run_group_tests(mark_name, &marked, 1, NULL, NULL);
    char *captured = gtest_capture_end();
    result->seconds = seconds_now() - start;
    take_apart(result, captured);
    if (failures != 0) {
        result->verdict = GTEST_FAILED;
    }
    free(captured);
}

static void result_free(struct gtest_result *result)
{
    free(result->output);
    free(result->message);
    *result = (struct gtest_result){0};
}

/* ---- A suite's setup and teardown, which may use assertions too and so run as tests ---- */

struct fixture {
    CMFixtureFunction function;
    void *suite_state;
    char *failure; /* the account of the setup's or teardown's failure; owned; NULL for none */
};

static void fixture_test(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->function(&fixture->suite_state), 0);
}

static void fixture_run(struct fixture *fixture, CMFixtureFunction function, const char *suite, const char *role)
{
    if (function == NULL) {
        return;
    }
    char *name = full_name_of(suite, role);
    struct gtest_result result = {0};
    const struct CMUnitTest test = {.name = name, .test_func = fixture_test, .initial_state = fixture};
    fixture->function = function;
    run_through_cmocka(&test, name, &result);
    if (result.verdict == GTEST_FAILED) {
        size_t size = strlen(name) + strlen(result.output) + strlen(result.message) + 16;
        fixture->failure = checked(malloc(size));
        snprintf(fixture->failure, size, "%s%s failed: %s", result.output, name, result.message);
    }
    result_free(&result);
    free(name);
}

/* ---- Suites ---- */

static void test_run(const struct gtest_flags *flags, const struct gtest_suite *suite, size_t index,
                     const struct fixture *fixture, struct gtest_result *result)
{
    struct CMUnitTest test = suite->tests[index];
    char *name = full_name_of(suite->name, test.name);
    if (!flags->brief) {
        print_tag(flags, GREEN, "[ RUN      ]");
        printf("%s\n", name);
        fflush(stdout);
    }
    if (fixture->failure != NULL) {
        result->verdict = GTEST_FAILED;
        result->output = checked(strdup(""));
        result->message = checked(strdup(fixture->failure));
    } else {
        test.initial_state = test.initial_state != NULL ? test.initial_state : fixture->suite_state;
        run_through_cmocka(&test, name, result);
    }
    print_result(flags, name, result);
    free(name);
}

/* Marks what the command line selects, and returns how many tests will run. */
static size_t suite_select(const struct gtest_flags *flags, const struct gtest_suite *suite,
                           struct gtest_result *results)
{
    size_t selected = 0;
    for (size_t i = 0; i < suite->count; i++) {
        char *name = full_name_of(suite->name, suite->tests[i].name);
        result_free(&results[i]);
        if (!gtest_filter_selects(flags->filter, name)) {
            results[i].verdict = GTEST_UNSELECTED;
        } else if (is_disabled(suite, &suite->tests[i]) && !flags->run_disabled) {
            results[i].verdict = GTEST_DISABLED;
        } else {
            results[i].verdict = GTEST_PASSED; /* until it has run */
            selected++;
        }
        free(name);
    }
    return selected;
}

static void suite_run(struct pass *pass, const struct gtest_suite *suite, struct gtest_result *results, size_t selected)
{
    const struct gtest_flags *flags = pass->flags;
    struct fixture fixture = {0};
    double start = seconds_now();
    if (!flags->brief) {
        print_tag(flags, GREEN, "[----------]");
        printf("%zu test%s from %s\n", selected, plural(selected), suite->name);
    }
    fixture_run(&fixture, suite->setup, suite->name, "setup");
    for (size_t i = 0; i < suite->count; i++) {
        if (results[i].verdict == GTEST_PASSED) {
            test_run(flags, suite, i, &fixture, &results[i]);
        }
    }
    if (fixture.failure == NULL) {
        fixture_run(&fixture, suite->teardown, suite->name, "teardown");
        if (fixture.failure != NULL) {
            print_text(fixture.failure);
            pass->fixture_failed = true;
        }
    }
    free(fixture.failure);
    if (!flags->brief) {
        print_tag(flags, GREEN, "[----------]");
        printf("%zu test%s from %s (%.0f ms total)\n\n", selected, plural(selected), suite->name,
               (seconds_now() - start) * 1e3);
    }
}

/* ---- A pass over everything, and its summary ---- */

static void print_verdict_list(const struct pass *pass, enum gtest_verdict verdict, enum color color, const char *tag)
{
    const struct gtest_result *result = pass->results;
    for (size_t s = 0; s < pass->suite_count; s++) {
        for (size_t i = 0; i < pass->suites[s].count; i++, result++) {
            if (result->verdict == verdict) {
                print_tag(pass->flags, color, tag);
                printf("%s.%s\n", pass->suites[s].name, pass->suites[s].tests[i].name);
            }
        }
    }
}

/* Returns true when nothing failed. */
static bool print_summary(const struct pass *pass, size_t test_count)
{
    size_t count[GTEST_VERDICTS] = {0};
    for (size_t i = 0; i < test_count; i++) {
        count[pass->results[i].verdict]++;
    }
    print_tag(pass->flags, GREEN, "[  PASSED  ]");
    printf("%zu test%s.\n", count[GTEST_PASSED], plural(count[GTEST_PASSED]));
    if (count[GTEST_SKIPPED] > 0) {
        print_tag(pass->flags, YELLOW, "[  SKIPPED ]");
        printf("%zu test%s, listed below:\n", count[GTEST_SKIPPED], plural(count[GTEST_SKIPPED]));
        print_verdict_list(pass, GTEST_SKIPPED, YELLOW, "[  SKIPPED ]");
    }
    if (count[GTEST_FAILED] > 0) {
        print_tag(pass->flags, RED, "[  FAILED  ]");
        printf("%zu test%s, listed below:\n", count[GTEST_FAILED], plural(count[GTEST_FAILED]));
        print_verdict_list(pass, GTEST_FAILED, RED, "[  FAILED  ]");
        printf("\n%2zu FAILED TEST%s\n", count[GTEST_FAILED], count[GTEST_FAILED] == 1 ? "" : "S");
    }
    if (count[GTEST_DISABLED] > 0) {
        printf("\n  YOU HAVE %zu DISABLED TEST%s\n\n", count[GTEST_DISABLED], count[GTEST_DISABLED] == 1 ? "" : "S");
    }
    return count[GTEST_FAILED] == 0 && !pass->fixture_failed;
}

static void print_count(const struct pass *pass, const char *before, size_t tests, size_t suites, const char *after)
{
    print_tag(pass->flags, GREEN, "[==========]");
    printf("%s%zu test%s from %zu test suite%s%s", before, tests, plural(tests), suites, plural(suites), after);
}

static size_t total_tests(const struct gtest_suite *suites, size_t count)
{
    size_t total = 0;
    for (size_t s = 0; s < count; s++) {
        total += suites[s].count;
    }
    return total;
}

/* Returns true when nothing failed. */
static bool pass_run(struct pass *pass)
{
    size_t total = 0;
    size_t suites = 0;
    size_t *selected = checked(calloc(pass->suite_count + 1, sizeof(*selected)));
    struct gtest_result *results = pass->results;
    for (size_t s = 0; s < pass->suite_count; results += pass->suites[s++].count) {
        selected[s] = suite_select(pass->flags, &pass->suites[s], results);
        total += selected[s];
        suites += selected[s] > 0;
    }
    double start = seconds_now();
    if (!pass->flags->brief) {
        print_count(pass, "Running ", total, suites, ".\n");
    }
    results = pass->results;
    for (size_t s = 0; s < pass->suite_count; results += pass->suites[s++].count) {
        if (selected[s] > 0) {
            suite_run(pass, &pass->suites[s], results, selected[s]);
        }
    }
    free(selected);
    print_count(pass, "", total, suites, " ran.");
    printf(" (%.0f ms total)\n", (seconds_now() - start) * 1e3);
    return print_summary(pass, total_tests(pass->suites, pass->suite_count));
}

static int run_all(const struct gtest_flags *flags, const struct gtest_suite *suites, size_t count)
{
    size_t tests = total_tests(suites, count);
    struct pass pass = {.flags = flags, .suites = suites, .suite_count = count};
    pass.results = checked(calloc(tests + 1, sizeof(*pass.results)));
    bool passed = true;
    for (int i = 0; flags->repeat < 0 || i < flags->repeat; i++) {
        if (flags->repeat != 1) {
            printf("\nRepeating all tests (iteration %d) . . .\n\n", i + 1);
        }
        passed = pass_run(&pass) && passed;
        passed = (flags->xml == NULL || gtest_xml_write(flags->xml, suites, count, pass.results)) && passed;
    }
    for (size_t i = 0; i < tests; i++) {
        result_free(&pass.results[i]);
    }
    free(pass.results);
    return passed ? 0 : 1;
}

/* ---- The interface ---- */

int gtest_main_suites(int argc, char **argv, const struct gtest_suite *suites, size_t count)
{
    struct gtest_flags flags;
    int mistake = gtest_flags_parse(&flags, argc, argv);
    if (mistake != 0) {
        return mistake;
    }
    if (flags.help) {
        gtest_flags_help(stdout);
        return 0;
    }
    if (flags.list) {
        print_list(&flags, suites, count);
        return 0;
    }
    /* The environment would win over the call, and choose a form that take_apart does not know. */
    unsetenv("CMOCKA_MESSAGE_OUTPUT");
    cmocka_set_message_output(CM_OUTPUT_SUBUNIT);
    return run_all(&flags, suites, count);
}

int gtest_main(int argc, char **argv, const char *suite, const struct CMUnitTest *tests, size_t count)
{
    const struct gtest_suite only = {.name = suite, .tests = tests, .count = count};
    return gtest_main_suites(argc, argv, &only, 1);
}

void gtest_rows(struct CMUnitTest *out, CMUnitTestFunction test, const void *rows, size_t row_bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const void *row = (const char *)rows + i * row_bytes;
        const char *name;
        memcpy(&name, row, sizeof(name));
        /* cmocka's state is not const, though the rows are; a test only reads its row. */
        out[i] = (struct CMUnitTest){.name = name, .test_func = test, .initial_state = (void *)(uintptr_t)row};
    }
}
