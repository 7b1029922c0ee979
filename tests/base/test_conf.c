/* SPDX-License-Identifier: MIT */
/* The YAML reader: the tree with its places, and every refusal with its exact sentence. */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/types.h"

static bool read_text(struct conf_doc *doc, const char *text, struct hv_err *err)
{
    return conf_read_buffer(doc, "f.yaml", text, strlen(text), err);
}

static void assert_place(const struct hv_where where, unsigned line, unsigned column)
{
    assert_string_equal(where.file, "f.yaml");
    assert_int_equal(where.line, line);
    assert_int_equal(where.column, column);
}

static void the_tree_remembers_places(void **state)
{
    (void)state;
    struct conf_doc doc;
    struct hv_err err = { "" };
    assert_true(read_text(&doc, "# comment\na: 1\nb:\n  c: [x, 'y z']\n  d.e: \"\"\nf:\n", &err));
    assert_int_equal(doc.root.kind, CONF_MAP);
    assert_int_equal(doc.root.count, 3);
    const struct conf_node *a = conf_get(&doc.root, "a"), *b = conf_get(&doc.root, "b");
    const struct conf_node *c = conf_get(b, "c"), *d = conf_get(b, "d.e"), *f = conf_get(&doc.root, "f");
    assert_string_equal(a->text, "1");
    assert_false(a->quoted);
    assert_place(conf_where(&doc, a), 2, 1);
    assert_place(conf_where_value(&doc, a), 2, 4);
    assert_int_equal(c->kind, CONF_LIST);
    assert_int_equal(c->count, 2);
    assert_string_equal(c->children[1].text, "y z");
    assert_null(c->children[1].key);
    assert_place(conf_where(&doc, c), 4, 3);
    assert_place(conf_where(&doc, &c->children[1]), 4, 10);
    assert_true(d->quoted);
    assert_string_equal(d->text, "");
    assert_false(f->quoted);
    assert_string_equal(f->text, "");
    assert_null(conf_get(&doc.root, "c"));
    assert_null(conf_get(a, "a"));
    conf_fini(&doc);
    assert_null(doc.memory);
}

static void columns_count_characters_not_bytes(void **state)
{
    (void)state;
    struct conf_doc doc;
    struct hv_err err = { "" };
    assert_true(read_text(&doc, "{\xc3\xa9: 1, b: 2}", &err));
    assert_place(conf_where(&doc, conf_get(&doc.root, "b")), 1, 8);
    conf_fini(&doc);
}

struct refusal {
    const char *name; /* of the test */
    const char *text;
    const char *sentence;
};

static const struct refusal refusals[] = {
    { "empty", "", "f.yaml:1:1: no key in this file; write at least one line \"key: value\"" },
    { "comments_only", "# nothing\n", "f.yaml:1:1: no key in this file; write at least one line \"key: value\"" },
    { "empty_map", "{}", "f.yaml:1:1: no key in this file; write at least one line \"key: value\"" },
    { "empty_document", "---\n", "f.yaml:1:1: no key in this file; write at least one line \"key: value\"" },
    { "lone_value", "\nhello", "f.yaml:2:1: a lone value is not a configuration; write lines \"key: value\"" },
    { "list", "- a\n", "f.yaml:1:1: a list is not a configuration; write lines \"key: value\"" },
    { "tab", "a:\n\tb: 1\n", "f.yaml:2:1: a tab is used for indentation; YAML allows spaces only" },
    { "tab_after_spaces", "a:\n  b: 1\n  \tc: 1\n",
      "f.yaml:3:3: a tab is used for indentation; YAML allows spaces only" },
    { "tab_after_wide_characters", "# \xc3\xa9\xe2\x82\xac\na:\n\tb: 1\n",
      "f.yaml:3:1: a tab is used for indentation; YAML allows spaces only" },
    { "anchor", "a: &x 1\n", "f.yaml:1:4: anchors are not accepted (&x); write the value out" },
    { "anchor_on_map", "a: &x\n  b: 1\n", "f.yaml:1:4: anchors are not accepted (&x); write the value out" },
    { "anchor_on_list", "a: &x [1]\n", "f.yaml:1:4: anchors are not accepted (&x); write the value out" },
    { "anchor_on_key", "&x a: 1\n", "f.yaml:1:1: anchors are not accepted (&x); write the value out" },
    { "alias", "a: *x\n", "f.yaml:1:4: aliases are not accepted (*x); write the value out" },
    { "tag", "a: !foo 1\n", "f.yaml:1:4: tags are not accepted (!foo); write the value alone" },
    { "tag_on_map", "a: !!map {b: 1}\n",
      "f.yaml:1:4: tags are not accepted (tag:yaml.org,2002:map); write the value alone" },
    { "tag_on_list", "a: !l [b]\n", "f.yaml:1:4: tags are not accepted (!l); write the value alone" },
    { "duplicate", "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key \"a\" is given twice, first at line 1" },
    { "first_duplicate_of_two", "a: 1\nb: 2\nb: 3\na: 4\n", "f.yaml:3:1: key \"b\" is given twice, first at line 2" },
    { "thrice", "a: 1\na: 2\na: 3\n", "f.yaml:2:1: key \"a\" is given twice, first at line 1" },
    { "duplicate_inside", "a:\n  {b: 1, b: 2}\n", "f.yaml:2:10: key \"b\" is given twice, first at line 2" },
    { "duplicate_quoted", "a: 1\n\"a\": 2\n", "f.yaml:2:1: key \"a\" is given twice, first at line 1" },
    { "key_is_list", "? [a]\n: 1\n", "f.yaml:1:3: a key is a name, not a list" },
    { "key_is_map", "? {a: 1}\n: 1\n", "f.yaml:1:3: a key is a name, not a map" },
    { "key_is_empty", "a: 1\n\"\": 2\n", "f.yaml:2:1: a name is missing before \":\"" },
    { "nul", "a: \"x\\0y\"\n", "f.yaml:1:4: text cannot hold a NUL character" },
    { "two_documents", "a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document starts here; a file holds one" },
    { "broken_flow", "a: [1, 2\nb: 3\n",
      "f.yaml:2:2: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that starts at "
      "line 1" },
    { "colon_in_value", "a: b: c\n", "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context" },
    { "open_quote", "a: 'b\n",
      "f.yaml:2:1: not valid YAML: found unexpected end of stream while scanning a quoted scalar that starts at "
      "line 1" },
    { "not_utf8", "a: 1\nb: \xff\n", "f.yaml:2:4: not a text file in UTF-8: invalid leading UTF-8 octet" },
    { "control_character", "a: \xc3\xa9\x01\n",
      "f.yaml:1:5: not a text file in UTF-8: control characters are not allowed" },
};

static void refused(void **state)
{
    const struct refusal *row = *state;
    struct conf_doc doc;
    struct hv_err err = { "" };
    assert_false(read_text(&doc, row->text, &err));
    assert_string_equal(err.text, row->sentence);
    assert_null(doc.memory);
    conf_fini(&doc);
}

/* A map that nests `depth` levels in all: {a: {a: 1}} has 2. */
static bool read_nested(size_t depth, struct hv_err *err)
{
    char text[1024] = "";
    for (size_t i = 0; i < depth; i++) {
        strcat(text, "{a: ");
    }
    strcat(text, "1");
    for (size_t i = 0; i < depth; i++) {
        strcat(text, "}");
    }
    struct conf_doc doc;
    bool ok = read_text(&doc, text, err);
    conf_fini(&doc);
    return ok;
}

static void nesting_ends_at_32_levels(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    assert_true(read_nested(32, &err));
    assert_false(read_nested(33, &err));
    assert_string_equal(err.text, "f.yaml:1:129: nested more than 32 levels deep");
}

static void many_keys_are_quick(void **state)
{
    (void)state;
    enum { KEYS = 200000 };
    char *text = malloc(KEYS * 16);
    assert_non_null(text);
    size_t used = 0;
    for (int i = 0; i < KEYS; i++) {
        used += (size_t)sprintf(text + used, "k%d: 1\n", i);
    }
    struct conf_doc doc;
    struct hv_err err = { "" };
    assert_true(conf_read_buffer(&doc, "f.yaml", text, used, &err));
    assert_int_equal(doc.root.count, KEYS);
    conf_fini(&doc);
    used += (size_t)sprintf(text + used, "k77: 2\n");
    assert_false(conf_read_buffer(&doc, "f.yaml", text, used, &err));
    assert_string_equal(err.text, "f.yaml:200001:1: key \"k77\" is given twice, first at line 78");
    free(text);
}

/* Writes a file of one key and a comment, `size` bytes in all, and reads it. */
static bool read_file_of(size_t size, struct hv_err *err)
{
    char path[] = "/tmp/test_conf_XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '#', size);
    memcpy(text, "a: 1\n", 5);
    assert_int_equal(write(descriptor, text, size), size);
    close(descriptor);
    free(text);
    struct conf_doc doc;
    bool ok = conf_read(&doc, path, err);
    if (ok) {
        assert_string_equal(doc.file, path);
        assert_string_equal(conf_get(&doc.root, "a")->text, "1");
    }
    conf_fini(&doc);
    unlink(path);
    return ok;
}

static void files_end_at_16_mib(void **state)
{
    (void)state;
    struct hv_err err = { "" };
    assert_true(read_file_of(100, &err));
    assert_true(read_file_of(HV_MIB(16), &err));
    assert_false(read_file_of(HV_MIB(16) + 1, &err));
    assert_non_null(strstr(err.text, ": a configuration is at most 16 MiB long, and this file is longer"));
}

static void unreadable_files(void **state)
{
    (void)state;
    struct conf_doc doc;
    struct hv_err missing = { "" }, directory = { "" };
    assert_false(conf_read(&doc, "/no/such/file.yaml", &missing));
    assert_string_equal(missing.text, "cannot read /no/such/file.yaml: No such file or directory");
    assert_false(conf_read(&doc, "/", &directory));
    assert_string_equal(directory.text, "cannot read /: Is a directory");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(the_tree_remembers_places), cmocka_unit_test(columns_count_characters_not_bytes),
        cmocka_unit_test(nesting_ends_at_32_levels), cmocka_unit_test(many_keys_are_quick),
        cmocka_unit_test(files_end_at_16_mib),       cmocka_unit_test(unreadable_files),
    };
    struct CMUnitTest rows[HV_ARRAY_LEN(refusals)];
    gtest_rows(rows, refused, refusals, sizeof(refusals[0]), HV_ARRAY_LEN(refusals));
    const struct gtest_suite suites[] = { GTEST_SUITE("Conf", plain), GTEST_SUITE("ConfRefuses", rows) };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
