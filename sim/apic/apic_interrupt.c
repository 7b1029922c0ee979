/* SPDX-License-Identifier: MIT */
/* Acceptance, priority and end of interrupts. SDM Vol. 3A 11.8 "Handling Interrupts" (10.8 before 2022). */
#include "apic/apic_bus.h"
#include "apic/apic_parts.h"

static uint8_t class_of(unsigned vector)
{
    return (uint8_t)(vector >> 4);
}

/* The highest vector of a set, or 0, which no set of this APIC contains. */
static uint8_t highest(const struct vector_set *set)
{
    int vector = vector_set_highest(set);
    return vector < 0 ? 0 : (uint8_t)vector;
}

/*
 * SDM 11.8.3.1 (10.8.3.1). The low half where task and interrupt are of the same class may be that of the TPR or 0.
 * MODEL: it is that of the TPR, as the PPR virtualization of APIC virtualization has it.
 */
uint8_t apic_processor_priority(const struct apic *a)
{
    uint8_t task = (uint8_t)apic_get(a, APIC_TPR), service = highest(&a->isr);
    return class_of(task) >= class_of(service) ? task : service & 0xf0;
}

/* SDM 11.6.2.4 (10.6.2.4). */
uint8_t apic_arbitration_priority(const struct apic *a)
{
    uint8_t task = (uint8_t)apic_get(a, APIC_TPR), service = highest(&a->isr), request = highest(&a->irr);
    if (class_of(task) >= class_of(request) && class_of(task) > class_of(service)) {
        return task;
    }
    uint8_t both = class_of(task) & class_of(service);
    return (uint8_t)((both > class_of(request) ? both : class_of(request)) << 4);
}

static bool fixed_pending(const struct apic *a)
{
    return class_of(highest(&a->irr)) > class_of(apic_processor_priority(a));
}

bool apic_interrupt_pending(const struct apic *a)
{
    return a->external_pin || a->external_message || fixed_pending(a);
}

static void signal_core(struct apic *a, enum apic_signal signal, uint8_t vector, hv_cycles now)
{
    if (a->output.raise != NULL) {
        a->output.raise(a->output.ctx, a->identity.processor, signal, vector, now);
    }
}

void apic_update_intr(struct apic *a, hv_cycles now)
{
    bool pending = apic_interrupt_pending(a);
    if (pending && !a->raised) {
        signal_core(a, APIC_SIGNAL_INTR, 0, now);
    }
    a->raised = pending;
}

void apic_record_errors(struct apic *a, uint32_t errors, hv_cycles now)
{
    /* SDM 11.5.3 (10.5.3): writing the ESR arms the error interrupt, the first error fires it. */
    bool first = a->errors == 0;
    a->errors |= errors;
    a->stats.errors++;
    if (first) {
        apic_deliver_local(a, APIC_LVT_ERROR, now);
    }
}

/* SDM 11.8.4 (10.8.4); 11.4.7.2 (10.4.7.2) for an APIC that software disabled. */
bool apic_accept(struct apic *a, uint8_t vector, enum interrupt_trigger trigger, hv_cycles now)
{
    if (vector < VECTOR_LEGAL_MIN || !apic_software_enabled(a)) {
        a->stats.refused++;
        if (vector < VECTOR_LEGAL_MIN) {
            apic_record_errors(a, APIC_ERROR_RECEIVED_VECTOR, now);
        }
        return false;
    }
    if (vector_set_has(&a->irr, vector)) {
        a->stats.merged++;
    } else {
        vector_set_add(&a->irr, vector);
        a->accepted_at[vector] = now;
        a->stats.accepted++;
    }
    if (trigger == INTERRUPT_LEVEL) {
        vector_set_add(&a->tmr, vector);
    } else {
        vector_set_remove(&a->tmr, vector);
    }
    apic_update_intr(a, now);
    return true;
}

void apic_signal_event(struct apic *a, enum apic_signal signal, uint8_t vector, hv_cycles now)
{
    a->stats.events++;
    signal_core(a, signal, vector, now);
}

void apic_receive(struct apic *a, const struct interrupt_message *message, hv_cycles now)
{
    switch (message->mode) {
    case INTERRUPT_FIXED:
    case INTERRUPT_LOWEST_PRIORITY: apic_accept(a, message->vector, message->trigger, now); break;
    case INTERRUPT_SMI: apic_signal_event(a, APIC_SIGNAL_SMI, 0, now); break;
    case INTERRUPT_NMI: apic_signal_event(a, APIC_SIGNAL_NMI, 0, now); break;
    case INTERRUPT_INIT: apic_signal_event(a, APIC_SIGNAL_INIT, 0, now); break;
    case INTERRUPT_STARTUP: apic_signal_event(a, APIC_SIGNAL_STARTUP, message->vector, now); break;
    case INTERRUPT_EXTINT:
        a->external_message = true;
        apic_update_intr(a, now);
        break;
    case INTERRUPT_RESERVED_3: break; /* MODEL: a reserved delivery mode delivers nothing. */
    }
}

/* Logical destination in xAPIC mode. SDM 11.6.2.2 (10.6.2.2). MODEL: a reserved model in the DFR matches nothing. */
static bool logical_match_xapic(const struct apic *a, uint32_t destination)
{
    enum { FLAT = 15, CLUSTER = 0 };
    uint32_t model = apic_get(a, APIC_DFR) >> 28, logical = apic_get(a, APIC_LDR) >> 24;
    if (destination > 0xff) {
        return false;
    }
    if (model == FLAT) {
        return (destination & logical) != 0;
    }
    return model == CLUSTER &&
           (destination == 0xff || (destination >> 4 == logical >> 4 && (destination & logical & 15) != 0));
}

/* SDM 11.12.10.2 (10.12.10.2). */
static bool logical_match_x2apic(const struct apic *a, uint32_t destination)
{
    uint32_t logical = apic_get(a, APIC_LDR);
    return destination >> 16 == logical >> 16 && (destination & logical & 0xffff) != 0;
}

bool apic_is_destination(const struct apic *a, const struct interrupt_message *message)
{
    enum apic_mode mode = apic_mode(a);
    if (mode == APIC_MODE_DISABLED) {
        return false;
    }
    if (message->destination == INTERRUPT_BROADCAST) {
        return true;
    }
    if (message->destination_mode == INTERRUPT_PHYSICAL) {
        uint32_t id = apic_get(a, APIC_ID);
        return message->destination == (mode == APIC_MODE_X2APIC ? id : id >> 24);
    }
    return mode == APIC_MODE_X2APIC ? logical_match_x2apic(a, message->destination)
                                    : logical_match_xapic(a, message->destination);
}

/* The 8259 behind ExtINT goes first, as its INTA cycle bypasses the priorities of the APIC. */
static struct apic_acknowledged acknowledge_external(struct apic *a)
{
    a->external_message = false;
    a->stats.external++;
    return (struct apic_acknowledged){a->output.external_vector(a->output.ctx, a->identity.processor),
                                      APIC_VECTOR_EXTERNAL};
}

struct apic_acknowledged apic_acknowledge(struct apic *a, hv_cycles now)
{
    apic_advance(a, now);
    struct apic_acknowledged taken = {(uint8_t)(apic_get(a, APIC_SVR) & APIC_VECTOR), APIC_VECTOR_SPURIOUS};
    if ((a->external_pin || a->external_message) && a->output.external_vector != NULL) {
        taken = acknowledge_external(a);
    } else if (fixed_pending(a)) {
        taken = (struct apic_acknowledged){highest(&a->irr), APIC_VECTOR_FIXED};
        vector_set_remove(&a->irr, taken.vector);
        vector_set_add(&a->isr, taken.vector);
        a->stats.delivered++;
        a->stats.wait_cycles += now > a->accepted_at[taken.vector] ? now - a->accepted_at[taken.vector] : 0;
    } else {
        /* MODEL: an ExtINT that nobody stands behind is a spurious interrupt, once. */
        a->external_message = false;
        a->stats.spurious++;
    }
    apic_update_intr(a, now);
    return taken;
}

void apic_eoi(struct apic *a, hv_cycles now)
{
    int vector = vector_set_highest(&a->isr);
    if (vector < 0) {
        return;
    }
    uint8_t done = (uint8_t)vector;
    vector_set_remove(&a->isr, done);
    a->stats.eois++;
    if (vector_set_has(&a->tmr, done)) {
        apic_local_eoi(a, done, now);
        if ((apic_get(a, APIC_SVR) & APIC_SVR_NO_EOI_BROADCAST) == 0 && a->bus != NULL) {
            a->stats.eoi_broadcasts++;
            apic_bus_send_eoi(a->bus, done, now);
        }
    }
    apic_update_intr(a, now);
}
