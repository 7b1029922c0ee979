/* SPDX-License-Identifier: MIT */
/* What differs between two results, in which order, and what is no result at all. */
#include "gtest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "machine/result_diff.h"

/* A result whose config and stats are these members. */
static void load(struct result_file *file, const char *config, const char *stats)
{
    char text[4096];
    struct hv_err err = {""};
    int length = snprintf(text, sizeof(text),
                          "{\"hvsim\": {\"version\": \"1\", \"commit\": \"abc\"}, \"config\": {%s}, \"stats\": {%s}, "
                          "\"complete\": true, \"host\": {\"wall_seconds\": %zu}}", config, stats, strlen(stats));
    assert_true(length > 0 && (size_t)length < sizeof(text));
    if (!result_file_load_buffer(file, "test", text, (size_t)length, &err)) {
        fail_msg("%s", err.text);
    }
}

/* Two results and their difference. */
struct pair {
    struct result_file a, b;
    struct result_diff diff;
};

static void compare(struct pair *p, const char *a, const char *b, const struct diff_options *options)
{
    load(&p->a, "", a);
    load(&p->b, "", b);
    result_diff_init(&p->diff, &p->a, &p->b, options);
}

static void fini(struct pair *p)
{
    result_diff_fini(&p->diff);
    result_file_fini(&p->a);
    result_file_fini(&p->b);
}

static void assert_order(const struct result_diff *d, const char *expected)
{
    char names[512] = "";
    for (size_t i = 0; i < d->stat_count; i++) {
        strcat(strcat(names, i > 0 ? " " : ""), d->stats[i].name);
    }
    assert_string_equal(names, expected);
}

/* --- statistics -------------------------------------------------------------------------------------------------- */

/* Up by half, down by half, to a quarter (-75 %), doubled; what did not move is not there. */
static void largest_relative_change_comes_first(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"half.up\": 1000000, \"half.down\": 4, \"quarter\": 400, \"double\": 1, \"same\": 5",
            "\"half.up\": 1500000, \"half.down\": 2, \"quarter\": 100, \"double\": 2, \"same\": 5",
            &(struct diff_options){0});
    assert_order(&p.diff, "double quarter half.down half.up");
    assert_true(p.diff.stats[0].percent == 100);
    assert_true(p.diff.stats[1].percent == -75);
    assert_int_equal(p.diff.stats[1].change.whole, -300);
    assert_int_equal(p.diff.stats_compared, 5);
    assert_int_equal(p.diff.stats_moved, 4);
    fini(&p);
}

/* From 0 there is no percentage: infinite, before any other, the larger number first and ties by name. */
static void from_zero_is_infinite(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"thousandfold\": 1, \"small\": 0, \"tie.b\": 0, \"tie.a\": 0, \"large\": 0, \"below\": 0",
            "\"thousandfold\": 1000, \"small\": 3, \"tie.b\": 7, \"tie.a\": 7, \"large\": 900, \"below\": -8",
            &(struct diff_options){0});
    assert_order(&p.diff, "large below tie.a tie.b small thousandfold");
    assert_true(p.diff.stats[0].percent == INFINITY);
    assert_true(p.diff.stats[1].percent == -INFINITY);
    assert_true(p.diff.stats[5].percent == 99900);
    fini(&p);
}

/* To 0 is -100 %, which is as far as anything can fall. */
static void to_zero_is_minus_hundred(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"falls\": 3, \"doubles\": 3, \"trebles\": 3", "\"falls\": 0, \"doubles\": 6, \"trebles\": 9",
            &(struct diff_options){0});
    assert_order(&p.diff, "trebles doubles falls"); /* -100 and +100 tie, by name */
    assert_true(p.diff.stats[2].percent == -100);
    fini(&p);
}

/* A ratio of nothing has no number: the change is absent, and comes with those that are infinite. */
static void ratios_of_nothing(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"both\": null, \"appears\": null, \"vanishes\": 0.5, \"moves\": 0.5",
            "\"both\": null, \"appears\": 0.25, \"vanishes\": null, \"moves\": 0.75", &(struct diff_options){0});
    assert_order(&p.diff, "vanishes appears moves");
    assert_int_equal(p.diff.stats[0].change.kind, DIFF_ABSENT);
    assert_int_equal(p.diff.stats[1].value[0].kind, DIFF_ABSENT);
    assert_int_equal(p.diff.stats[2].change.kind, DIFF_REAL);
    assert_true(p.diff.stats[2].change.real == 0.25);
    assert_true(p.diff.stats[2].percent == 50);
    fini(&p);
}

/* 2^53 + 1 is no double: the difference of 1 would be lost. 5 and 5.0 are the same number. */
static void whole_numbers_are_exact(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"large\": 9007199254740992, \"notation\": 5, \"far\": -9223372036854775807",
            "\"large\": 9007199254740993, \"notation\": 5.0, \"far\": 9223372036854775807", &(struct diff_options){0});
    assert_order(&p.diff, "far large");
    assert_int_equal(p.diff.stats[1].change.kind, DIFF_WHOLE);
    assert_int_equal(p.diff.stats[1].change.whole, 1);
    assert_int_equal(p.diff.stats[0].change.kind, DIFF_REAL); /* 2^64 does not fit, and is no reason to wrap */
    assert_true(p.diff.stats[0].percent == 200);
    fini(&p);
}

/* The ends of what a double holds: the change overflows to infinity and nothing else happens. */
static void extreme_numbers(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"over\": -1e308, \"tiny\": 5e-324, \"usual\": 1", "\"over\": 1.7e308, \"tiny\": 1e308, \"usual\": 3",
            &(struct diff_options){0});
    assert_order(&p.diff, "over tiny usual");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (int format = PRINT_TEXT; format <= PRINT_CSV; format++) {
        result_diff_print(&p.diff, (enum print_format)format, out);
    }
    fclose(out);
    assert_null(strstr(text, "nan"));
    assert_non_null(strstr(text, "\"change\": null"));
    free(text);
    fini(&p);
}

static void threshold_hides_smaller_moves(void **state)
{
    (void)state;
    struct pair p;
    const char *a = "\"five\": 100, \"four\": 100, \"minus\": 100, \"new\": 0, \"same\": 1";
    const char *b = "\"five\": 105, \"four\": 104, \"minus\": 95, \"new\": 1, \"same\": 1";
    compare(&p, a, b, &(struct diff_options){.threshold_percent = 5});
    assert_order(&p.diff, "new five minus");
    assert_int_equal(p.diff.stats_moved, 4);
    fini(&p);
    compare(&p, a, b, &(struct diff_options){.all = true});
    assert_order(&p.diff, "new five minus four same");
    assert_int_equal(p.diff.stats_moved, 4);
    fini(&p);
    compare(&p, a, b, &(struct diff_options){.only = "*m*"});
    assert_order(&p.diff, "minus");
    assert_int_equal(p.diff.stats_compared, 2);
    fini(&p);
}

/* --- parameters and what only one result has ------------------------------------------------------------------- */

static void parameters_stay_in_order(void **state)
{
    (void)state;
    struct result_file a, b;
    struct result_diff d;
    load(&a, "\"z\": 1, \"m\": [\"4k\"], \"t\": 1, \"a\": true, \"old\": \"x\", \"same\": [\"4k\"]", "\"s\": 1");
    load(&b, "\"same\": [\"4k\"], \"a\": false, \"m\": [\"4k\", \"2m\"], \"z\": \"full\", \"t\": 1.0, \"new\": 2",
         "\"s\": 1, \"t\": 2");
    result_diff_init(&d, &a, &b, &(struct diff_options){0});
    assert_int_equal(d.params_compared, 5);
    assert_int_equal(d.param_count, 3);
    assert_string_equal(d.params[0].name, "z");
    assert_string_equal(d.params[1].name, "m");
    assert_string_equal(d.params[2].name, "a");
    assert_string_equal(json_string_value(d.params[0].value[1]), "full");
    assert_int_equal(d.only_params[0].count, 1);
    assert_string_equal(d.only_params[0].items[0].name, "old");
    assert_int_equal(d.only_params[1].count, 1);
    assert_string_equal(d.only_params[1].items[0].name, "new");
    assert_int_equal(d.only_stats[0].count, 0);
    assert_int_equal(d.only_stats[1].count, 1);
    assert_string_equal(d.only_stats[1].items[0].name, "t");
    assert_int_equal(result_diff_compared(&d), 5 + 2 + 1 + 1);
    assert_false(result_diff_is_empty(&d));
    result_diff_fini(&d);
    result_file_fini(&a);
    result_file_fini(&b);
}

/* The host's part differs (load() makes it so) and does not count. */
static void equal_results_are_empty(void **state)
{
    (void)state;
    struct pair p;
    compare(&p, "\"x\": 1, \"y\": null", "\"y\": null,   \"x\": 1", &(struct diff_options){0});
    assert_true(result_diff_is_empty(&p.diff));
    p.b.complete = false;
    assert_false(result_diff_is_empty(&p.diff));
    p.b.complete = true;
    p.b.commit = "def";
    assert_true(result_diff_versions_differ(&p.diff));
    assert_false(result_diff_is_empty(&p.diff));
    fini(&p);
}

/* --- what is no result ------------------------------------------------------------------------------------------- */

#define HEAD "{\"hvsim\": {\"version\": \"1\", \"commit\": \"c\"}, \"complete\": true, "

struct refusal {
    const char *name, *text, *sentence; /* the sentence begins so */
};

static const struct refusal refusals[] = {
    {"empty", "", "test:1:"},
    {"no_json", "core.cycles,12\n", "test:1:"},
    {"second_line", "{\"a\": 1,\n  b}", "test:2:3: this is not JSON: "},
    {"twice", "{\"a\": 1, \"a\": 2}", "test:1:"},
    {"huge_integer", "{\"a\": 123456789012345678901234567890}", "test:1:"},
    {"huge_real", "{\"a\": 1e999}", "test:1:"},
    {"array", "[1, 2]", "test is not a result of hvsim run: "},
    {"without_version", "{\"config\": {}, \"stats\": {}, \"complete\": true}",
     "test is not a result of hvsim run: it does not say which hvsim wrote it"},
    {"version_number", "{\"hvsim\": {\"version\": 1, \"commit\": \"c\"}}",
     "test is not a result of hvsim run: it does not say which hvsim wrote it"},
    {"version_control", "{\"hvsim\": {\"version\": \"\\u001b[31m\", \"commit\": \"c\"}}",
     "test is not a result of hvsim run: it does not say which hvsim wrote it"},
    {"without_complete", "{\"hvsim\": {\"version\": \"1\", \"commit\": \"c\"}, \"complete\": 1}",
     "test is not a result of hvsim run: it does not say whether it is complete"},
    {"without_stats", HEAD "\"config\": {}}", "test is not a result of hvsim run: it has no object \"stats\""},
    {"stats_list", HEAD "\"config\": {}, \"stats\": []}",
     "test is not a result of hvsim run: it has no object \"stats\""},
    {"stat_text", HEAD "\"config\": {}, \"stats\": {\"x\": \"1\"}}",
     "test is not a result of hvsim run: \"x\" is no entry of \"stats\""},
    {"stat_name", HEAD "\"config\": {}, \"stats\": {\"a\\u0007b\": 1}}",
     "test is not a result of hvsim run: \"a b\" is no entry of \"stats\""},
    {"empty_name", HEAD "\"config\": {}, \"stats\": {\"\": 1}}",
     "test is not a result of hvsim run: \"\" is no entry of \"stats\""},
    {"config_object", HEAD "\"config\": {\"x\": {}}, \"stats\": {}}",
     "test is not a result of hvsim run: \"x\" is no entry of \"config\""},
    {"config_null", HEAD "\"config\": {\"x\": null}, \"stats\": {}}",
     "test is not a result of hvsim run: \"x\" is no entry of \"config\""},
    {"config_numbers", HEAD "\"config\": {\"x\": [1]}, \"stats\": {}}",
     "test is not a result of hvsim run: \"x\" is no entry of \"config\""},
    {"config_control", HEAD "\"config\": {\"x\": \"a\\nb\"}, \"stats\": {}}",
     "test is not a result of hvsim run: \"x\" is no entry of \"config\""},
};

static void refused_in_one_sentence(void **state)
{
    const struct refusal *r = *state;
    struct result_file file;
    struct hv_err err = {""};
    assert_false(result_file_load_buffer(&file, "test", r->text, strlen(r->text), &err));
    if (strncmp(err.text, r->sentence, strlen(r->sentence)) != 0) {
        fail_msg("expected \"%s\", got \"%s\"", r->sentence, err.text);
    }
    assert_null(strchr(err.text, '\n'));
    assert_null(file.root);
}

/* As deep as no recursion should follow, and as long a text as no table should be wide. */
static void deep_and_long_input_is_refused(void **state)
{
    (void)state;
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    struct result_file file;
    struct hv_err err = {""};
    memset(text, '[', BYTES);
    assert_false(result_file_load_buffer(&file, "test", text, BYTES, &err));
    assert_memory_equal(err.text, "test:1:", 7);
    size_t used = (size_t)sprintf(text, HEAD "\"stats\": {}, \"config\": {\"x\": \"");
    memset(text + used, 'x', BYTES - used);
    memcpy(text + BYTES - 3, "\"}}", 3);
    err.text[0] = '\0';
    assert_false(result_file_load_buffer(&file, "test", text, BYTES, &err));
    assert_string_equal(err.text, "test is not a result of hvsim run: \"x\" is no entry of \"config\"");
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest differences[] = {
        cmocka_unit_test(largest_relative_change_comes_first), cmocka_unit_test(from_zero_is_infinite),
        cmocka_unit_test(to_zero_is_minus_hundred),            cmocka_unit_test(ratios_of_nothing),
        cmocka_unit_test(whole_numbers_are_exact),             cmocka_unit_test(extreme_numbers),
        cmocka_unit_test(threshold_hides_smaller_moves),       cmocka_unit_test(parameters_stay_in_order),
        cmocka_unit_test(equal_results_are_empty),             cmocka_unit_test(deep_and_long_input_is_refused),
    };
    struct CMUnitTest rows[HV_ARRAY_LEN(refusals)];
    gtest_rows(rows, refused_in_one_sentence, refusals, sizeof(refusals[0]), HV_ARRAY_LEN(refusals));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("ResultDiff", differences),
        GTEST_SUITE("ResultFile", rows),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
