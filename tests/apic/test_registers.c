/* SPDX-License-Identifier: MIT */
/* The registers of a local APIC: what exists and what can be written in both modes, and how modes change. */
#include "lab.h"

#include <stdio.h>
#include <string.h>

/*
 * From SDM Vol. 3A tables 11-1 and 11-6 and the figures of the registers. `valid` are the bits that WRMSR may set;
 * ones and zeros are what a read shows after all ones, all zeros, were written to the memory-mapped register.
 */
struct known_register {
    const char *name;
    uint32_t offset;
    uint32_t reset, ones, zeros;
    const char *xapic, *x2apic;
    uint64_t valid;
};

static const struct known_register known[] = {
    {"id", 0x20, 0, 0xff000000, 0, "rw", "r", 0},
    {"version", 0x30, 0x01060014, 0x01060014, 0x01060014, "r", "r", 0},
    {"tpr", 0x80, 0, 0xff, 0, "rw", "rw", 0xff},
    {"apr", 0x90, 0, 0, 0, "r", "", 0},
    {"ppr", 0xa0, 0, 0, 0, "r", "r", 0},
    {"eoi", 0xb0, 0, 0, 0, "w", "w", 0},
    {"rrd", 0xc0, 0, 0, 0, "r", "", 0},
    {"ldr", 0xd0, 0, 0xff000000, 0, "rw", "r", 0},
    {"dfr", 0xe0, 0xffffffff, 0xffffffff, 0x0fffffff, "rw", "", 0},
    {"svr", 0xf0, 0xff, 0x11ff, 0, "rw", "rw", 0x11ff},
    {"isr0", 0x100, 0, 0, 0, "r", "r", 0}, {"isr7", 0x170, 0, 0, 0, "r", "r", 0},
    {"tmr0", 0x180, 0, 0, 0, "r", "r", 0}, {"tmr7", 0x1f0, 0, 0, 0, "r", "r", 0},
    {"irr0", 0x200, 0, 0, 0, "r", "r", 0}, {"irr7", 0x270, 0, 0, 0, "r", "r", 0},
    {"isr1", 0x110, 0, 0, 0, "r", "r", 0}, {"isr2", 0x120, 0, 0, 0, "r", "r", 0},
    {"isr3", 0x130, 0, 0, 0, "r", "r", 0}, {"isr4", 0x140, 0, 0, 0, "r", "r", 0},
    {"isr5", 0x150, 0, 0, 0, "r", "r", 0}, {"isr6", 0x160, 0, 0, 0, "r", "r", 0},
    {"tmr1", 0x190, 0, 0, 0, "r", "r", 0}, {"tmr2", 0x1a0, 0, 0, 0, "r", "r", 0},
    {"tmr3", 0x1b0, 0, 0, 0, "r", "r", 0}, {"tmr4", 0x1c0, 0, 0, 0, "r", "r", 0},
    {"tmr5", 0x1d0, 0, 0, 0, "r", "r", 0}, {"tmr6", 0x1e0, 0, 0, 0, "r", "r", 0},
    {"irr1", 0x210, 0, 0, 0, "r", "r", 0}, {"irr2", 0x220, 0, 0, 0, "r", "r", 0},
    {"irr3", 0x230, 0, 0, 0, "r", "r", 0}, {"irr4", 0x240, 0, 0, 0, "r", "r", 0},
    {"irr5", 0x250, 0, 0, 0, "r", "r", 0}, {"irr6", 0x260, 0, 0, 0, "r", "r", 0},
    {"esr", 0x280, 0, 0, 0, "rw", "rw", 0},
    {"lvt_cmci", 0x2f0, 0x10000, 0x107ff, 0, "rw", "rw", 0x117ff},
    {"icr", 0x300, 0, 0xccfff, 0, "rw", "rw", UINT64_C(0xffffffff000cdfff)},
    {"icr_high", 0x310, 0, 0xff000000, 0, "rw", "", 0},
    {"lvt_timer", 0x320, 0x10000, 0x700ff, 0, "rw", "rw", 0x710ff},
    {"lvt_thermal", 0x330, 0x10000, 0x107ff, 0, "rw", "rw", 0x117ff},
    {"lvt_counters", 0x340, 0x10000, 0x107ff, 0, "rw", "rw", 0x117ff},
    {"lvt_lint0", 0x350, 0x10000, 0x1a7ff, 0, "rw", "rw", 0x1f7ff},
    {"lvt_lint1", 0x360, 0x10000, 0x1a7ff, 0, "rw", "rw", 0x1f7ff},
    {"lvt_error", 0x370, 0x10000, 0x100ff, 0, "rw", "rw", 0x110ff},
    {"initial_count", 0x380, 0, 0xffffffff, 0, "rw", "rw", 0xffffffff},
    {"current_count", 0x390, 0, 0, 0, "r", "r", 0},
    {"divide", 0x3e0, 0, 0xb, 0, "rw", "rw", 0xb},
    {"self_ipi", 0x3f0, 0, 0, 0, "", "w", 0xff},
};

static const struct known_register *find(uint32_t offset)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(known); i++) {
        if (known[i].offset == offset) {
            return &known[i];
        }
    }
    return NULL;
}

static bool may(const struct known_register *k, const char *rights, char right)
{
    return k != NULL && strchr(rights, right) != NULL;
}

static void each_offset_reads_and_writes_as_the_table_says(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 0x1000; offset += 16) {
        const struct known_register *k = find(offset);
        bool exists = k != NULL && k->xapic[0] != '\0';
        struct lab *lab = lab_make(1);
        struct apic *a = &lab->apics[0];
        if (offset != APIC_SVR) {
            assert_int_equal(lab_read(a, offset, 0), exists && may(k, k->xapic, 'r') ? k->reset : 0);
        }
        lab_write(a, offset, UINT32_MAX, 0);
        assert_int_equal(lab_read(a, offset, 0), exists && may(k, k->xapic, 'r') ? k->ones : 0);
        lab_write(a, offset, 0, 0);
        assert_int_equal(lab_read(a, offset, 0), exists && may(k, k->xapic, 'r') ? k->zeros : 0);
        assert_int_equal(a->errors & APIC_ERROR_REGISTER, exists ? 0 : APIC_ERROR_REGISTER);
        lab_free(lab);
    }
}

static void other_sizes_and_alignments_reach_nothing(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    static const struct { uint32_t offset; unsigned bytes; } rows[] = {
        {0x80, 1}, {0x80, 2}, {0x80, 8}, {0x80, 16}, {0x81, 1}, {0x82, 2}, {0x84, 4}, {0x88, 4}, {0x1000, 4},
        {0x80, 0},
    };
    lab_write(a, APIC_TPR, 0x33, 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        a->errors = 0;
        apic_write(a, rows[i].offset, rows[i].bytes, UINT64_MAX, 0);
        assert_int_equal(apic_read(a, rows[i].offset, rows[i].bytes, 0), 0);
        assert_int_equal(a->errors, APIC_ERROR_REGISTER);
        assert_int_equal(lab_read(a, APIC_TPR, 0), 0x33);
    }
}

/* Every MSR of the range, every bit alone: #GP exactly where the table has no right or no such bit. */
static void each_msr_bit_faults_as_the_table_says(void **state)
{
    (void)state;
    for (uint32_t index = 0x800; index <= 0x8ff; index++) {
        const struct known_register *k = find((index - 0x800) << 4);
        struct lab *lab = lab_make(1);
        lab_x2apic(lab, 0, 0);
        struct apic fresh = lab->apics[0];
        uint64_t value;
        assert_int_equal(apic_read_msr(&fresh, index, &value, 0), may(k, k != NULL ? k->x2apic : "", 'r'));
        for (unsigned bit = 0; bit < 64; bit++) {
            struct apic a = fresh;
            bool expected = may(k, k != NULL ? k->x2apic : "", 'w') && (k->valid >> bit & 1) != 0;
            assert_int_equal(apic_write_msr(&a, index, UINT64_C(1) << bit, 0), expected);
        }
        lab_free(lab);
    }
}

/* A value with only legal bits is what is read back, but for those that are read-only. */
static void msrs_read_back_what_was_written(void **state)
{
    (void)state;
    static const struct { uint32_t index; uint64_t written, read; } rows[] = {
        {0x808, 0xa5, 0xa5}, {0x80f, 0x11ff, 0x11ff}, {0x82f, 0x117ff, 0x107ff}, {0x832, 0x710ff, 0x700ff},
        {0x835, 0x1f7ff, 0x1a7ff}, {0x838, 0xfedcba98, 0xfedcba98}, {0x83e, 0xb, 0xb},
        /* A start-up IPI to nobody. */
        {0x830, UINT64_C(0x1234567800000699), UINT64_C(0x1234567800000699)},
    };
    struct lab *lab = lab_make(1);
    lab_x2apic(lab, 0, 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        lab_wrmsr(&lab->apics[0], rows[i].index, rows[i].written, 0);
        assert_int_equal(lab_rdmsr(&lab->apics[0], rows[i].index, 0), rows[i].read);
    }
    lab_free(lab);
}

static void msrs_fault_outside_x2apic_mode(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    uint64_t value;
    for (uint32_t index = 0x800; index <= 0x8ff; index++) {
        assert_false(apic_read_msr(a, index, &value, 0));
        assert_false(apic_write_msr(a, index, 0, 0));
    }
    assert_true(apic_owns_address(a, 0xfee00080));
    assert_false(apic_owns_address(a, 0xfee01000));
    lab_x2apic(lab, 0, 0);
    assert_false(apic_owns_address(a, 0xfee00080));
}

/* SDM figure 11-27, the transitions of the states disabled 00, invalid 01, xAPIC 10, x2APIC 11 (EN, EXTD). */
static void modes_change_as_the_figure_says(void **state)
{
    (void)state;
    enum { DISABLED = 0, XAPIC = 2, X2APIC = 3 };
    static const bool allowed[4][4] = {
        [DISABLED] = {true, false, true, false},
        [XAPIC] = {true, false, true, true},
        [X2APIC] = {true, false, false, true},
    };
    static const unsigned states[] = {DISABLED, XAPIC, X2APIC};
    static const enum apic_mode modes[] = {[DISABLED] = APIC_MODE_DISABLED, [XAPIC] = APIC_MODE_XAPIC,
                                           [X2APIC] = APIC_MODE_X2APIC};
    for (size_t i = 0; i < HV_ARRAY_LEN(states); i++) {
        for (unsigned to = 0; to < 4; to++) {
            struct lab *lab = lab_make(1);
            struct apic *a = &lab->apics[0];
            a->base = APIC_BASE_DEFAULT | (uint64_t)states[i] << 10;
            uint64_t before = a->base;
            assert_int_equal(apic_write_msr(a, APIC_BASE_MSR, APIC_BASE_DEFAULT | (uint64_t)to << 10, 0),
                             allowed[states[i]][to]);
            if (allowed[states[i]][to]) {
                assert_int_equal(apic_mode(a), modes[to]);
            } else {
                assert_int_equal(a->base, before);
            }
            lab_free(lab);
        }
    }
}

static void reserved_bits_of_the_base_fault(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    assert_int_equal(lab_rdmsr(a, APIC_BASE_MSR, 0), 0xfee00900);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct apic copy = *a;
        bool legal = bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 46);
        assert_int_equal(apic_write_msr(&copy, APIC_BASE_MSR, APIC_BASE_ENABLE | UINT64_C(1) << bit, 0), legal);
    }
}

static void features_that_are_not_offered_fault(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    uint64_t value;
    lab->params.tsc_deadline = lab->params.eoi_suppression = false;
    lab_x2apic(lab, 0, 0);
    assert_false(apic_write_msr(a, 0x832, 0x40030, 0));
    assert_true(apic_write_msr(a, 0x832, 0x20030, 0));
    assert_false(apic_write_msr(a, 0x80f, 0x11ff, 0));
    assert_false(apic_read_msr(a, APIC_TSC_DEADLINE_MSR, &value, 0));
    assert_false(apic_write_msr(a, APIC_TSC_DEADLINE_MSR, 0, 0));
    lab->params.x2apic = false;
    a->base &= ~APIC_BASE_X2APIC;
    assert_false(apic_write_msr(a, APIC_BASE_MSR, a->base | APIC_BASE_X2APIC, 0));
}

/* SDM 11.4.7.2: software disables the APIC, and no LVT entry can be unmasked until it is enabled again. */
static void a_disabled_apic_masks_its_lvt(void **state)
{
    static const uint32_t entries[] = {0x2f0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370};
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    for (size_t i = 0; i < HV_ARRAY_LEN(entries); i++) {
        lab_write(a, entries[i], 0x40, 0);
        assert_int_equal(lab_read(a, entries[i], 0), 0x40);
    }
    lab_write(a, APIC_SVR, 0xff, 0);
    for (size_t i = 0; i < HV_ARRAY_LEN(entries); i++) {
        assert_int_equal(lab_read(a, entries[i], 0), 0x10040);
        lab_write(a, entries[i], 0x41, 0);
        assert_int_equal(lab_read(a, entries[i], 0), 0x10041);
    }
    lab_write(a, APIC_SVR, LAB_SVR_ENABLED, 0);
    lab_write(a, 0x350, 0x41, 0);
    assert_int_equal(lab_read(a, 0x350, 0), 0x41);
}

/* SDM 11.5.3: a write moves what was found into the ESR; the error interrupt comes once until then. */
static void errors_show_after_the_next_write(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_LVT_ERROR, 0xf3, 0);
    lab_read(a, 0x40, 0); /* no such register */
    assert_int_equal(lab_read(a, APIC_ESR, 0), 0);
    assert_int_equal(apic_acknowledge(a, 0).vector, 0xf3);
    apic_eoi(a, 0);
    lab_interrupt(a, 5, 0);
    assert_false(apic_interrupt_pending(a));
    lab_write(a, APIC_ESR, 0x1234, 0);
    assert_int_equal(lab_read(a, APIC_ESR, 0), APIC_ERROR_REGISTER | APIC_ERROR_RECEIVED_VECTOR);
    lab_interrupt(a, 15, 0);
    assert_int_equal(lab_read(a, APIC_ESR, 0), APIC_ERROR_REGISTER | APIC_ERROR_RECEIVED_VECTOR);
    assert_true(apic_interrupt_pending(a));
    lab_write(a, APIC_ESR, 0, 0);
    assert_int_equal(lab_read(a, APIC_ESR, 0), APIC_ERROR_RECEIVED_VECTOR);
    lab_write(a, APIC_ESR, 0, 0);
    assert_int_equal(lab_read(a, APIC_ESR, 0), 0);
}

static void cr8_is_the_upper_half_of_the_tpr(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_TPR, 0xa7, 0);
    assert_int_equal(apic_read_cr8(a), 0xa);
    apic_write_cr8(a, 0x3, 0);
    assert_int_equal(lab_read(a, APIC_TPR, 0), 0x30);
}

/* SDM 11.12.10.2: logical ID = ID[19:4] << 16 | 1 << ID[3:0]. */
static void x2apic_ids_follow_from_the_initial_id(void **state)
{
    (void)state;
    static const struct { uint32_t id, logical; } rows[] = {
        {0, 1}, {7, 0x80}, {0xf, 0x8000}, {0x10, 0x10001}, {0x123, 0x120008}, {0xffffe, 0xffff4000},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct lab *lab = lab_make(1);
        lab_x2apic(lab, 0, rows[i].id);
        assert_int_equal(lab_rdmsr(&lab->apics[0], 0x802, 0), rows[i].id);
        assert_int_equal(lab_rdmsr(&lab->apics[0], 0x80d, 0), rows[i].logical);
        lab_free(lab);
    }
}

/* SDM 11.4.7.3 and 11.12.5.1: an INIT resets all but the ID and the mode. */
static void init_keeps_id_and_mode(void **state)
{
    (void)state;
    struct lab *lab = lab_make(2);
    lab_write(&lab->apics[0], APIC_ID, 0x55000000, 0);
    lab_write(&lab->apics[0], APIC_TPR, 0x20, 0);
    lab_interrupt(&lab->apics[0], 0x40, 0);
    apic_reset_by_init(&lab->apics[0]);
    assert_int_equal(lab_read(&lab->apics[0], APIC_ID, 0), 0x55000000);
    assert_int_equal(lab_read(&lab->apics[0], APIC_TPR, 0), 0);
    assert_int_equal(lab_read(&lab->apics[0], APIC_SVR, 0), 0xff);
    assert_false(apic_interrupt_pending(&lab->apics[0]));
    lab_x2apic(lab, 1, 0x123);
    apic_reset_by_init(&lab->apics[1]);
    assert_int_equal(apic_mode(&lab->apics[1]), APIC_MODE_X2APIC);
    assert_int_equal(lab_rdmsr(&lab->apics[1], 0x802, 0), 0x123);
    assert_int_equal(lab_rdmsr(&lab->apics[1], 0x80d, 0), 0x120008);
    lab_free(lab);
}

/* The tables of parameters and statistics are whole: defaults within their ranges, a row for each counter. */
static void tables_are_whole(void **state)
{
    (void)state;
    const struct param_mount mount = {"apic", 0, apic_param_rows, &apic_param_count, NULL, "interrupt controllers"};
    const struct param_schema schema = {&mount, 1};
    struct apic_params params;
    params_defaults(&schema, &params);
    assert_true(params.x2apic && params.tsc_deadline && params.eoi_suppression);
    assert_int_equal(params.timer_cycles, 40);
    assert_int_equal(sizeof(struct apic_stats), apic_stat_count * sizeof(uint64_t));
    assert_int_equal(sizeof(struct apic_bus_stats), apic_bus_stat_count * sizeof(uint64_t));
}

GTEST_MAIN("ApicRegisters", cmocka_unit_test(each_offset_reads_and_writes_as_the_table_says),
           LAB_TEST(other_sizes_and_alignments_reach_nothing),
           cmocka_unit_test(each_msr_bit_faults_as_the_table_says),
           cmocka_unit_test(msrs_read_back_what_was_written), LAB_TEST(msrs_fault_outside_x2apic_mode),
           cmocka_unit_test(modes_change_as_the_figure_says), LAB_TEST(reserved_bits_of_the_base_fault),
           LAB_TEST(features_that_are_not_offered_fault), LAB_TEST(a_disabled_apic_masks_its_lvt),
           LAB_TEST(errors_show_after_the_next_write), LAB_TEST(cr8_is_the_upper_half_of_the_tpr),
           cmocka_unit_test(x2apic_ids_follow_from_the_initial_id), cmocka_unit_test(init_keeps_id_and_mode),
           cmocka_unit_test(tables_are_whole))
