/* SPDX-License-Identifier: MIT */
/* The local interrupt sources and their vector table. SDM Vol. 3A 11.5 "Handling Local Interrupts" (10.5). */
#include "apic/apic_parts.h"
#include "base/err.h"

enum { LINT_PINS = 2 };

static const enum apic_offset pin_entry[LINT_PINS] = {APIC_LVT_LINT0, APIC_LVT_LINT1};

static enum interrupt_mode mode_of(uint32_t lvt)
{
    return (enum interrupt_mode)(lvt >> APIC_MODE_SHIFT & 7);
}

static bool is_masked(const struct apic *a, enum apic_offset entry)
{
    return (apic_get(a, entry) & APIC_MASKED) != 0;
}

static bool is_lint(enum apic_offset entry)
{
    return entry == APIC_LVT_LINT0 || entry == APIC_LVT_LINT1;
}

/* An unmasked entry delivers. The timer and the error entry have no mode bits, so theirs read as fixed. */
static void deliver(struct apic *a, enum apic_offset entry, enum interrupt_trigger trigger, hv_cycles now)
{
    uint32_t lvt = apic_get(a, entry);
    switch (mode_of(lvt)) {
    case INTERRUPT_FIXED:
        if (apic_accept(a, (uint8_t)(lvt & APIC_VECTOR), trigger, now) && trigger == INTERRUPT_LEVEL) {
            *apic_register_at(a, entry) |= APIC_REMOTE_IRR;
        }
        break;
    case INTERRUPT_SMI: apic_signal_event(a, APIC_SIGNAL_SMI, 0, now); break;
    case INTERRUPT_NMI: apic_signal_event(a, APIC_SIGNAL_NMI, 0, now); break;
    case INTERRUPT_INIT:
        if (is_lint(entry)) { /* the sensors do not support it: SDM 11.5.1 (10.5.1) */
            apic_signal_event(a, APIC_SIGNAL_INIT, 0, now);
        }
        break;
    default: break; /* ExtINT is a level (apic_update_lint). MODEL: a reserved mode delivers nothing. */
    }
}

void apic_deliver_local(struct apic *a, enum apic_offset entry, hv_cycles now)
{
    if (!is_masked(a, entry)) {
        deliver(a, entry, INTERRUPT_EDGE, now);
    }
}

void apic_local_event(struct apic *a, enum apic_offset entry, hv_cycles now)
{
    HV_ASSERT(entry == APIC_LVT_CMCI || entry == APIC_LVT_THERMAL || entry == APIC_LVT_COUNTERS,
              "%#x is no local event source", (unsigned)entry);
    apic_advance(a, now);
    apic_deliver_local(a, entry, now);
    if (entry == APIC_LVT_COUNTERS) {
        /* SDM Vol. 3B "Generating an Interrupt on Overflow": the entry masks itself until software unmasks it. */
        *apic_register_at(a, entry) |= APIC_MASKED;
    }
}

static bool asserted(const struct apic *a, unsigned pin)
{
    return a->lint[pin] != ((apic_get(a, pin_entry[pin]) & APIC_ACTIVE_LOW) != 0);
}

/* SDM 11.5.1 (10.5.1): only fixed interrupts of LINT0 may be level-triggered. */
static bool is_level(const struct apic *a, unsigned pin)
{
    uint32_t lvt = apic_get(a, pin_entry[pin]);
    return pin == 0 && (lvt & APIC_LEVEL) != 0 && mode_of(lvt) == INTERRUPT_FIXED;
}

static bool drives_external(const struct apic *a, unsigned pin)
{
    return mode_of(apic_get(a, pin_entry[pin])) == INTERRUPT_EXTINT && asserted(a, pin) &&
           !is_masked(a, pin_entry[pin]);
}

void apic_update_lint(struct apic *a, hv_cycles now)
{
    if (apic_mode(a) == APIC_MODE_DISABLED) {
        return;
    }
    a->external_pin = drives_external(a, 0) || drives_external(a, 1);
    if (!is_level(a, 0)) {
        *apic_register_at(a, APIC_LVT_LINT0) &= ~(uint32_t)APIC_REMOTE_IRR;
    } else if (asserted(a, 0) && !is_masked(a, APIC_LVT_LINT0) &&
               (apic_get(a, APIC_LVT_LINT0) & APIC_REMOTE_IRR) == 0) {
        deliver(a, APIC_LVT_LINT0, INTERRUPT_LEVEL, now);
    }
    apic_update_intr(a, now);
}

/* SDM 11.4.3 (10.4.3): without an APIC the pins are INTR and NMI. */
static void set_pin_without_apic(struct apic *a, unsigned pin, bool rises, hv_cycles now)
{
    if (pin == 0) {
        a->external_pin = a->lint[0];
        apic_update_intr(a, now);
    } else if (rises) {
        apic_signal_event(a, APIC_SIGNAL_NMI, 0, now);
    }
}

void apic_set_lint(struct apic *a, unsigned pin, bool high, hv_cycles now)
{
    HV_ASSERT(pin < LINT_PINS, "LINT%u", pin);
    apic_advance(a, now);
    bool before = asserted(a, pin);
    bool rises = high && !a->lint[pin];
    a->lint[pin] = high;
    if (apic_mode(a) == APIC_MODE_DISABLED) {
        set_pin_without_apic(a, pin, rises, now);
        return;
    }
    if (!is_level(a, pin) && asserted(a, pin) && !before) {
        apic_deliver_local(a, pin_entry[pin], now);
    }
    apic_update_lint(a, now);
}

void apic_local_eoi(struct apic *a, uint8_t vector, hv_cycles now)
{
    uint32_t *lint0 = apic_register_at(a, APIC_LVT_LINT0);
    if ((*lint0 & APIC_REMOTE_IRR) != 0 && (*lint0 & APIC_VECTOR) == vector) {
        *lint0 &= ~(uint32_t)APIC_REMOTE_IRR;
        apic_update_lint(a, now);
    }
}
