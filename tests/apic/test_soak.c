/* SPDX-License-Identifier: MIT */
/* Hostile guests: random accesses to everything. Nothing may crash, and what must always hold holds. */
#include "lab.h"

#include <string.h>

#include "apic/msi.h"
#include "base/rng.h"
#include "vlab.h"

/* Mostly interesting values: random bits, single bits, all ones, small numbers. */
static uint64_t value_of(struct hv_rng *rng)
{
    switch (rng_below(rng, 5)) {
    case 0: return rng_next(rng);
    case 1: return UINT64_C(1) << rng_below(rng, 64);
    case 2: return UINT64_MAX;
    case 3: return rng_below(rng, 256);
    default: return rng_next(rng) & 0xcffff;
    }
}

static hv_cycles later(struct hv_rng *rng, hv_cycles now)
{
    return now + (rng_below(rng, 100) == 0 ? rng_below(rng, UINT64_C(1) << 40) : rng_below(rng, 200));
}

/* Illegal vectors are never requested nor in service, and reserved bits of the LVT are never set. */
static void assert_sane(struct apic *a)
{
    assert_int_equal(a->irr.bits[0] & 0xffff, 0);
    assert_int_equal(a->isr.bits[0] & 0xffff, 0);
    for (uint32_t i = 0; i < APIC_REGISTERS; i++) {
        const struct apic_register *row = &apic_registers[i];
        /* x2APIC mode keeps 32-bit numbers in these. */
        bool wide = i << 4 == APIC_ID || i << 4 == APIC_LDR || i << 4 == APIC_ICR_HIGH;
        bool plain = row->writable != 0 && !wide;
        assert_true(!plain || (a->registers[i] & ~(row->writable | row->read_only | row->reset)) == 0);
    }
    bool disabled = (a->registers[APIC_SVR >> 4] & APIC_SVR_ENABLE) == 0;
    assert_true(!disabled || (a->registers[APIC_LVT_TIMER >> 4] & APIC_MASKED) != 0);
    assert_true(!a->raised || apic_interrupt_pending(a));
    assert_int_equal(a->stats.accepted, a->stats.delivered + a->stats.dropped + vector_set_count(&a->irr));
}

/* No message is lost. */
static void assert_all_accounted_for(const struct apic_bus *b)
{
    const struct apic_bus_stats *s = &b->stats;
    assert_int_equal(s->ipi_messages + s->ioapic_messages + s->msi_messages + s->eoi_messages,
                     s->arrived + s->blocked + s->ignored + b->entry_count);
}

static void poke_apic(struct lab *lab, struct hv_rng *rng, hv_cycles now)
{
    struct apic *a = &lab->apics[rng_below(rng, lab->count)];
    uint64_t value;
    switch (rng_below(rng, 10)) {
    case 0:
    case 1: apic_write(a, (uint32_t)rng_below(rng, 64) << 4, 4, value_of(rng), now); break;
    case 2: apic_write(a, (uint32_t)value_of(rng), (unsigned)rng_below(rng, 20), value_of(rng), now); break;
    case 3: apic_read(a, (uint32_t)value_of(rng), (unsigned)rng_below(rng, 20), now); break;
    case 4: apic_write_msr(a, 0x800 + (uint32_t)rng_below(rng, 0x44), value_of(rng), now); break;
    case 5: apic_read_msr(a, 0x800 + (uint32_t)rng_below(rng, 0x110), &value, now); break;
    case 6: apic_write_msr(a, APIC_TSC_DEADLINE_MSR, value_of(rng), now); break;
    case 7: apic_acknowledge(a, now); break;
    case 8: apic_set_lint(a, (unsigned)rng_below(rng, 2), rng_below(rng, 2) == 0, now); break;
    default:
        if (rng_below(rng, 20) == 0) {
            apic_write_msr(a, APIC_BASE_MSR, APIC_BASE_DEFAULT | rng_below(rng, 4) << 10, now);
        } else if (rng_below(rng, 20) == 0) {
            apic_reset_by_init(a);
        } else if (rng_below(rng, 20) == 0) {
            apic_set_tsc_offset(a, value_of(rng), now);
        } else {
            apic_write(a, APIC_SVR, 4, LAB_SVR_ENABLED, now);
        }
        break;
    }
    assert_sane(a);
}

static void poke_rest(struct lab *lab, struct hv_rng *rng, hv_cycles now)
{
    struct msi msi = {.address = 0xfee00000 | (value_of(rng) & 0xfffff), .data = (uint32_t)value_of(rng)};
    switch (rng_below(rng, 4)) {
    case 0: apic_bus_send_msi(&lab->bus, &msi, now); break;
    case 1: ioapic_set_pin(&lab->ioapic, (unsigned)rng_below(rng, IOAPIC_PINS), rng_below(rng, 2) == 0, now); break;
    case 2: ioapic_write(&lab->ioapic, (uint32_t)rng_below(rng, 8) << 4, 4, (uint32_t)value_of(rng), now); break;
    default: ioapic_read(&lab->ioapic, (uint32_t)value_of(rng), (unsigned)rng_below(rng, 9), now); break;
    }
}

static void random_accesses_to_apics(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 99);
    for (unsigned run = 0; run < 20; run++) {
        struct lab *lab = lab_make(1 + (uint32_t)rng_below(&rng, LAB_APICS));
        lab->params.timer_cycles = 1 + rng_below(&rng, 50);
        hv_cycles now = 0;
        for (unsigned i = 0; i < 10000; i++) {
            now = later(&rng, now);
            if (rng_below(&rng, 3) == 0) {
                poke_rest(lab, &rng, now);
            } else {
                poke_apic(lab, &rng, now);
            }
            apic_bus_advance(&lab->bus, now);
            assert_true(apic_bus_next(&lab->bus) > now);
            assert_all_accounted_for(&lab->bus);
        }
        lab_free(lab);
    }
}

/* The same accesses twice give the same events and statistics. */
static void the_same_again(void **state)
{
    (void)state;
    struct lab *labs[2];
    for (unsigned n = 0; n < 2; n++) {
        struct hv_rng rng;
        rng_init(&rng, 1234);
        labs[n] = lab_make(4);
        for (hv_cycles now = 0; now < 20000; now += 7) {
            poke_apic(labs[n], &rng, now);
            poke_rest(labs[n], &rng, now);
            apic_bus_advance(&labs[n]->bus, now);
        }
    }
    assert_int_equal(labs[0]->event_count, labs[1]->event_count);
    assert_true(labs[0]->event_count > 10);
    size_t kept = labs[0]->event_count < LAB_EVENTS ? labs[0]->event_count : LAB_EVENTS;
    for (size_t i = 0; i < kept; i++) {
        assert_int_equal(labs[0]->events[i].now, labs[1]->events[i].now);
        assert_int_equal(labs[0]->events[i].signal, labs[1]->events[i].signal);
        assert_int_equal(labs[0]->events[i].vector, labs[1]->events[i].vector);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_memory_equal(&labs[0]->apics[i].stats, &labs[1]->apics[i].stats, sizeof(struct apic_stats));
    }
    lab_free(labs[0]);
    lab_free(labs[1]);
}

/* A virtual APIC whose addresses are anything at all, memory that is not there included. */
static void random_virtual_apics(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 77);
    struct vlab lab;
    vlab_init(&lab);
    for (unsigned i = 0; i < 200000; i++) {
        if (i % 50 == 0) {
            vlab_controls(&lab, (unsigned)rng_below(&rng, 64));
            lab.v.page = (hv_hpa){rng_below(&rng, 4) == 0 ? value_of(&rng) & ~UINT64_C(0xfff) : VLAB_PAGE};
            lab.v.controls.posted_descriptor = (hv_hpa){value_of(&rng) & ~UINT64_C(63)};
            lab.v.controls.pid_pointer_table = (hv_hpa){value_of(&rng) & ~UINT64_C(7)};
            lab.v.controls.last_pid_pointer_index = (uint16_t)rng_next(&rng);
            lab.v.controls.tpr_threshold = (uint8_t)rng_next(&rng);
            lab.v.rvi = (uint8_t)rng_next(&rng);
            lab.v.svi = (uint8_t)rng_next(&rng);
        }
        struct vapic_access access = {(uint32_t)value_of(&rng), (unsigned)rng_below(&rng, 17),
                                      (enum vapic_access_kind)rng_below(&rng, VAPIC_PHYSICAL + 1), 0, 0};
        switch (rng_below(&rng, 8)) {
        case 0: vapic_access(&lab.v, &access, value_of(&rng)); break;
        case 1: vapic_emulate_write(&lab.v, (uint32_t)value_of(&rng)); break;
        case 2: vapic_read_msr(&lab.v, 0x800 + (uint32_t)rng_below(&rng, 0x110)); break;
        case 3: vapic_write_msr(&lab.v, 0x800 + (uint32_t)rng_below(&rng, 0x44), value_of(&rng)); break;
        case 4: vapic_write_cr8(&lab.v, value_of(&rng)); break;
        case 5: vapic_process_posted(&lab.v); break;
        case 6: vapic_send_ipi(&lab.v, (uint8_t)rng_next(&rng), (uint32_t)value_of(&rng)); break;
        default:
            vapic_enter(&lab.v);
            if (lab.v.recognized) {
                vapic_deliver(&lab.v);
            }
            break;
        }
    }
    vlab_fini(&lab);
}

GTEST_MAIN("ApicSoak", cmocka_unit_test(random_accesses_to_apics), cmocka_unit_test(the_same_again),
           cmocka_unit_test(random_virtual_apics))
