/* SPDX-License-Identifier: MIT */
/*
 * The harness tested from outside: the program starts itself again as a victim whose tests pass, fail, skip and die on
 * purpose, and checks what the victim prints, writes and returns.
 */
#include "gtest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The victim ---- */

#define VICTIM_VARIABLE "HVSIM_HARNESS_VICTIM"

static void passes(void **state)
{
    (void)state;
    printf("a passing test speaks");
}

static void fails(void **state)
{
    (void)state;
    printf("before <the> \"failure\" & \x01\x7f ]]>\n");
    fprintf(stderr, "on stderr\n");
    assert_int_equal(40 + 2, 41);
}

static void skips(void **state)
{
    (void)state;
    skip();
}

static void crashes(void **state)
{
    (void)state;
    raise(SIGSEGV);
}

static void aborts(void **state)
{
    (void)state;
    fprintf(stderr, "last words\n");
    abort();
}

static void exits(void **state)
{
    (void)state;
    printf("last words\n");
    exit(0);
}

static void stops(void **state)
{
    (void)state;
    fprintf(stderr, "last words\n");
    _Exit(70);
}

static int suite_setup(void **state)
{
    static int shared = 7;
    *state = &shared;
    return 0;
}

static void sees_suite_state(void **state)
{
    assert_int_equal(*(int *)*state, 7);
}

static int bad_fixture(void **state)
{
    (void)state;
    assert_string_equal("have", "want");
    return 0;
}

struct row {
    const char *name;
    int value;
};

static const struct row rows[] = {{"one", 1}, {"two", 2}, {"minus_two", -2}};

static void is_positive(void **state)
{
    const struct row *row = *state;
    assert_true(row->value > 0);
}

static int victim_main(int argc, char **argv)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(passes),
        cmocka_unit_test(fails),
        cmocka_unit_test(skips),
        {.name = "DISABLED_fails", .test_func = fails},
    };
    const struct CMUnitTest deadly[] = {
        cmocka_unit_test(crashes), cmocka_unit_test(aborts), cmocka_unit_test(exits),
        cmocka_unit_test(stops),   cmocka_unit_test(passes),
    };
    const struct CMUnitTest shared[] = {cmocka_unit_test(sees_suite_state)};
    const struct CMUnitTest unlucky[] = {cmocka_unit_test(passes)};
    struct CMUnitTest table[3];
    gtest_rows(table, is_positive, rows, sizeof(rows[0]), 3);

    struct gtest_suite suites[] = {
        GTEST_SUITE("Plain", plain),      GTEST_SUITE("Deadly", deadly),       GTEST_SUITE("Shared", shared),
        GTEST_SUITE("BadSetup", unlucky), GTEST_SUITE("BadTeardown", unlucky), GTEST_SUITE("Table", table),
    };
    suites[2].setup = suite_setup;
    suites[3].setup = bad_fixture;
    suites[4].teardown = bad_fixture;
    return gtest_main_suites(argc, argv, suites, sizeof(suites) / sizeof(suites[0]));
}

/* ---- Running it ---- */

struct run {
    int exit_code; /* -1 when a signal ended it */
    char output[32768];
};

static void read_all(FILE *file, char *text, size_t size)
{
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
}

/* Runs the victim with the flags, which are shell text; stderr goes where stdout goes. */
static void victim_run(struct run *run, const char *flags)
{
    char program[4096];
    char command[8192];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    assert_true(length > 0);
    program[length] = '\0';
    int size = snprintf(command, sizeof(command), VICTIM_VARIABLE "=1 '%s' %s 2>&1", program, flags);
    assert_in_range(size, 1, sizeof(command) - 1);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    read_all(pipe, run->output, sizeof(run->output));
    int status = pclose(pipe);
    /* A signal that ends the victim reaches us as the shell's 128 + number. */
    assert_true(WIFEXITED(status));
    run->exit_code = WEXITSTATUS(status) < 128 ? WEXITSTATUS(status) : -1;
}

static void assert_prints(const struct run *run, const char *text)
{
    if (strstr(run->output, text) == NULL) {
        fail_msg("no \"%s\" in:\n%s", text, run->output);
    }
}

static void assert_silent_on(const struct run *run, const char *text)
{
    if (strstr(run->output, text) != NULL) {
        fail_msg("\"%s\" in:\n%s", text, run->output);
    }
}

/* ---- Lists and filters ---- */

static void lists_in_googletest_form(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_list_tests --gtest_filter='Plain.*:Table.*'");
    assert_int_equal(run.exit_code, 0);
    assert_string_equal(run.output, "Plain.\n  passes\n  fails\n  skips\n  DISABLED_fails\n"
                                    "Table.\n  one\n  two\n  minus_two\n");
}

static const struct filter_row {
    const char *name;
    const char *filter;
    const char *list;
} filter_rows[] = {
    {"exact", "Table.two", "Table.\n  two\n"},
    {"star", "Table.*two", "Table.\n  two\n  minus_two\n"},
    {"question_mark", "Table.t?o", "Table.\n  two\n"},
    {"question_mark_is_one_character", "Table.tw?o", ""},
    {"several", "Table.one:Plain.skips", "Plain.\n  skips\nTable.\n  one\n"},
    {"negative", "Table.*-*two", "Table.\n  one\n"},
    {"several_negative", "Table.*-*.one:*.two", "Table.\n  minus_two\n"},
    {"negative_only", "-Plain.*:Deadly.*:Bad*:Table.*", "Shared.\n  sees_suite_state\n"},
    {"no_partial_match", "Table", ""},
    {"case_matters", "table.*", ""},
};

static void filters(void **state)
{
    const struct filter_row *row = *state;
    struct run run;
    char flags[256];
    snprintf(flags, sizeof(flags), "--gtest_list_tests --gtest_filter='%s'", row->filter);
    victim_run(&run, flags);
    assert_string_equal(run.output, row->list);
    assert_int_equal(run.exit_code, 0);
}

/* ---- Verdicts ---- */

static void passing_run_exits_0(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Plain.passes");
    assert_int_equal(run.exit_code, 0);
    assert_prints(&run, "[==========] Running 1 test from 1 test suite.\n");
    assert_prints(&run, "[ RUN      ] Plain.passes\na passing test speaks\n[       OK ] Plain.passes (");
    assert_prints(&run, "[  PASSED  ] 1 test.\n");
    assert_silent_on(&run, "[  FAILED  ]");
}

static void failing_run_exits_1(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='Plain.*'");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "on stderr\n");
    assert_prints(&run, "0x2a != 0x29\n");
    assert_prints(&run, "test_gtest.c:");
    assert_prints(&run, "\n[  FAILED  ] Plain.fails (");
    assert_prints(&run, "\n[  SKIPPED ] Plain.skips (");
    assert_prints(&run, "[==========] 3 tests from 1 test suite ran.");
    assert_prints(&run, "[  PASSED  ] 1 test.\n");
    assert_prints(&run, "[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] Plain.skips\n");
    assert_prints(&run, "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Plain.fails\n");
    assert_prints(&run, "YOU HAVE 1 DISABLED TEST\n");
    assert_silent_on(&run, "[ RUN      ] Plain.DISABLED_fails");
}

static void disabled_tests_run_when_asked(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='*DISABLED*' --gtest_also_run_disabled_tests");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "[  FAILED  ] Plain.DISABLED_fails (");
}

static void segmentation_fault_is_a_failed_test(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Deadly.crashes:Deadly.passes");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "Segmentation fault");
    assert_prints(&run, "[  FAILED  ] Deadly.crashes (");
    assert_prints(&run, "[       OK ] Deadly.passes (");
}

static void abort_keeps_what_was_printed(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Deadly.aborts");
    assert_int_equal(run.exit_code, -1);
    assert_prints(&run, "last words\n");
    assert_prints(&run, "[  FAILED  ] Deadly.aborts, which ended the test program by abort()\n");
}

static void exit_0_inside_a_test_is_no_success(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Deadly.exits");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "last words\n");
    assert_prints(&run, "[  FAILED  ] Deadly.exits, which ended the test program by a call of exit()\n");
}

static void failed_assertion_of_the_simulator_keeps_what_was_printed(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Deadly.stops");
    assert_int_equal(run.exit_code, 70);
    assert_prints(&run, "last words\n");
    assert_prints(&run, "[  FAILED  ] Deadly.stops, which ended the test program by a call of _Exit()\n");
}

/* ---- Fixtures and tables ---- */

static void suite_state_reaches_the_tests(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='Shared.*'");
    assert_int_equal(run.exit_code, 0);
    assert_prints(&run, "[       OK ] Shared.sees_suite_state (");
}

static void failing_setup_fails_its_tests(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='BadSetup.*'");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "BadSetup.setup failed: \"have\" != \"want\"\n");
    assert_prints(&run, "[  FAILED  ] BadSetup.passes (");
}

static void failing_teardown_fails_the_program(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='BadTeardown.*'");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "[       OK ] BadTeardown.passes (");
    assert_prints(&run, "BadTeardown.teardown failed: ");
}

static void each_row_is_a_test(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='Table.*'");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "[       OK ] Table.one (");
    assert_prints(&run, "[       OK ] Table.two (");
    assert_prints(&run, "[  FAILED  ] Table.minus_two (");
}

/* ---- Flags ---- */

static void unknown_flag_is_one_sentence(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filtre=x");
    assert_int_equal(run.exit_code, 2);
    assert_string_equal(run.output, "--gtest_filtre=x: this test program has no such flag; --help lists the flags.\n");
    victim_run(&run, "--gtest_repeat=often");
    assert_int_equal(run.exit_code, 2);
    victim_run(&run, "--gtest_output=json:x");
    assert_int_equal(run.exit_code, 2);
}

static void help_names_the_flags(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--help");
    assert_int_equal(run.exit_code, 0);
    assert_prints(&run, "This program contains tests written using Google Test");
    assert_prints(&run, "--gtest_list_tests\n");
    assert_prints(&run, "--gtest_filter=");
    assert_prints(&run, "--gtest_output=xml");
}

static void repeats(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Plain.passes --gtest_repeat=2");
    assert_int_equal(run.exit_code, 0);
    assert_prints(&run, "(iteration 2)");
    assert_silent_on(&run, "(iteration 3)");
}

static void brief_prints_failures_only(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter='Plain.*' --gtest_brief=1");
    assert_prints(&run, "[  FAILED  ] Plain.fails (");
    assert_silent_on(&run, "[ RUN      ]");
    assert_silent_on(&run, "[       OK ]");
}

static void color_is_a_choice(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Plain.passes --gtest_color=yes");
    assert_prints(&run, "\033[0;32m[       OK ]\033[m Plain.passes");
    victim_run(&run, "--gtest_filter=Plain.passes --gtest_color=no");
    assert_silent_on(&run, "\033");
}

/* ---- The XML report ---- */

/*
 * A small judge of well-formedness: one root, tags that nest, quoted attributes, known entities, no forbidden
 * character. It knows nothing of comments and CDATA, which the report does not use.
 */
struct xml {
    const char *at;
    char open[8][32];
    unsigned depth;
    unsigned roots;
};

static bool xml_entity(const char *at)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#x0A;", "&#x09;"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strncmp(at, known[i], strlen(known[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Text up to one of the stop characters. */
static void xml_text(struct xml *xml, const char *stop)
{
    for (; *xml->at != '\0' && strchr(stop, *xml->at) == NULL; xml->at++) {
        assert_true(*xml->at == '\n' || (*xml->at >= ' ' && *xml->at <= '~'));
        assert_true(*xml->at != '<');
        assert_true(*xml->at != '&' || xml_entity(xml->at));
    }
}

static void xml_attributes(struct xml *xml)
{
    while (*xml->at == ' ') {
        xml->at++;
        assert_true(isalpha((unsigned char)*xml->at));
        xml->at += strspn(xml->at, "abcdefghijklmnopqrstuvwxyz");
        assert_memory_equal(xml->at, "=\"", 2);
        xml->at += 2;
        xml_text(xml, "\"");
        assert_int_equal(*xml->at, '"');
        xml->at++;
    }
}

static void xml_tag(struct xml *xml)
{
    bool closing = xml->at[1] == '/';
    xml->at += closing ? 2 : 1;
    size_t length = strspn(xml->at, "abcdefghijklmnopqrstuvwxyz");
    assert_in_range(length, 1, sizeof(xml->open[0]) - 1);
    if (closing) {
        assert_true(xml->depth > 0);
        xml->depth--;
        assert_int_equal(strlen(xml->open[xml->depth]), length);
        assert_memory_equal(xml->open[xml->depth], xml->at, length);
        xml->at += length;
    } else {
        assert_true(xml->depth < 8);
        xml->roots += xml->depth == 0;
        memcpy(xml->open[xml->depth], xml->at, length);
        xml->open[xml->depth][length] = '\0';
        xml->at += length;
        xml_attributes(xml);
        bool empty = *xml->at == '/';
        xml->at += empty;
        xml->depth += !empty;
    }
    assert_int_equal(*xml->at, '>');
    xml->at++;
}

static void assert_well_formed(const char *text)
{
    static const char declaration[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    assert_int_equal(strncmp(text, declaration, strlen(declaration)), 0);
    struct xml xml = {.at = text + strlen(declaration)};
    while (*xml.at != '\0') {
        if (*xml.at == '<') {
            xml_tag(&xml);
        } else {
            xml_text(&xml, "<");
        }
    }
    assert_int_equal(xml.depth, 0);
    assert_int_equal(xml.roots, 1);
}

static void xml_report_is_well_formed(void **state)
{
    (void)state;
    char path[] = "/tmp/test_gtest_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);

    struct run run;
    char flags[256];
    snprintf(flags, sizeof(flags), "--gtest_filter='Plain.*:Table.*' --gtest_output=xml:%s", path);
    victim_run(&run, flags);
    assert_int_equal(run.exit_code, 1);

    struct run report = {0};
    FILE *xml = fopen(path, "r");
    assert_non_null(xml);
    read_all(xml, report.output, sizeof(report.output));
    fclose(xml);
    unlink(path);
    assert_well_formed(report.output);
    assert_prints(&report, "<testsuites tests=\"7\" failures=\"2\" disabled=\"1\" skipped=\"1\" errors=\"0\"");
    assert_prints(&report, "<testsuite name=\"Plain\" tests=\"4\" failures=\"1\" disabled=\"1\" skipped=\"1\"");
    assert_prints(&report, "<testcase name=\"passes\" status=\"run\" result=\"completed\"");
    assert_prints(&report, "<testcase name=\"DISABLED_fails\" status=\"notrun\" result=\"suppressed\"");
    assert_prints(&report, "<failure message=\"0x2a != 0x29&#x0A;");
    assert_prints(&report, "before &lt;the&gt; &quot;failure&quot; &amp; ?? ]]&gt;");
}

static void unwritable_report_fails(void **state)
{
    (void)state;
    struct run run;
    victim_run(&run, "--gtest_filter=Plain.passes --gtest_output=xml:/nonexistent/report.xml");
    assert_int_equal(run.exit_code, 1);
    assert_prints(&run, "/nonexistent/report.xml: No such file or directory");
}

int main(int argc, char **argv)
{
    if (getenv(VICTIM_VARIABLE) != NULL) {
        return victim_main(argc, argv);
    }
    const struct CMUnitTest harness[] = {
        cmocka_unit_test(lists_in_googletest_form),
        cmocka_unit_test(passing_run_exits_0),
        cmocka_unit_test(failing_run_exits_1),
        cmocka_unit_test(disabled_tests_run_when_asked),
        cmocka_unit_test(segmentation_fault_is_a_failed_test),
        cmocka_unit_test(abort_keeps_what_was_printed),
        cmocka_unit_test(exit_0_inside_a_test_is_no_success),
        cmocka_unit_test(failed_assertion_of_the_simulator_keeps_what_was_printed),
        cmocka_unit_test(suite_state_reaches_the_tests),
        cmocka_unit_test(failing_setup_fails_its_tests),
        cmocka_unit_test(failing_teardown_fails_the_program),
        cmocka_unit_test(each_row_is_a_test),
        cmocka_unit_test(unknown_flag_is_one_sentence),
        cmocka_unit_test(help_names_the_flags),
        cmocka_unit_test(repeats),
        cmocka_unit_test(brief_prints_failures_only),
        cmocka_unit_test(color_is_a_choice),
        cmocka_unit_test(xml_report_is_well_formed),
        cmocka_unit_test(unwritable_report_fails),
    };
    enum { FILTERS = sizeof(filter_rows) / sizeof(filter_rows[0]) };
    struct CMUnitTest filter_tests[FILTERS];
    gtest_rows(filter_tests, filters, filter_rows, sizeof(filter_rows[0]), FILTERS);
    const struct gtest_suite suites[] = {GTEST_SUITE("Harness", harness), GTEST_SUITE("Filter", filter_tests)};
    return gtest_main_suites(argc, argv, suites, 2);
}
