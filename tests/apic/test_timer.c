/* SPDX-License-Identifier: MIT */
/* The timer of a local APIC, each time from both sides: not fired at t - 1, fired at t. */
#include "lab.h"

enum { VECTOR = 0x40, TIMER_CYCLES = 40, ONE_SHOT = 0, PERIODIC = 1 << 17, DEADLINE = 2 << 17, MASKED = 1 << 16 };

static struct lab *make(uint32_t lvt)
{
    struct lab *lab = lab_make(1);
    lab_write(&lab->apics[0], APIC_LVT_TIMER, lvt | VECTOR, 0);
    return lab;
}

static bool has_fired(struct apic *a)
{
    return vector_set_has(&a->irr, VECTOR);
}

static void assert_fires_exactly_at(struct apic *a, hv_cycles at)
{
    assert_int_equal(apic_timer_next(a), at);
    apic_advance(a, at - 1);
    assert_false(has_fired(a));
    apic_advance(a, at);
    assert_true(has_fired(a));
}

static void take(struct apic *a, hv_cycles now)
{
    assert_int_equal(apic_acknowledge(a, now).vector, VECTOR);
    apic_eoi(a, now);
}

/* SDM figure 11-10: bits 3, 1 and 0. */
static void one_shot_fires_after_count_times_divisor(void **state)
{
    (void)state;
    static const struct { uint32_t code; uint64_t divisor; } rows[] = {
        {0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1},
    };
    static const uint32_t counts[] = {1, 2, 1000, UINT32_MAX};
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        for (size_t j = 0; j < HV_ARRAY_LEN(counts); j++) {
            struct lab *lab = make(ONE_SHOT);
            struct apic *a = &lab->apics[0];
            lab_write(a, APIC_DIVIDE, rows[i].code, 0);
            lab_write(a, APIC_INITIAL_COUNT, counts[j], 777);
            hv_cycles due = 777 + counts[j] * rows[i].divisor * TIMER_CYCLES;
            assert_fires_exactly_at(a, due);
            assert_int_equal(apic_timer_next(a), UINT64_MAX);
            assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, due), 0);
            assert_int_equal(lab_read(a, APIC_INITIAL_COUNT, due), counts[j]);
            assert_int_equal(a->stats.timer_fires, 1);
            lab_free(lab);
        }
    }
}

static void the_current_count_goes_down_a_step_at_a_time(void **state)
{
    (void)state;
    struct lab *lab = make(ONE_SHOT);
    struct apic *a = &lab->apics[0];
    enum { STEP = 2 * TIMER_CYCLES };
    lab_write(a, APIC_INITIAL_COUNT, 10, 100);
    for (uint32_t left = 10; left > 0; left--) {
        hv_cycles from = 100 + (hv_cycles)(10 - left) * STEP;
        assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, from), left);
        assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, from + STEP - 1), left);
    }
    assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, 100 + 10 * STEP), 0);
    lab_free(lab);
}

static void periodic_fires_again_and_again(void **state)
{
    (void)state;
    struct lab *lab = make(PERIODIC);
    struct apic *a = &lab->apics[0];
    enum { PERIOD = 25 * 2 * TIMER_CYCLES };
    lab_write(a, APIC_INITIAL_COUNT, 25, 5);
    for (hv_cycles n = 1; n <= 20; n++) {
        assert_fires_exactly_at(a, 5 + n * PERIOD);
        assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, 5 + n * PERIOD), 25);
        take(a, 5 + n * PERIOD);
    }
    /* A long time without anyone looking: the periods are counted, the interrupt is one. */
    apic_advance(a, 5 + 1020 * PERIOD + 1);
    assert_int_equal(a->stats.timer_fires, 1020);
    take(a, 5 + 1020 * PERIOD + 1);
    assert_false(apic_interrupt_pending(a));
    assert_fires_exactly_at(a, 5 + 1021 * PERIOD);
    lab_free(lab);
}

static void a_count_of_zero_stops(void **state)
{
    (void)state;
    struct lab *lab = make(PERIODIC);
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_INITIAL_COUNT, 25, 0);
    lab_write(a, APIC_INITIAL_COUNT, 0, 10);
    assert_int_equal(apic_timer_next(a), UINT64_MAX);
    apic_advance(a, UINT64_MAX);
    assert_false(has_fired(a));
    lab_free(lab);
}

/* The remaining count goes on at the new rate: 100 counts of 80 cycles, of which 40 pass; then 60 of 160. */
static void a_new_divisor_changes_the_rate_of_the_rest(void **state)
{
    (void)state;
    struct lab *lab = make(ONE_SHOT);
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_INITIAL_COUNT, 100, 0);
    lab_write(a, APIC_DIVIDE, 1, 40 * 80);
    assert_fires_exactly_at(a, 40 * 80 + 60 * 160);
    lab_free(lab);
}

static void a_masked_timer_counts_but_does_not_fire(void **state)
{
    (void)state;
    struct lab *lab = make(ONE_SHOT | MASKED);
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_INITIAL_COUNT, 10, 0);
    assert_int_equal(apic_timer_next(a), UINT64_MAX);
    assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, 400), 5);
    lab_write(a, APIC_LVT_TIMER, VECTOR, 400);
    assert_fires_exactly_at(a, 800);
    take(a, 800);
    lab_write(a, APIC_LVT_TIMER, MASKED | VECTOR, 800);
    lab_write(a, APIC_INITIAL_COUNT, 10, 1000);
    lab_write(a, APIC_LVT_TIMER, VECTOR, 2000); /* it expired at 1800, while masked */
    apic_advance(a, 1000000);
    assert_false(has_fired(a));
    assert_int_equal(a->stats.timer_fires, 1);
    lab_free(lab);
}

static void a_deadline_fires_when_the_tsc_reaches_it(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {0, 1000, (uint64_t)-500, UINT64_C(1) << 63};
    for (size_t i = 0; i < HV_ARRAY_LEN(offsets); i++) {
        struct lab *lab = make(DEADLINE);
        struct apic *a = &lab->apics[0];
        apic_set_tsc_offset(a, offsets[i], 600);
        uint64_t deadline = 600 + offsets[i] + 12345;
        lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, deadline, 600);
        assert_int_equal(lab_rdmsr(a, APIC_TSC_DEADLINE_MSR, 601), deadline);
        assert_fires_exactly_at(a, 600 + 12345);
        assert_int_equal(lab_rdmsr(a, APIC_TSC_DEADLINE_MSR, 600 + 12345), 0);
        assert_int_equal(apic_timer_next(a), UINT64_MAX);
        lab_free(lab);
    }
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
    (void)state;
    struct lab *lab = make(DEADLINE);
    struct apic *a = &lab->apics[0];
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 5001, 5000);
    assert_false(has_fired(a));
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 5000, 5000);
    assert_true(has_fired(a));
    take(a, 5000);
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 6000, 5000);
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 0, 5001); /* disarmed */
    apic_advance(a, 10000);
    assert_false(has_fired(a));
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 20000, 10000);
    apic_set_tsc_offset(a, 10000, 10000); /* the TSC jumps to the deadline */
    assert_true(has_fired(a));
    lab_free(lab);
}

/* SDM 11.5.4.1: what one mode programs means nothing in the other, and the change disarms. */
static void modes_do_not_mix(void **state)
{
    (void)state;
    struct lab *lab = make(DEADLINE);
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_INITIAL_COUNT, 100, 0);
    assert_int_equal(lab_read(a, APIC_INITIAL_COUNT, 0), 0);
    assert_int_equal(lab_read(a, APIC_CURRENT_COUNT, 0), 0);
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 9000, 0);
    lab_write(a, APIC_LVT_TIMER, ONE_SHOT | VECTOR, 1);
    assert_int_equal(lab_rdmsr(a, APIC_TSC_DEADLINE_MSR, 1), 0);
    lab_wrmsr(a, APIC_TSC_DEADLINE_MSR, 9000, 1);
    assert_int_equal(lab_rdmsr(a, APIC_TSC_DEADLINE_MSR, 1), 0);
    lab_write(a, APIC_INITIAL_COUNT, 10, 1);
    lab_write(a, APIC_LVT_TIMER, DEADLINE | VECTOR, 2);
    apic_advance(a, 1000000);
    assert_false(has_fired(a));
    /* Between one-shot and periodic the count goes on. */
    lab_write(a, APIC_LVT_TIMER, ONE_SHOT | VECTOR, 1000000);
    lab_write(a, APIC_INITIAL_COUNT, 10, 1000000);
    lab_write(a, APIC_LVT_TIMER, PERIODIC | VECTOR, 1000100);
    assert_fires_exactly_at(a, 1000800);
    take(a, 1000800);
    assert_fires_exactly_at(a, 1001600);
    lab_free(lab);
}

/* What was due fires before a register says anything else. */
static void whoever_looks_late_sees_what_happened(void **state)
{
    (void)state;
    struct lab *lab = make(ONE_SHOT);
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_INITIAL_COUNT, 10, 0);
    assert_int_equal(lab_read(a, APIC_IRR + 0x20, 799), 0);
    assert_int_equal(lab_read(a, APIC_IRR + 0x20, 800), 1);
    assert_int_equal(lab->events[0].now, 800);
    assert_int_equal(lab->events[0].signal, APIC_SIGNAL_INTR);
    assert_int_equal(apic_acknowledge(a, 850).vector, VECTOR);
    assert_int_equal(a->stats.wait_cycles, 50);
    lab_free(lab);
}

GTEST_MAIN("ApicTimer", cmocka_unit_test(one_shot_fires_after_count_times_divisor),
           cmocka_unit_test(the_current_count_goes_down_a_step_at_a_time),
           cmocka_unit_test(periodic_fires_again_and_again), cmocka_unit_test(a_count_of_zero_stops),
           cmocka_unit_test(a_new_divisor_changes_the_rate_of_the_rest),
           cmocka_unit_test(a_masked_timer_counts_but_does_not_fire),
           cmocka_unit_test(a_deadline_fires_when_the_tsc_reaches_it),
           cmocka_unit_test(a_deadline_in_the_past_fires_at_once), cmocka_unit_test(modes_do_not_mix),
           cmocka_unit_test(whoever_looks_late_sees_what_happened))
