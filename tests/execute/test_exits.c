/* SPDX-License-Identifier: MIT */
/*
 * Every exit reason that the processor produces: the exit with its information, and for a control that causes it the
 * same instruction or event with the control 0. An exit reason without a row fails a test.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"

enum { SUITES = 7, NOT_PRODUCED = 1, LENGTH_BEFORE = 0x55 };

static const struct exit_rows *const all[SUITES] = {
    &instruction_exits, &register_exits, &table_exits, &event_exits, &memory_exits, &vmx_exits, &apic_exits,
};

static struct lab *arrange(const struct exit_row *row, bool on)
{
    struct lab *l = lab_new();
    if (row->prepare != NULL) {
        row->prepare(l);
    }
    if (row->control != 0) {
        lab_control(l, row->word, row->control, on);
        LAB_SET(l, tertiary_controls, LAB_GET(l, tertiary_controls));
        lab_control(l, VMX_PRIMARY, VMX_CONTROL(PRIMARY, activate_tertiary_controls), row->word == VMX_TERTIARY);
    }
    LAB_SET(l, exit_instruction_length, LENGTH_BEFORE);
    lab_launch(l);
    if (row->arrange != NULL) {
        row->arrange(l);
    }
    return l;
}

static enum cpu_end cause(const struct exit_row *row, struct lab *l)
{
    return row->cause != NULL ? row->cause(l) : cpu_execute(&l->p, &row->i);
}

/* A length of 0 in a row means that the manual leaves the field alone. */
static void exits(void **state)
{
    const struct exit_row *row = *state;
    struct lab *l = arrange(row, true);
    assert_int_equal(cause(row, l), CPU_EXITED);
    bool entry_failed = (LAB_GET(l, exit_reason) & VMX_EXIT_ENTRY_FAILURE) != 0;
    assert_int_equal(LAB_GET(l, exit_reason) & ~(uint64_t)VMX_EXIT_ENTRY_FAILURE, row->reason);
    assert_int_equal(LAB_GET(l, exit_qualification), row->qualification);
    if (!entry_failed) {
        assert_int_equal(LAB_GET(l, exit_instruction_length), row->length != 0 ? row->length : LENGTH_BEFORE);
        assert_int_equal(LAB_GET(l, exit_instruction_information), row->information);
        assert_int_equal(LAB_GET(l, guest_linear_address), row->linear);
        assert_int_equal(LAB_GET(l, guest_physical_address), row->physical);
        assert_int_equal(LAB_GET(l, guest_rip), LAB_CODE + row->past);
    }
    assert_false(l->p.vmx.non_root);
    assert_int_equal(l->p.state.rip, LAB_HOST_RIP);
    lab_free(l);
}

static void does_not_exit(void **state)
{
    const struct exit_row *row = *state;
    struct lab *l = arrange(row, false);
    assert_int_equal(cause(row, l), CPU_COMPLETED);
    assert_true(l->p.vmx.non_root);
    if (row->cause == NULL) {
        assert_int_equal(l->p.state.rip, LAB_CODE + cpu_length(&row->i));
    }
    if (row->without != NULL) {
        row->without(l);
    }
    lab_free(l);
}

static size_t tests_of(unsigned reason)
{
    size_t count = 0;
    for (size_t s = 0; s < SUITES; s++) {
        for (size_t r = 0; r < all[s]->count; r++) {
            count += all[s]->rows[r].reason == reason;
        }
    }
    return count;
}

/* An exit reason has either tests or a reason not to. */
static void every_producible_exit_reason_has_a_test(void **state)
{
    (void)state;
    static const uint8_t left_out[VMX_EXIT_REASONS] = {
#define N(name, why) [VMX_EXIT_##name] = NOT_PRODUCED,
#include "cpu/vmx/vmx_exits_not_produced.def"
#undef N
    };
    static const struct {
        unsigned number;
        const char *name;
    } reasons[] = {
#define X(number, name, words) {number, #name},
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
    };
    size_t producible = 0, tested = 0;
    for (size_t r = 0; r < HV_ARRAY_LEN(reasons); r++) {
        bool has = tests_of(reasons[r].number) > 0, out = left_out[reasons[r].number] == NOT_PRODUCED;
        producible += !out;
        tested += !out && has;
        if (has == out) {
            print_error("exit reason %u, %s: %s\n", reasons[r].number, reasons[r].name,
                        has ? "has a test, yet is listed as not produced" : "has no test");
        }
        assert_int_not_equal(has, out);
    }
    assert_int_equal(tested, producible);
}

static void print_coverage(void)
{
    size_t out = 0, reasons = 0, tested = 0;
#define N(name, why) out++;
#include "cpu/vmx/vmx_exits_not_produced.def"
#undef N
#define X(number, name, words) reasons++, tested += tests_of(number) > 0;
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
    printf("coverage: exit reasons: %zu of %zu producible have a test\n", tested, reasons - out);
}

/* The rows of all files; with `controlled` only those of a control. */
static size_t collect(struct exit_row *to, bool controlled)
{
    size_t count = 0;
    for (size_t s = 0; s < SUITES; s++) {
        for (size_t r = 0; r < all[s]->count; r++) {
            if (!controlled || all[s]->rows[r].control != 0) {
                to[count++] = all[s]->rows[r];
            }
        }
    }
    return count;
}

enum { ROWS_MAX = 256 };

int main(int argc, char **argv)
{
    static struct exit_row with[ROWS_MAX], without[ROWS_MAX];
    static struct CMUnitTest with_tests[ROWS_MAX], without_tests[ROWS_MAX];
    static const struct CMUnitTest coverage[] = {cmocka_unit_test(every_producible_exit_reason_has_a_test)};
    size_t with_count = collect(with, false), without_count = collect(without, true);
    HV_ASSERT(with_count <= ROWS_MAX, "%zu rows", with_count);
    gtest_rows(with_tests, exits, with, sizeof(with[0]), with_count);
    gtest_rows(without_tests, does_not_exit, without, sizeof(without[0]), without_count);
    const struct gtest_suite suites[] = {
        GTEST_SUITE("ExitCoverage", coverage),
        {.name = "Exits", .tests = with_tests, .count = with_count},
        {.name = "ExitsNot", .tests = without_tests, .count = without_count},
    };
    print_coverage();
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
