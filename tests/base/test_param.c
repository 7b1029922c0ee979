/* SPDX-License-Identifier: MIT */
/* Parameters: defaults, values at both ends of every range, and every refusal with its exact sentence. */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample_schema.h"

static bool load(struct sample *params, const char *yaml, struct hv_err *err)
{
    struct conf_doc doc;
    memset(params, 0, sizeof(*params));
    params_defaults(&sample_schema, params);
    if (!conf_read_buffer(&doc, "f.yaml", yaml, strlen(yaml), err)) {
        return false;
    }
    bool ok = params_load_map(&sample_schema, params, &doc, &doc.root, err);
    conf_fini(&doc);
    return ok;
}

static void mounts_override_the_rows_defaults(void **state)
{
    (void)state;
    struct sample p;
    memset(&p, 0xff, sizeof(p));
    params_defaults(&sample_schema, &p);
    assert_int_equal(p.l1.entries, 64);
    assert_int_equal(p.l1.ways, 4);
    assert_int_equal(p.l1.sizes, 1);
    assert_int_equal(p.l2.entries, 1536);
    assert_int_equal(p.l2.ways, 12);
    assert_int_equal(p.l2.sizes, 3);
    assert_int_equal(p.core.model, 0);
    assert_true(p.core.tagged);
    assert_int_equal(p.core.memory, HV_GIB(4));
    assert_true(p.core.theta == 0.99);
    assert_int_equal(p.core.ports, 0);
    assert_string_equal(p.core.trace, "");
}

struct names {
    char text[1024];
    size_t limit;
};

static bool note_name(void *ctx, const struct param_ref *ref)
{
    struct names *names = ctx;
    strcat(names->text, ref->name);
    strcat(names->text, " ");
    return --names->limit > 0;
}

static void each_goes_in_table_order_and_stops(void **state)
{
    (void)state;
    struct names names = { "", 100 };
    params_each(&sample_schema, note_name, &names);
    assert_string_equal(names.text, "tlb.l1.entries tlb.l1.ways tlb.l1.sizes core.model core.tagged core.memory "
                                    "core.theta core.seed core.ports core.trace tlb.l2.entries tlb.l2.ways "
                                    "tlb.l2.sizes ");
    struct names two = { "", 2 };
    params_each(&sample_schema, note_name, &two);
    assert_string_equal(two.text, "tlb.l1.entries tlb.l1.ways ");
}

static void find_knows_whole_names_only(void **state)
{
    (void)state;
    struct param_ref ref;
    assert_true(params_find(&sample_schema, "tlb.l2.ways", &ref));
    assert_string_equal(ref.name, "tlb.l2.ways");
    assert_string_equal(ref.mount->prefix, "tlb.l2");
    assert_int_equal(ref.index, 11);
    static const char *const unknown[] = { "", "tlb", "tlb.l2", "tlb.l2.", "ways", "tlb.l2.way", "tlb.l2.ways.x" };
    for (size_t i = 0; i < HV_ARRAY_LEN(unknown); i++) {
        assert_false(params_find(&sample_schema, unknown[i], &ref));
    }
}

/* A mount with an empty prefix puts its names at the top. */
static void an_empty_prefix_adds_no_dot(void **state)
{
    (void)state;
    const struct param_mount mount = { "", 0, sample_tlb_rows, &(const size_t){ HV_ARRAY_LEN(sample_tlb_rows) }, NULL, "" };
    const struct param_schema schema = { &mount, 1 };
    struct sample_tlb tlb;
    struct hv_err err = { "" };
    params_defaults(&schema, &tlb);
    assert_true(params_set_option(&schema, &tlb, "entries=7", &err));
    assert_int_equal(tlb.entries, 7);
}

static void nested_dotted_and_mixed_keys_are_the_same(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "tlb:\n  l2:\n    entries: 5\n    sizes: [4k, 1g]\n",
        "tlb.l2.entries: 5\ntlb.l2.sizes: [4k, 1g]\n",
        "tlb:\n  l2.entries: 5\ntlb.l2:\n  sizes: [1g, 4k]\n",
        "tlb.l2: {entries: \"5\", sizes: '[ 4k , 1g ]'}\n",
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(spellings); i++) {
        struct sample p;
        struct hv_err err = { "" };
        assert_true(load(&p, spellings[i], &err));
        assert_int_equal(p.l2.entries, 5);
        assert_int_equal(p.l2.sizes, 5);
        assert_int_equal(p.l2.ways, 12);
        assert_int_equal(p.l1.entries, 64);
    }
}

/* A value that --set takes, and how it is written back. */
struct value_row {
    const char *name; /* of the test */
    const char *parameter;
    const char *text;
    const char *written;
};

static const struct value_row values[] = {
    { "count_low", "tlb.l2.entries", "0", "0" },
    { "count_high", "tlb.l2.entries", "1048576", "1048576" },
    { "count_exponent", "tlb.l2.entries", "2.5e3", "2500" },
    { "count_64_bits", "core.seed", "18446744073709551615", "18446744073709551615" },
    { "ways_low", "tlb.l2.ways", "1", "1" },
    { "ways_high", "tlb.l2.ways", "1024", "1024" },
    { "ways_full", "tlb.l2.ways", "full", "full" },
    { "size_low", "core.memory", "4096", "4KiB" },
    { "size_high", "core.memory", "1TiB", "1TiB" },
    { "size_odd", "core.memory", "4097", "4097" },
    { "real_low", "core.theta", "-8", "-8" },
    { "real_high", "core.theta", "8.0", "8" },
    { "real_third", "core.theta", "0.3333333333333333", "0.3333333333333333" },
    { "enum_last", "core.model", "window", "window" },
    { "bool_false", "core.tagged", "false", "false" },
    { "set_of_one", "tlb.l2.sizes", "1g", "[1g]" },
    { "set_in_order_of_table", "tlb.l2.sizes", "[1g, 4k]", "[4k, 1g]" },
    { "set_empty", "core.ports", "[]", "[]" },
    { "text", "core.trace", "a=b: \"c\" \\ #d", "a=b: \"c\" \\ #d" },
    { "text_empty", "core.trace", "", "" },
};

static void accepted(void **state)
{
    const struct value_row *row = *state;
    struct sample p;
    struct hv_err err = { "" };
    struct param_ref ref;
    char option[512], written[512];
    params_defaults(&sample_schema, &p);
    snprintf(option, sizeof(option), "%s=%s", row->parameter, row->text);
    assert_true(params_set_option(&sample_schema, &p, option, &err));
    assert_true(params_find(&sample_schema, row->parameter, &ref));
    params_format(&ref, &p, written, sizeof(written));
    assert_string_equal(written, row->written);
}

struct refusal {
    const char *name; /* of the test */
    const char *text;
    const char *sentence;
};

#define ENTRIES "it takes a whole number from 0 to 1048576 entries"
#define SIZES "it takes a list, such as [4k], of 4k, 2m, 1g"
#define MEMORY "it takes a size from 4KiB to 1TiB, such as 4096, 64KiB or 2M"

static const struct refusal option_refusals[] = {
    { "no_equals", "tlb.l2.entries", "--set: \"tlb.l2.entries\" has no \"=\"; write KEY=VALUE, such as core.width=4" },
    { "misspelt", "tlb.l2.entires=5", "--set: unknown parameter \"tlb.l2.entires\"; did you mean \"tlb.l2.entries\"?" },
    { "wrong_instance", "tlb.l3.ways=5", "--set: unknown parameter \"tlb.l3.ways\"; did you mean \"tlb.l1.ways\"?" },
    { "prefix_forgotten", "tagged=true", "--set: unknown parameter \"tagged\"; did you mean \"core.tagged\"?" },
    { "prefix_wrong", "cpu.modle=window", "--set: unknown parameter \"cpu.modle\"; did you mean \"core.model\"?" },
    { "nothing_near", "frobnicate=1",
      "--set: unknown parameter \"frobnicate\"; see hvsim params for the known ones" },
    { "empty_name", "=1", "--set: unknown parameter \"\"; see hvsim params for the known ones" },
    { "group", "tlb.l2=5",
      "--set: \"tlb.l2\" is a group of parameters and has no value of its own; name one, such as \"tlb.l2.entries\"" },
    { "count_malformed", "tlb.l2.entries=12x", "--set: tlb.l2.entries: \"12x\" is not a whole number; " ENTRIES },
    { "count_fraction", "tlb.l2.entries=2.5", "--set: tlb.l2.entries: \"2.5\" is not a whole number; " ENTRIES },
    { "count_unit", "tlb.l2.entries=1K", "--set: tlb.l2.entries: \"1K\" is not a whole number; " ENTRIES },
    { "count_above", "tlb.l2.entries=1048577", "--set: tlb.l2.entries: \"1048577\" is out of range; " ENTRIES },
    { "count_negative", "tlb.l2.entries=-1", "--set: tlb.l2.entries: \"-1\" is out of range; " ENTRIES },
    { "count_huge", "tlb.l2.entries=1e30", "--set: tlb.l2.entries: \"1e30\" is out of range; " ENTRIES },
    { "count_empty", "tlb.l2.entries=", "--set: tlb.l2.entries has no value; " ENTRIES },
    { "count_64_bits", "core.seed=0x10000000000000000",
      "--set: core.seed: \"0x10000000000000000\" is out of range; it takes a whole number from 0 to "
      "18446744073709551615" },
    { "ways_below", "tlb.l2.ways=0",
      "--set: tlb.l2.ways: \"0\" is out of range; it takes full or a whole number from 1 to 1024 ways" },
    { "ways_above", "tlb.l2.ways=1025",
      "--set: tlb.l2.ways: \"1025\" is out of range; it takes full or a whole number from 1 to 1024 ways" },
    { "ways_word", "tlb.l2.ways=Full",
      "--set: tlb.l2.ways: \"Full\" is not a whole number; it takes full or a whole number from 1 to 1024 ways" },
    { "size_below", "core.memory=4095", "--set: core.memory: \"4095\" is out of range; " MEMORY },
    { "size_above", "core.memory=1025G", "--set: core.memory: \"1025G\" is out of range; " MEMORY },
    { "size_unit", "core.memory=4Q", "--set: core.memory: \"4Q\" is not a size; " MEMORY },
    { "real_below", "core.theta=-8.5", "--set: core.theta: \"-8.5\" is out of range; it takes a number from -8 to 8" },
    { "real_above", "core.theta=8.001",
      "--set: core.theta: \"8.001\" is out of range; it takes a number from -8 to 8" },
    { "real_nan", "core.theta=nan", "--set: core.theta: \"nan\" is not a number; it takes a number from -8 to 8" },
    { "enum", "core.model=windw",
      "--set: core.model: \"windw\" is not a known name; it takes one of inorder, window; did you mean \"window\"?" },
    { "enum_far", "core.model=x", "--set: core.model: \"x\" is not a known name; it takes one of inorder, window" },
    { "bool", "core.tagged=ture",
      "--set: core.tagged: \"ture\" is neither true nor false; it takes true or false; did you mean \"true\"?" },
    { "bool_number", "core.tagged=1",
      "--set: core.tagged: \"1\" is neither true nor false; it takes true or false" },
    { "set_unknown", "tlb.l2.sizes=[4k, 5m]",
      "--set: tlb.l2.sizes: \"5m\" is not a known name; " SIZES "; did you mean \"2m\"?" },
    { "set_open", "tlb.l2.sizes=[4k", "--set: tlb.l2.sizes: \"[4k\" is not a list; " SIZES },
    { "set_hole", "tlb.l2.sizes=[4k,,2m]", "--set: tlb.l2.sizes has no value; " SIZES },
    { "set_empty", "tlb.l2.sizes=[]", "--set: tlb.l2.sizes: \"[]\" is empty; " SIZES },
    { "text_control", "core.trace=a\tb",
      "--set: core.trace: \"a b\" is not printable; it takes printable text of at most 1023 bytes" },
    { "text_half_a_character", "core.trace=\xc3",
      "--set: core.trace: \"\xc3\" is not printable; it takes printable text of at most 1023 bytes" },
    { "text_overlong", "core.trace=\xc0\xaf",
      "--set: core.trace: \"\xc0\xaf\" is not printable; it takes printable text of at most 1023 bytes" },
    { "text_surrogate", "core.trace=\xed\xa0\x80",
      "--set: core.trace: \"\xed\xa0\x80\" is not printable; it takes printable text of at most 1023 bytes" },
    { "text_not_utf8", "core.trace=a\xff",
      "--set: core.trace: \"a\xff\" is not printable; it takes printable text of at most 1023 bytes" },
};

static void option_refused(void **state)
{
    const struct refusal *row = *state;
    struct sample p, before;
    struct hv_err err = { "" };
    memset(&p, 0, sizeof(p));
    params_defaults(&sample_schema, &p);
    before = p;
    assert_false(params_set_option(&sample_schema, &p, row->text, &err));
    assert_string_equal(err.text, row->sentence);
    assert_memory_equal(&p, &before, sizeof(p));
}

static const struct refusal file_refusals[] = {
    { "misspelt", "core:\n  model: window\ntlb:\n  l2:\n    entires: 5\n",
      "f.yaml:5:5: unknown parameter \"tlb.l2.entires\"; did you mean \"tlb.l2.entries\"?" },
    { "misspelt_group", "core: {tagged: true}\ntbl:\n  l2: {entries: 1}\n",
      "f.yaml:2:1: unknown group of parameters \"tbl\"; did you mean \"tlb\"?" },
    { "misspelt_inner_group", "tlb:\n  ll2: {entries: 1}\n",
      "f.yaml:2:3: unknown group of parameters \"tlb.ll2\"; did you mean \"tlb.l2\"?" },
    { "unknown_group", "frobnicate: {a: 1}\n",
      "f.yaml:1:1: unknown group of parameters \"frobnicate\"; see hvsim params for the known ones" },
    { "scalar_for_group", "tlb:\n  l2: 5\n",
      "f.yaml:2:3: \"tlb.l2\" is a group of parameters and has no value of its own; name one, such as "
      "\"tlb.l2.entries\"" },
    { "list_for_group", "tlb: [1]\n",
      "f.yaml:1:1: \"tlb\" is a group of parameters and has no value of its own; name one, such as "
      "\"tlb.l1.entries\"" },
    { "map_for_scalar", "tlb.l2.entries: {a: 1}\n",
      "f.yaml:1:17: tlb.l2.entries takes a whole number from 0 to 1048576 entries, not a map" },
    { "empty_map_for_scalar", "tlb.l2.entries: {}\n",
      "f.yaml:1:17: tlb.l2.entries takes a whole number from 0 to 1048576 entries, not a map" },
    { "list_for_scalar", "tlb.l2.entries: [1, 2]\n",
      "f.yaml:1:17: tlb.l2.entries takes a whole number from 0 to 1048576 entries, not a list" },
    { "list_in_set", "tlb.l2.sizes: [4k, [2m]]\n",
      "f.yaml:1:20: tlb.l2.sizes takes a list, such as [4k], of 4k, 2m, 1g, not a list" },
    { "bad_value", "tlb:\n  l2:\n    entries: 1e9\n",
      "f.yaml:3:14: tlb.l2.entries: \"1e9\" is out of range; " ENTRIES },
    { "bad_set_item", "tlb.l2.sizes:\n  - 4k\n  - 3m\n",
      "f.yaml:3:5: tlb.l2.sizes: \"3m\" is not a known name; " SIZES "; did you mean \"2m\"?" },
    { "empty_set", "tlb.l2.sizes: []\n", "f.yaml:1:15: tlb.l2.sizes: \"[]\" is empty; " SIZES },
    { "empty_value", "tlb:\n  l2:\n    entries:\n", "f.yaml:3:5: tlb.l2.entries has no value; " ENTRIES },
    { "empty_text", "core:\n  trace:   # later\n",
      "f.yaml:2:3: core.trace has no value; it takes printable text of at most 1023 bytes" },
    { "twice_by_two_spellings", "tlb.l2.entries: 5\ntlb:\n  l2:\n    entries: 6\n",
      "f.yaml:4:5: parameter \"tlb.l2.entries\" is given twice, first at line 1" },
    { "twice_by_group_spelling", "tlb:\n  l2: {entries: 5}\ntlb.l2:\n  entries: 6\n",
      "f.yaml:4:3: parameter \"tlb.l2.entries\" is given twice, first at line 2" },
    { "twice_the_same", "core:\n  seed: 1\n  seed: 2\n", "f.yaml:3:3: key \"seed\" is given twice, first at line 2" },
};

static void file_refused(void **state)
{
    const struct refusal *row = *state;
    struct sample p;
    struct hv_err err = { "" };
    assert_false(load(&p, row->text, &err));
    assert_string_equal(err.text, row->sentence);
}

static void text_holds_1023_bytes(void **state)
{
    (void)state;
    char option[2048] = "core.trace=";
    struct sample p;
    struct hv_err err = { "" };
    params_defaults(&sample_schema, &p);
    size_t prefix = strlen(option);
    memset(option + prefix, 'x', 1023);
    assert_true(params_set_option(&sample_schema, &p, option, &err));
    assert_int_equal(strlen(p.core.trace), 1023);
    option[prefix + 1023] = 'x';
    assert_false(params_set_option(&sample_schema, &p, option, &err));
    assert_non_null(strstr(err.text, "is too long; it takes printable text of at most 1023 bytes"));
}

/* However long a key, the message stays one sentence, and no prefix of the key is taken for the whole. */
static void long_names_are_unknown(void **state)
{
    (void)state;
    char option[5000] = "tlb.l2.entries";
    struct sample p;
    struct hv_err err = { "" };
    params_defaults(&sample_schema, &p);
    memset(option + strlen(option), 's', sizeof(option) - strlen(option) - 1);
    memcpy(option + sizeof(option) - 3, "=5", 3);
    assert_false(params_set_option(&sample_schema, &p, option, &err));
    assert_int_equal(strncmp(err.text, "--set: unknown parameter \"tlb.l2.entriessss", 43), 0);
    assert_true(strlen(err.text) < 300);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct sample p;
    struct hv_err err = { "" };
    assert_false(params_load(&sample_schema, &p, "/no/such.yaml", &err));
    assert_string_equal(err.text, "cannot read /no/such.yaml: No such file or directory");
}

static void a_file_is_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/test_param_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "core.seed: 9\n", 13), 13);
    close(descriptor);
    struct sample p;
    struct hv_err err = { "" };
    params_defaults(&sample_schema, &p);
    bool ok = params_load(&sample_schema, &p, path, &err);
    unlink(path);
    assert_true(ok);
    assert_int_equal(p.core.seed, 9);
}

/* Takes the defaults of a schema in a child; returns its exit code. */
static int exit_code_of_defaults(const struct param_mount *mounts, size_t count)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        const struct param_schema schema = { mounts, count };
        struct sample_tlb tlb;
        params_defaults(&schema, &tlb);
        _Exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void mistakes_in_the_tables_are_bugs(void **state)
{
    (void)state;
    const struct param_mount good = { "a", 0, sample_tlb_rows, &(const size_t){ HV_ARRAY_LEN(sample_tlb_rows) }, " ways=full ", NULL };
    struct param_mount out_of_range = good, unknown_row = good, no_equals = good;
    out_of_range.defaults = "ways=0";
    unknown_row.defaults = "entries=1 way=2";
    no_equals.defaults = "entries";
    assert_int_equal(exit_code_of_defaults(&good, 1), 0);
    assert_int_equal(exit_code_of_defaults(&out_of_range, 1), HV_EXIT_BUG);
    assert_int_equal(exit_code_of_defaults(&unknown_row, 1), HV_EXIT_BUG);
    assert_int_equal(exit_code_of_defaults(&no_equals, 1), HV_EXIT_BUG);
    assert_int_equal(exit_code_of_defaults((const struct param_mount[]){ good, good }, 2), HV_EXIT_BUG);
}

static void the_nearest_name_is_near(void **state)
{
    (void)state;
    static const char *const names[] = { "sequential", "stride", "uniform", "zipf", "chase" };
    static const struct {
        const char *text, *nearest;
    } rows[] = {
        { "uniform", "uniform" }, { "unifrom", "uniform" },        { "zip", "zipf" },   { "sequental", "sequential" },
        { "strides", "stride" },  { "chsae", "chase" },            { "", NULL },        { "x", NULL },
        { "random", NULL },       { "completely different", NULL },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        const char *nearest = nearest_name(rows[i].text, names, HV_ARRAY_LEN(names));
        if (rows[i].nearest == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, rows[i].nearest);
        }
    }
    char long_text[1000];
    memset(long_text, 'z', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_null(nearest_name(long_text, names, HV_ARRAY_LEN(names)));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(mounts_override_the_rows_defaults),
        cmocka_unit_test(each_goes_in_table_order_and_stops),
        cmocka_unit_test(find_knows_whole_names_only),
        cmocka_unit_test(an_empty_prefix_adds_no_dot),
        cmocka_unit_test(nested_dotted_and_mixed_keys_are_the_same),
        cmocka_unit_test(text_holds_1023_bytes),
        cmocka_unit_test(long_names_are_unknown),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_file_is_loaded),
        cmocka_unit_test(mistakes_in_the_tables_are_bugs),
        cmocka_unit_test(the_nearest_name_is_near),
    };
    struct CMUnitTest accepts[HV_ARRAY_LEN(values)], options[HV_ARRAY_LEN(option_refusals)];
    struct CMUnitTest files[HV_ARRAY_LEN(file_refusals)];
    gtest_rows(accepts, accepted, values, sizeof(values[0]), HV_ARRAY_LEN(values));
    gtest_rows(options, option_refused, option_refusals, sizeof(option_refusals[0]), HV_ARRAY_LEN(option_refusals));
    gtest_rows(files, file_refused, file_refusals, sizeof(file_refusals[0]), HV_ARRAY_LEN(file_refusals));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("Param", plain),
        GTEST_SUITE("ParamAccepts", accepts),
        GTEST_SUITE("ParamOptionRefuses", options),
        GTEST_SUITE("ParamFileRefuses", files),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
