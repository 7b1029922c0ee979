/* SPDX-License-Identifier: MIT */
/* Numbers as users write them: every form, both ends of the range, and what is no number. */
#include "gtest.h"

#include <float.h>
#include <locale.h>
#include <string.h>

#include "base/number.h"
#include "base/rng.h"
#include "base/types.h"

struct whole_row {
    const char *text;
    enum number_result result;
    uint64_t value;
};

static const struct whole_row count_rows[] = {
    { "0", NUMBER_OK, 0 },
    { "1536", NUMBER_OK, 1536 },
    { "1_000_000", NUMBER_OK, 1000000 },
    { "1e6", NUMBER_OK, 1000000 },
    { "1E+6", NUMBER_OK, 1000000 },
    { "2.5e3", NUMBER_OK, 2500 },
    { "2.500", NUMBER_MALFORMED, 0 },
    { "250.00", NUMBER_OK, 250 },
    { "0.001e3", NUMBER_OK, 1 },
    { "1500e-2", NUMBER_OK, 15 },
    { "1e-1", NUMBER_MALFORMED, 0 },
    { "0e9999", NUMBER_OK, 0 },
    { "0x10", NUMBER_OK, 16 },
    { "0XfF_00", NUMBER_OK, 0xff00 },
    { "18446744073709551615", NUMBER_OK, UINT64_MAX },
    { "0xffffffffffffffff", NUMBER_OK, UINT64_MAX },
    { "18446744073709551616", NUMBER_OUT_OF_RANGE, 0 },
    { "0x10000000000000000", NUMBER_OUT_OF_RANGE, 0 },
    { "1e20", NUMBER_OUT_OF_RANGE, 0 },
    { "1e99999999999999999999", NUMBER_OUT_OF_RANGE, 0 },
    { "100000000000000000000000", NUMBER_OUT_OF_RANGE, 0 },
    { "99999999999999999999999.5", NUMBER_OUT_OF_RANGE, 0 },
    { "-5", NUMBER_OUT_OF_RANGE, 0 },
    { "-0", NUMBER_OK, 0 },
    { "", NUMBER_MALFORMED, 0 },
    { "-", NUMBER_MALFORMED, 0 },
    { ".", NUMBER_MALFORMED, 0 },
    { "e6", NUMBER_MALFORMED, 0 },
    { "1e", NUMBER_MALFORMED, 0 },
    { "1e+", NUMBER_MALFORMED, 0 },
    { "0x", NUMBER_MALFORMED, 0 },
    { "0x1g", NUMBER_MALFORMED, 0 },
    { "_1", NUMBER_MALFORMED, 0 },
    { "1_", NUMBER_MALFORMED, 0 },
    { "1__0", NUMBER_MALFORMED, 0 },
    { "0x_1", NUMBER_MALFORMED, 0 },
    { "0x1_", NUMBER_MALFORMED, 0 },
    { "1 000", NUMBER_MALFORMED, 0 },
    { "1,000", NUMBER_MALFORMED, 0 },
    { "1M", NUMBER_MALFORMED, 0 },
    { "1B", NUMBER_MALFORMED, 0 },
    { "nan", NUMBER_MALFORMED, 0 },
};

static const struct whole_row size_rows[] = {
    { "4096", NUMBER_OK, 4096 },
    { "4096B", NUMBER_OK, 4096 },
    { "64KiB", NUMBER_OK, HV_KIB(64) },
    { "64K", NUMBER_OK, HV_KIB(64) },
    { "64KB", NUMBER_OK, HV_KIB(64) },
    { "64k", NUMBER_OK, HV_KIB(64) },
    { "2M", NUMBER_OK, HV_MIB(2) },
    { "2MiB", NUMBER_OK, HV_MIB(2) },
    { "4G", NUMBER_OK, HV_GIB(4) },
    { "1.5G", NUMBER_OK, HV_GIB(1) + HV_MIB(512) },
    { "16TiB", NUMBER_OK, HV_GIB(16384) },
    { "1e3K", NUMBER_OK, 1024000 },
    { "0x1000", NUMBER_OK, 4096 },
    { "16777215T", NUMBER_OK, UINT64_C(16777215) << 40 },
    { "16777216T", NUMBER_OUT_OF_RANGE, 0 },
    { "-1K", NUMBER_OUT_OF_RANGE, 0 },
    { "0.3K", NUMBER_MALFORMED, 0 },
    { "64 KiB", NUMBER_MALFORMED, 0 },
    { "64Ki", NUMBER_MALFORMED, 0 },
    { "64KiBs", NUMBER_MALFORMED, 0 },
    { "64X", NUMBER_MALFORMED, 0 },
    { "K", NUMBER_MALFORMED, 0 },
    { "", NUMBER_MALFORMED, 0 },
};

typedef enum number_result parse_whole_t(const char *text, uint64_t *value);

static void check_whole(parse_whole_t *parse, const struct whole_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        print_message("%s\n", rows[i].text);
        assert_int_equal(parse(rows[i].text, &value), rows[i].result);
        assert_int_equal(value, rows[i].value);
    }
}

static void counts(void **state)
{
    (void)state;
    check_whole(number_parse_count, count_rows, HV_ARRAY_LEN(count_rows));
}

static void sizes(void **state)
{
    (void)state;
    check_whole(number_parse_size, size_rows, HV_ARRAY_LEN(size_rows));
}

static void reals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum number_result result;
        double value;
    } rows[] = {
        { "0.99", NUMBER_OK, 0.99 },        { "-1.5e-3", NUMBER_OK, -0.0015 },   { "+2", NUMBER_OK, 2 },
        { "1_000.5", NUMBER_OK, 1000.5 },   { ".5", NUMBER_OK, 0.5 },            { "5.", NUMBER_OK, 5 },
        { "1e308", NUMBER_OK, 1e308 },      { "1e309", NUMBER_OUT_OF_RANGE, 0 }, { "-1e999", NUMBER_OUT_OF_RANGE, 0 },
        { "1e-999", NUMBER_OK, 0 },         { "nan", NUMBER_MALFORMED, 0 },      { "inf", NUMBER_MALFORMED, 0 },
        { "0x1p3", NUMBER_MALFORMED, 0 },   { "1,5", NUMBER_MALFORMED, 0 },      { "1.2.3", NUMBER_MALFORMED, 0 },
        { "", NUMBER_MALFORMED, 0 },        { "--1", NUMBER_MALFORMED, 0 },      { "1 ", NUMBER_MALFORMED, 0 },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        double value = 0;
        print_message("%s\n", rows[i].text);
        assert_int_equal(number_parse_real(rows[i].text, &value), rows[i].result);
        assert_true(value == rows[i].value);
    }
    /* Far more digits than any double has: refused, not cut. */
    char long_text[1000];
    double value = 0;
    memset(long_text, '1', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(number_parse_real(long_text, &value), NUMBER_MALFORMED);
}

static void sizes_print_in_the_largest_unit(void **state)
{
    (void)state;
    char text[NUMBER_BYTES];
    number_format_size(0, text);
    assert_string_equal(text, "0");
    number_format_size(4097, text);
    assert_string_equal(text, "4097");
    number_format_size(HV_KIB(1536), text);
    assert_string_equal(text, "1536KiB");
    number_format_size(HV_GIB(4), text);
    assert_string_equal(text, "4GiB");
    number_format_size(UINT64_MAX, text);
    assert_string_equal(text, "18446744073709551615");
}

static void reals_print_with_the_digits_asked_for(void **state)
{
    (void)state;
    char text[NUMBER_BYTES];
    number_format_real(1.0 / 3, NUMBER_DIGITS_TEXT, text);
    assert_string_equal(text, "0.333333");
    number_format_real(0.1, NUMBER_DIGITS_DATA, text);
    assert_string_equal(text, "0.1");
    number_format_exact(0.1, text);
    assert_string_equal(text, "0.1");
    number_format_exact(0.1 + 0.2, text);
    assert_string_equal(text, "0.30000000000000004");
}

static void exact_reals_read_back(void **state)
{
    (void)state;
    static const double edges[] = { 0, DBL_MIN, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, 1.0 / 3 };
    struct hv_rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < 10000; i++) {
        double value = i < HV_ARRAY_LEN(edges) ? edges[i] : (rng_unit(&rng) - 0.5) * (double)rng_next(&rng);
        double again = -1;
        char text[NUMBER_BYTES];
        number_format_exact(value, text);
        assert_int_equal(number_parse_real(text, &again), NUMBER_OK);
        assert_true(value == again);
    }
}

/* A program around the library may have chosen a locale with a decimal comma; not every machine has one. */
static void the_locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
    bool comma = false;
    for (size_t i = 0; i < HV_ARRAY_LEN(locales) && !comma; i++) {
        comma = setlocale(LC_ALL, locales[i]) != NULL;
    }
    char text[NUMBER_BYTES];
    double value = 0;
    number_format_real(0.5, NUMBER_DIGITS_TEXT, text);
    assert_string_equal(text, "0.5");
    assert_int_equal(number_parse_real("0.5", &value), NUMBER_OK);
    assert_true(value == 0.5);
    setlocale(LC_ALL, "C");
}

GTEST_MAIN("Number", cmocka_unit_test(counts), cmocka_unit_test(sizes), cmocka_unit_test(reals),
           cmocka_unit_test(sizes_print_in_the_largest_unit),
           cmocka_unit_test(reals_print_with_the_digits_asked_for), cmocka_unit_test(exact_reals_read_back),
           cmocka_unit_test(the_locale_changes_nothing))
