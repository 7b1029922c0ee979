/* SPDX-License-Identifier: MIT */
/* Page-table entries field by field: all bits are there, and mean what the manuals say. */
#include "gtest.h"

#include "machine/explain.h"

static struct explain_entry decode(enum radix_format format, unsigned level, uint64_t value)
{
    struct radix_features features = {.physical_bits = 46, .pages_1g = true, .execute_disable = true,
                                      .ept_execute_only = true, .flags = true};
    struct radix_mode mode = {0};
    radix_mode_init(&mode, format, 5, &features);
    return explain_decode(&mode, level, value);
}

/* The fields of any entry follow each other from bit 0 to bit 63, and their values are its bits. */
static void fields_are_all_bits(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 7, 0x87, UINT64_MAX, 0x8000000000000067, 0x123456789abcdef7, ~UINT64_C(7)};
    for (unsigned i = 0; i < HV_ARRAY_LEN(values) * RADIX_MAX_LEVELS * 3; i++) {
        enum radix_format format = (enum radix_format)(i % 3);
        unsigned level = 1 + i / 3 % RADIX_MAX_LEVELS, next = 0;
        uint64_t value = values[i / 3 / RADIX_MAX_LEVELS], sum = 0;
        struct explain_field fields[EXPLAIN_MAX_FIELDS];
        struct explain_entry entry = decode(format, level, value);
        unsigned count = explain_fields(&entry, format, level, fields);
        for (unsigned k = 0; k < count; k++) {
            assert_int_equal(fields[k].low, next);
            assert_in_range(fields[k].high, fields[k].low, 63);
            assert_non_null(fields[k].meaning);
            sum |= fields[k].value << fields[k].low;
            next = fields[k].high + 1u;
        }
        assert_int_equal(next, 64);
        assert_true(sum == value);
    }
}

struct field_case {
    const char *name;
    enum radix_format format;
    unsigned level;
    uint64_t entry;
    unsigned high, low;
    const char *field, *meaning;
};

/* SDM Vol. 3A Tables 4-15 to 4-20, Vol. 3C Tables 29-1 to 29-7. */
static const struct field_case field_cases[] = {
    {"xd", RADIX_IA32E, 1, 0x8000000000001067, 63, 63, "XD", "no instruction fetches"},
    {"dirty", RADIX_IA32E, 1, 0x1067, 6, 6, "D", "the page has been written"},
    {"no_dirty_in_pointer", RADIX_IA32E, 4, 0x1067, 6, 6, "ignored", "the hardware ignores it"},
    {"large", RADIX_IA32E, 2, 0x2000e7, 7, 7, "PS", "is a large page"},
    {"not_large", RADIX_IA32E, 2, 0x1067, 7, 7, "PS", "points to a table"},
    {"pat_4k", RADIX_IA32E, 1, 0x10e7, 7, 7, "PAT", "selects the memory type, with PCD and PWT"},
    {"address_2m", RADIX_IA32E, 2, 0x2000e7, 51, 21, "address", "where the page lies"},
    {"address_1g", RADIX_NPT, 3, 0x400000e7, 51, 30, "address", "where the page lies"},
    {"address_of_table", RADIX_IA32E, 3, 0x1067, 51, 12, "address", "where the next table lies"},
    {"absent", RADIX_IA32E, 3, 0xfffffffffffffffe, 63, 1, "ignored", "the hardware ignores it"},
    {"top_ps", RADIX_IA32E, 4, 0x10e7, 7, 7, "reserved", "has to be 0, and is not: the walk ends in a fault"},
    {"ept_type", RADIX_EPT, 1, 0x1337, 5, 3, "type", "WB"},
    {"ept_uncached", RADIX_EPT, 1, 0x1307, 5, 3, "type", "UC"},
    {"ept_accessed", RADIX_EPT, 1, 0x1337, 8, 8, "A", "has been accessed"},
    {"ept_dirty", RADIX_EPT, 1, 0x1337, 9, 9, "D", "the page has been written"},
    {"ept_no_write", RADIX_EPT, 1, 0x1335, 1, 1, "W", "no writes"},
    {"ept_pointer", RADIX_EPT, 4, 0x1107, 7, 3, "reserved", "has to be 0"},
    {"ept_absent", RADIX_EPT, 2, 0xfffffffffffffff8, 63, 3, "ignored", "the hardware ignores it"},
};

static void field_is_that_of_the_manual(void **state)
{
    const struct field_case *c = *state;
    struct explain_field fields[EXPLAIN_MAX_FIELDS];
    struct explain_entry entry = decode(c->format, c->level, c->entry);
    unsigned count = explain_fields(&entry, c->format, c->level, fields), i = 0;
    while (i < count && fields[i].low != c->low) {
        i++;
    }
    assert_true(i < count);
    assert_int_equal(fields[i].high, c->high);
    assert_string_equal(fields[i].name, c->field);
    assert_string_equal(fields[i].meaning, c->meaning);
}

int main(int argc, char **argv)
{
    struct CMUnitTest rows[HV_ARRAY_LEN(field_cases)];
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_all_bits)};
    gtest_rows(rows, field_is_that_of_the_manual, field_cases, sizeof(field_cases[0]), HV_ARRAY_LEN(field_cases));
    const struct gtest_suite suites[] = {GTEST_SUITE("ExplainFields", tests), GTEST_SUITE("ExplainField", rows)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
