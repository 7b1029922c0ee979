/* SPDX-License-Identifier: MIT */
/* Trace points: which are on, what a line looks like, and the refusal of unknown categories. */
#include "gtest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/tracepoint.h"

static void lists_enable_categories(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        uint32_t enabled;
    } rows[] = {
        { "tlb", 1u << TRACE_TLB },
        { "tlb,walk", 1u << TRACE_TLB | 1u << TRACE_WALK },
        { "inval,inval", 1u << TRACE_INVAL },
        { "all", (1u << 8) - 1 },
        { "ntlb,all", (1u << 8) - 1 },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct trace_points trace = { 0, NULL };
        struct hv_err err = { "" };
        assert_true(trace_points_parse(&trace, rows[i].list, &err));
        assert_int_equal(trace.enabled, rows[i].enabled);
    }
}

static void every_category_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = { "tlb",   "pwc",  "ntlb", "walk",  "cache", "fault",
                                         "inval", "shared" };
    assert_int_equal(HV_ARRAY_LEN(names), TRACE_CATEGORY_COUNT);
    for (size_t i = 0; i < HV_ARRAY_LEN(names); i++) {
        struct trace_points trace = { 0, NULL };
        struct hv_err err = { "" };
        assert_true(trace_points_parse(&trace, names[i], &err));
        assert_int_equal(trace.enabled, 1u << i);
    }
}

#define KNOWN "it takes a list of tlb, pwc, ntlb, walk, cache, fault, inval, shared, or all"

static void unknown_categories_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *list, *sentence;
    } rows[] = {
        { "wlak", "--trace-points: unknown category \"wlak\"; " KNOWN "; did you mean \"walk\"?" },
        { "tlb,falt", "--trace-points: unknown category \"falt\"; " KNOWN "; did you mean \"fault\"?" },
        { "frobnicate", "--trace-points: unknown category \"frobnicate\"; " KNOWN },
        { "", "--trace-points: unknown category \"\"; " KNOWN },
        { "tlb,", "--trace-points: unknown category \"\"; " KNOWN },
        { "tlb, walk", "--trace-points: unknown category \" walk\"; " KNOWN "; did you mean \"walk\"?" },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct trace_points trace = { 0, NULL };
        struct hv_err err = { "" };
        assert_false(trace_points_parse(&trace, rows[i].list, &err));
        assert_string_equal(err.text, rows[i].sentence);
    }
}

static unsigned evaluations;

static unsigned evaluate(void)
{
    return ++evaluations;
}

/* Off, not even the arguments are computed. */
static void only_enabled_points_print(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    struct trace_points trace = { 1u << TRACE_TLB, open_memstream(&text, &size) };
    HV_TRACE(&trace, TLB, 1234, "fill gva=%#" PRIx64 " size=%s", UINT64_C(0x7000), "4k");
    HV_TRACE(&trace, WALK, 1235, "step refs=%u", evaluate());
    HV_TRACE(&trace, TLB, UINT64_MAX, "flush");
    fclose(trace.out);
    assert_string_equal(text, "1234 tlb fill gva=0x7000 size=4k\n18446744073709551615 tlb flush\n");
    assert_int_equal(evaluations, 0);
    free(text);
}

GTEST_MAIN("TracePoint", cmocka_unit_test(lists_enable_categories), cmocka_unit_test(every_category_has_its_name),
           cmocka_unit_test(unknown_categories_are_refused), cmocka_unit_test(only_enabled_points_print))
