/* SPDX-License-Identifier: MIT */
/* Acceptance, priorities, acknowledgement and EOI, against small independent predictors. */
#include "lab.h"

#include <string.h>

#include "base/rng.h"

static unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/*
 * SDM 11.8.3: an interrupt is delivered when its class is above both that of the TPR and that of the highest
 * interrupt in service. Every combination of the three classes; 0 stands for none in service or requested.
 */
static void classes_decide(void **state)
{
    (void)state;
    for (unsigned task = 0; task < 16; task++) {
        for (unsigned service = 0; service < 16; service++) {
            for (unsigned request = 0; request < 16; request++) {
                struct lab *lab = lab_make(1);
                struct apic *a = &lab->apics[0];
                if (service != 0) {
                    lab_interrupt(a, (uint8_t)(service << 4 | 5), 0);
                    assert_int_equal(apic_acknowledge(a, 0).vector, service << 4 | 5);
                }
                lab_write(a, APIC_TPR, task << 4 | 9, 0);
                if (request != 0) {
                    lab_interrupt(a, (uint8_t)(request << 4 | 15), 0);
                }
                unsigned ppr = task >= service ? task << 4 | 9 : service << 4;
                assert_int_equal(lab_read(a, APIC_PPR, 0), ppr);
                bool taken = request > max(task, service);
                assert_int_equal(apic_interrupt_pending(a), taken);
                struct apic_acknowledged got = apic_acknowledge(a, 0);
                assert_int_equal(got.kind, taken ? APIC_VECTOR_FIXED : APIC_VECTOR_SPURIOUS);
                assert_int_equal(got.vector, taken ? request << 4 | 15 : 0xff);
                assert_int_equal(a->stats.spurious, taken ? 0 : 1);
                lab_free(lab);
            }
        }
    }
}

/* SDM 11.6.2.4, APR: the lower half of the TPR counts only if the TPR is above all; AND and max are bit by bit. */
static void arbitration_priority(void **state)
{
    (void)state;
    for (unsigned task = 0; task < 16; task++) {
        for (unsigned service = 0; service < 16; service++) {
            for (unsigned request = 0; request < 16; request++) {
                struct lab *lab = lab_make(1);
                struct apic *a = &lab->apics[0];
                if (service != 0) {
                    vector_set_add(&a->isr, (uint8_t)(service << 4 | 5));
                }
                if (request != 0) {
                    vector_set_add(&a->irr, (uint8_t)(request << 4 | 5));
                }
                lab_write(a, APIC_TPR, task << 4 | 9, 0);
                unsigned expected = task << 4 | 9;
                if (!(task >= request && task > service)) {
                    expected = max(task & service, request) << 4;
                }
                assert_int_equal(lab_read(a, APIC_APR, 0), expected);
                lab_free(lab);
            }
        }
    }
}

/* IRR, ISR and TMR as 256 booleans each. */
struct predictor {
    bool irr[VECTORS], isr[VECTORS], tmr[VECTORS];
    unsigned tpr;
    uint64_t accepted, merged, refused, delivered, eois, broadcasts;
};

static int top(const bool *set)
{
    for (int i = VECTORS - 1; i >= 0; i--) {
        if (set[i]) {
            return i;
        }
    }
    return -1;
}

static void predict_accept(struct predictor *p, uint8_t vector, bool level)
{
    if (vector < 16) {
        p->refused++;
        return;
    }
    if (p->irr[vector]) {
        p->merged++;
    } else {
        p->accepted++;
    }
    p->irr[vector] = true;
    p->tmr[vector] = level;
}

/* The vector to be delivered, or -1. */
static int predict_next(const struct predictor *p)
{
    int request = top(p->irr), service = top(p->isr);
    int floor = (int)max(p->tpr >> 4, service < 0 ? 0u : (unsigned)service >> 4);
    return request >= 0 && request >> 4 > floor ? request : -1;
}

static void predict_eoi(struct predictor *p)
{
    int service = top(p->isr);
    if (service >= 0) {
        p->isr[service] = false;
        p->eois++;
        p->broadcasts += p->tmr[service];
    }
}

static void assert_same_registers(struct apic *a, const struct predictor *p)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t irr = 0, isr = 0, tmr = 0;
        for (unsigned bit = 0; bit < 32; bit++) {
            irr |= (uint32_t)p->irr[i * 32 + bit] << bit;
            isr |= (uint32_t)p->isr[i * 32 + bit] << bit;
            tmr |= (uint32_t)p->tmr[i * 32 + bit] << bit;
        }
        assert_int_equal(lab_read(a, APIC_IRR + i * 16, 0), irr);
        assert_int_equal(lab_read(a, APIC_ISR + i * 16, 0), isr);
        assert_int_equal(lab_read(a, APIC_TMR + i * 16, 0), tmr);
    }
}

static void step(struct apic *a, struct predictor *p, struct hv_rng *rng)
{
    uint64_t choice = rng_below(rng, 8);
    if (choice < 3) {
        bool level = rng_below(rng, 3) == 0;
        struct interrupt_message message = {
            .vector = (uint8_t)rng_next(rng), .trigger = level ? INTERRUPT_LEVEL : INTERRUPT_EDGE,
            .mode = rng_below(rng, 2) == 0 ? INTERRUPT_FIXED : INTERRUPT_LOWEST_PRIORITY,
        };
        apic_receive(a, &message, 0);
        predict_accept(p, message.vector, level);
    } else if (choice < 5) {
        int expected = predict_next(p);
        struct apic_acknowledged got = apic_acknowledge(a, 0);
        assert_int_equal(got.vector, expected < 0 ? 0xff : expected);
        if (expected >= 0) {
            p->irr[expected] = false;
            p->isr[expected] = true;
            p->delivered++;
        }
    } else if (choice < 7) {
        lab_write(a, APIC_EOI, (uint32_t)rng_next(rng), 0);
        predict_eoi(p);
    } else {
        p->tpr = (unsigned)rng_below(rng, 4) == 0 ? (unsigned)rng_below(rng, 256) : 0;
        lab_write(a, APIC_TPR, p->tpr, 0);
    }
    assert_int_equal(apic_interrupt_pending(a), predict_next(p) >= 0);
}

static void random_sequences_match_the_predictor(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 5);
    for (unsigned run = 0; run < 50; run++) {
        struct lab *lab = lab_make(1);
        struct apic *a = &lab->apics[0];
        struct predictor p;
        memset(&p, 0, sizeof(p));
        for (unsigned i = 0; i < 1000; i++) {
            step(a, &p, &rng);
        }
        assert_same_registers(a, &p);
        assert_int_equal(a->stats.accepted, p.accepted);
        assert_int_equal(a->stats.merged, p.merged);
        assert_int_equal(a->stats.refused, p.refused);
        assert_int_equal(a->stats.delivered, p.delivered);
        assert_int_equal(a->stats.eois, p.eois);
        assert_int_equal(a->stats.eoi_broadcasts, p.broadcasts);
        lab_free(lab);
    }
}

/* A higher class interrupts a lower one, the same class waits; INTR is raised for each that can be taken. */
static void interrupts_nest_by_class(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_interrupt(a, 0x41, 10);
    assert_int_equal(apic_acknowledge(a, 15).vector, 0x41);
    lab_interrupt(a, 0x4f, 20);
    assert_false(apic_interrupt_pending(a));
    lab_interrupt(a, 0x50, 30);
    assert_int_equal(apic_acknowledge(a, 40).vector, 0x50);
    apic_eoi(a, 50);
    assert_false(apic_interrupt_pending(a));
    apic_eoi(a, 60);
    assert_int_equal(apic_acknowledge(a, 70).vector, 0x4f);
    assert_int_equal(lab_signals(lab, 0, APIC_SIGNAL_INTR), 3);
    assert_int_equal(lab->events[0].now, 10);
    assert_int_equal(lab->events[1].now, 30);
    assert_int_equal(lab->events[2].now, 60);
    assert_int_equal(a->stats.wait_cycles, (15 - 10) + (40 - 30) + (70 - 20));
}

/* The core was told of an interrupt, but raises its TPR before it acknowledges. SDM 11.9. */
static void a_late_mask_makes_it_spurious(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_SVR, 0x1e7, 0);
    lab_interrupt(a, 0x41, 0);
    apic_write_cr8(a, 4, 0);
    struct apic_acknowledged got = apic_acknowledge(a, 0);
    assert_int_equal(got.kind, APIC_VECTOR_SPURIOUS);
    assert_int_equal(got.vector, 0xe7);
    assert_int_equal(vector_set_highest(&a->isr), -1);
    apic_write_cr8(a, 3, 0);
    assert_int_equal(apic_acknowledge(a, 0).vector, 0x41);
}

/* SDM 11.4.7.2: NMI, SMI, INIT and SIPI come through, fixed interrupts do not. */
static void a_software_disabled_apic_takes_events_only(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_SVR, 0xff, 0);
    lab_interrupt(a, 0x41, 0);
    assert_false(apic_interrupt_pending(a));
    static const struct { enum interrupt_mode mode; enum apic_signal signal; } rows[] = {
        {INTERRUPT_NMI, APIC_SIGNAL_NMI}, {INTERRUPT_SMI, APIC_SIGNAL_SMI},
        {INTERRUPT_INIT, APIC_SIGNAL_INIT}, {INTERRUPT_STARTUP, APIC_SIGNAL_STARTUP},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct interrupt_message message = {.vector = 0x9a, .mode = rows[i].mode};
        apic_receive(a, &message, 7);
        assert_int_equal(lab->event_count, i + 1);
        assert_int_equal(lab->events[i].signal, rows[i].signal);
        assert_int_equal(lab->events[i].vector, rows[i].mode == INTERRUPT_STARTUP ? 0x9a : 0);
    }
}

/* ---- Local sources ---- */

enum {
    MODE_SMI = 2 << 8, MODE_NMI = 4 << 8, MODE_INIT = 5 << 8, MODE_EXTINT = 7 << 8, LOW = 1 << 13, LEVEL = 1 << 15,
};

static void pins_deliver_on_edges(void **state)
{
    (void)state;
    static const struct { uint32_t lvt; enum apic_signal signal; } rows[] = {
        {0x45, APIC_SIGNAL_INTR}, {MODE_NMI, APIC_SIGNAL_NMI}, {MODE_SMI, APIC_SIGNAL_SMI},
        {MODE_INIT, APIC_SIGNAL_INIT}, {MODE_NMI | LEVEL, APIC_SIGNAL_NMI}, {0x45 | LEVEL, APIC_SIGNAL_INTR},
    };
    for (unsigned pin = 0; pin < 2; pin++) {
        for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
            struct lab *lab = lab_make(1);
            struct apic *a = &lab->apics[0];
            uint32_t entry = pin == 0 ? APIC_LVT_LINT0 : APIC_LVT_LINT1;
            apic_set_lint(a, pin, true, 1); /* masked after reset */
            apic_set_lint(a, pin, false, 2);
            assert_int_equal(lab->event_count, 0);
            lab_write(a, entry, rows[i].lvt, 3);
            apic_set_lint(a, pin, true, 4);
            apic_set_lint(a, pin, true, 5);
            apic_set_lint(a, pin, false, 6);
            assert_int_equal(lab->event_count, 1);
            assert_int_equal(lab->events[0].signal, rows[i].signal);
            assert_int_equal(lab->events[0].now, 4);
            lab_write(a, entry, rows[i].lvt | LOW, 7);
            assert_int_equal(lab->event_count, 1);
            lab_free(lab);
        }
    }
}

static void a_level_on_lint0_comes_again_after_eoi(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab_write(a, APIC_LVT_LINT0, 0x45 | LEVEL, 0);
    apic_set_lint(a, 0, true, 1);
    assert_int_equal(lab_read(a, APIC_LVT_LINT0, 1), 0x45 | LEVEL | APIC_REMOTE_IRR);
    assert_int_equal(apic_acknowledge(a, 2).vector, 0x45);
    apic_eoi(a, 3);
    assert_int_equal(apic_acknowledge(a, 4).vector, 0x45);
    apic_set_lint(a, 0, false, 5);
    apic_eoi(a, 6);
    assert_false(apic_interrupt_pending(a));
    assert_int_equal(lab_read(a, APIC_LVT_LINT0, 7), 0x45 | LEVEL);
    assert_int_equal(a->stats.accepted, 2);
}

static void extint_asks_the_8259(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab->external_vector = 0x08;
    lab_write(a, APIC_LVT_LINT0, MODE_EXTINT, 0);
    apic_write_cr8(a, 15, 0); /* the TPR does not hold it back */
    apic_set_lint(a, 0, true, 1);
    assert_true(apic_interrupt_pending(a));
    struct apic_acknowledged got = apic_acknowledge(a, 2);
    assert_int_equal(got.kind, APIC_VECTOR_EXTERNAL);
    assert_int_equal(got.vector, 0x08);
    apic_set_lint(a, 0, false, 3);
    assert_false(apic_interrupt_pending(a));
    assert_int_equal(a->stats.external, 1);
    a->output.external_vector = NULL;
    apic_set_lint(a, 0, true, 4);
    assert_int_equal(apic_acknowledge(a, 5).kind, APIC_VECTOR_SPURIOUS);
}

/* SDM 11.4.3: with the APIC disabled in IA32_APIC_BASE, LINT0 is INTR and LINT1 is NMI. */
static void without_an_apic_the_pins_are_intr_and_nmi(void **state)
{
    struct lab *lab = *state;
    struct apic *a = &lab->apics[0];
    lab->external_vector = 0x70;
    lab_wrmsr(a, APIC_BASE_MSR, APIC_BASE_DEFAULT, 0);
    apic_set_lint(a, 1, true, 1);
    assert_int_equal(lab_signals(lab, 0, APIC_SIGNAL_NMI), 1);
    apic_set_lint(a, 0, true, 2);
    assert_int_equal(apic_acknowledge(a, 3).vector, 0x70);
    apic_set_lint(a, 0, false, 4);
    assert_false(apic_interrupt_pending(a));
}

static void sensors_deliver_and_the_counters_mask_themselves(void **state)
{
    (void)state;
    static const enum apic_offset entries[] = {APIC_LVT_CMCI, APIC_LVT_THERMAL, APIC_LVT_COUNTERS};
    for (size_t i = 0; i < HV_ARRAY_LEN(entries); i++) {
        struct lab *lab = lab_make(1);
        struct apic *a = &lab->apics[0];
        apic_local_event(a, entries[i], 0);
        assert_false(apic_interrupt_pending(a));
        lab_write(a, entries[i], 0x77, 0);
        apic_local_event(a, entries[i], 1);
        assert_int_equal(apic_acknowledge(a, 2).vector, 0x77);
        assert_int_equal(lab_read(a, entries[i], 3), entries[i] == APIC_LVT_COUNTERS ? 0x10077 : 0x77);
        lab_write(a, entries[i], MODE_INIT, 4);
        apic_local_event(a, entries[i], 5);
        lab_write(a, entries[i], MODE_NMI, 6);
        apic_local_event(a, entries[i], 7);
        assert_int_equal(lab_signals(lab, 0, APIC_SIGNAL_INIT), 0);
        assert_int_equal(lab_signals(lab, 0, APIC_SIGNAL_NMI), 1);
        lab_free(lab);
    }
}

GTEST_MAIN("ApicPriority", cmocka_unit_test(classes_decide), cmocka_unit_test(arbitration_priority),
           cmocka_unit_test(random_sequences_match_the_predictor), LAB_TEST(interrupts_nest_by_class),
           LAB_TEST(a_late_mask_makes_it_spurious),
           LAB_TEST(a_software_disabled_apic_takes_events_only), cmocka_unit_test(pins_deliver_on_edges),
           LAB_TEST(a_level_on_lint0_comes_again_after_eoi), LAB_TEST(extint_asks_the_8259),
           LAB_TEST(without_an_apic_the_pins_are_intr_and_nmi),
           cmocka_unit_test(sensors_deliver_and_the_counters_mask_themselves))
