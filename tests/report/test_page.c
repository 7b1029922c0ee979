/* SPDX-License-Identifier: MIT */
/* The page around the data: nothing that the data hold can get out of it, and the data come out as they went in. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "report/base64.h"
#include "report/page.h"

/* The text of a page of these data; to be freed. */
static char *page_of(const json_t *data)
{
    static const char *const scripts[] = {"'the script @DATA@';\n", NULL};
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    page_write(data, scripts, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

/* What stands in the data element, parsed; the text is cut there. */
static json_t *data_of(char *text)
{
    static const char begin[] = "<script type=\"application/json\" id=\"data\">";
    char *from = strstr(text, begin);
    assert_non_null(from);
    from += strlen(begin);
    char *to = strstr(from, "</script>");
    assert_non_null(to);
    *to = '\0';
    assert_null(strpbrk(from, "<>&"));
    json_error_t error;
    json_t *data = json_loads(from, 0, &error);
    if (data == NULL) {
        fail_msg("%s", error.text);
    }
    return data;
}

static void hostile_text_stays_in_its_place(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "</script><script>alert(1)</script>", "<!--<script>", "]]>", "\"'&lt;`${}", "@DATA@ @TITLE@", "\\u003c \\ /",
        "</title></style>", "\xe2\x80\xae\xc3\xa9",
    };
    json_t *data = json_pack("{s:s}", "title", "</title><script>\"&@STYLE@");
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        assert_int_equal(json_object_set_new(data, hostile[i], json_string(hostile[i])), 0);
    }
    char *text = page_of(data);
    assert_int_equal(count_of(text, "<script"), 2); /* the data and the scripts */
    assert_int_equal(count_of(text, "</script"), 2);
    assert_int_equal(count_of(text, "</title"), 1);
    assert_int_equal(count_of(text, "<title>&lt;/title&gt;&lt;script&gt;&quot;&amp;@STYLE@</title>"), 1);
    assert_int_equal(count_of(text, "'the script @DATA@';"), 1); /* a script is not searched for parts */
    json_t *back = data_of(text);
    assert_true(json_equal(back, data));
    json_decref(back);
    json_decref(data);
    free(text);
}

/* A real number keeps the fifteen digits that results have, a whole one all of its 63 bits. */
static void numbers_survive(void **state)
{
    (void)state;
    json_t *data = json_pack("{s:s, s:f, s:I, s:n}", "title", "t", "real", 0.123456789012345, "whole",
                             (json_int_t)INT64_MAX, "nothing");
    char *text = page_of(data);
    json_t *back = data_of(text);
    assert_true(json_equal(back, data));
    json_decref(back);
    json_decref(data);
    free(text);
}

static void nothing_is_fetched(void **state)
{
    (void)state;
    static const char *const outside[] = {"http:", "https:", "//cdn", "@import", "url(", " src=", "<link", "<iframe"};
    json_t *data = json_pack("{s:s}", "title", "t");
    char *text = page_of(data);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        assert_int_equal(count_of(text, outside[i]), 0);
    }
    json_decref(data);
    free(text);
}

static void text_that_is_none_is_replaced(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        {"plain.svg", "plain.svg"}, {"\xc3\xa9", "\xc3\xa9"}, {"a\nb", "a?b"}, {"\xff\xc3\xa9", "???"}, {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = page_text(cases[i].in);
        assert_string_equal(json_string_value(json), cases[i].out);
        json_decref(json);
    }
}

/* The examples of RFC 4648, section 10, and bytes that text has not. */
static void base64_is_that_of_the_standard(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = base64_to_json(cases[i].in, strlen(cases[i].in));
        assert_string_equal(json_string_value(json), cases[i].out);
        json_decref(json);
    }
}

GTEST_MAIN("Page", cmocka_unit_test(hostile_text_stays_in_its_place), cmocka_unit_test(numbers_survive),
           cmocka_unit_test(nothing_is_fetched), cmocka_unit_test(text_that_is_none_is_replaced),
           cmocka_unit_test(base64_is_that_of_the_standard))
