/* SPDX-License-Identifier: MIT */
/* The sentence of a user's mistake, and the end of a simulator bug. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static void the_first_error_is_kept(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    assert_false(hv_fail(&err, "first %d", 1));
    assert_false(hv_fail(&err, "second"));
    assert_string_equal(err.text, "first 1");
    struct hv_where where = { "f", 1, 1 };
    assert_false(hv_fail_at(&err, &where, "third"));
    assert_string_equal(err.text, "first 1");
}

static void the_place_stands_first(void **state)
{
    (void)state;
    struct hv_err in_file = { "" }, in_option = { "" };
    struct hv_where file = { "a.yaml", 12, 5 }, option = { "--set", 0, 0 };
    hv_fail_at(&in_file, &file, "no \"%s\"", "x");
    assert_string_equal(in_file.text, "a.yaml:12:5: no \"x\"");
    hv_fail_at(&in_option, &option, "no \"%s\"", "x");
    assert_string_equal(in_option.text, "--set: no \"x\"");
}

static void a_sentence_is_one_printable_line(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    hv_fail(&err, "a\nb\tc\033[1md\x7f");
    assert_string_equal(err.text, "a b c [1md ");
}

/* U+00E9 is two bytes; a cut must not leave one of them, wherever it falls. */
static void a_long_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 2; shift++) {
        char text[2001];
        struct hv_err err = { "" };
        for (size_t i = 0; i < 2000; i += 2) {
            memcpy(text + i, "\xc3\xa9", 2);
        }
        text[2000] = '\0';
        hv_fail(&err, "%s%s", shift == 0 ? "" : "x", text);
        size_t length = strlen(err.text);
        assert_true(length >= sizeof(err.text) - 2 && length < sizeof(err.text));
        assert_string_equal(err.text + length - 3, "...");
        assert_int_equal((unsigned char)err.text[length - 4], 0xa9);
    }
}

/* Runs hv_bug() in a child; returns its exit status and what it wrote to stderr. */
static int run_bug(char *output, size_t bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        HV_ASSERT(1 + 1 == 3, "cycle %d", 42);
        _Exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while (used < bytes - 1 && (got = read(ends[0], output + used, bytes - 1 - used)) > 0) {
        used += (size_t)got;
    }
    output[used] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_bug_says_where_and_exits_70(void **state)
{
    (void)state;
    char output[512];
    int status = run_bug(output, sizeof(output));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
    assert_non_null(strstr(output, "test_err.c:"));
    assert_non_null(strstr(output, "1 + 1 == 3"));
    assert_non_null(strstr(output, "cycle 42\n"));
}

static void a_true_assertion_does_nothing(void **state)
{
    (void)state;
    int evaluated = 0;
    HV_ASSERT(++evaluated == 1, "evaluated more than once");
    assert_int_equal(evaluated, 1);
}

GTEST_MAIN("Err", cmocka_unit_test(the_first_error_is_kept), cmocka_unit_test(the_place_stands_first),
           cmocka_unit_test(a_sentence_is_one_printable_line),
           cmocka_unit_test(a_long_sentence_is_cut_between_characters),
           cmocka_unit_test(a_bug_says_where_and_exits_70), cmocka_unit_test(a_true_assertion_does_nothing))
