/* SPDX-License-Identifier: MIT */
/* Sending interprocessor interrupts. SDM Vol. 3A 11.6 "Issuing Interprocessor Interrupts" (10.6 before 2022). */
#include "apic/apic_bus.h"
#include "apic/apic_parts.h"

enum shorthand { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

static bool has_priority(enum interrupt_mode mode)
{
    return mode == INTERRUPT_FIXED || mode == INTERRUPT_LOWEST_PRIORITY;
}

/*
 * The combinations of SDM table 11-3, "Valid Combinations for the Pentium 4 and Intel Xeon Processors" (10-3). MODEL:
 * an invalid one sends nothing, and so does INIT level de-assert, which these processors do not support.
 */
static bool is_valid(uint32_t icr)
{
    enum shorthand shorthand = (enum shorthand)(icr >> APIC_SHORTHAND_SHIFT & 3);
    enum interrupt_mode mode = (enum interrupt_mode)(icr >> APIC_MODE_SHIFT & 7);
    if (mode == INTERRUPT_RESERVED_3 || mode == INTERRUPT_EXTINT) {
        return false;
    }
    if (mode == INTERRUPT_INIT && (icr & (APIC_LEVEL | APIC_ASSERT)) == APIC_LEVEL) {
        return false;
    }
    return mode == INTERRUPT_FIXED || shorthand == SHORTHAND_NONE || shorthand == SHORTHAND_OTHERS;
}

/* Of a destination of 8 bits, a physical FFH means everyone. SDM 11.6.2.1 (10.6.2.1). */
static uint32_t wide_destination(enum interrupt_destination_mode mode, uint32_t destination)
{
    return mode == INTERRUPT_PHYSICAL && destination == 0xff ? INTERRUPT_BROADCAST : destination;
}

/* A level trigger is overridden to edge (note 1 of the table). */
static struct interrupt_message message_of_icr(const struct apic *a, uint32_t icr)
{
    uint32_t high = apic_get(a, APIC_ICR_HIGH);
    struct interrupt_message message = {
        .vector = (uint8_t)(icr & APIC_VECTOR),
        .mode = (enum interrupt_mode)(icr >> APIC_MODE_SHIFT & 7),
        .trigger = INTERRUPT_EDGE,
        .destination_mode = (icr & APIC_LOGICAL) != 0 ? INTERRUPT_LOGICAL : INTERRUPT_PHYSICAL,
        .destination = high,
    };
    if (apic_mode(a) != APIC_MODE_X2APIC) {
        message.destination = wide_destination(message.destination_mode, high >> 24);
    }
    return message;
}

static void send(struct apic *a, const struct interrupt_message *message, enum apic_bus_targets targets,
                 hv_cycles now)
{
    if (has_priority(message->mode) && message->vector < VECTOR_LEGAL_MIN) {
        apic_record_errors(a, APIC_ERROR_SENT_VECTOR, now);
        return;
    }
    a->stats.ipis++;
    if (targets == APIC_BUS_SELF) {
        apic_receive(a, message, now); /* MODEL: an interrupt to oneself takes no time on the way */
    } else if (a->bus != NULL) {
        a->icr_pending_until = apic_bus_send_ipi(a->bus, a, message, targets, now);
    }
}

void apic_send_icr(struct apic *a, hv_cycles now)
{
    static const enum apic_bus_targets targets[] = {
        [SHORTHAND_NONE] = APIC_BUS_ADDRESSED,
        [SHORTHAND_SELF] = APIC_BUS_SELF,
        [SHORTHAND_ALL] = APIC_BUS_ALL,
        [SHORTHAND_OTHERS] = APIC_BUS_OTHERS,
    };
    uint32_t icr = apic_get(a, APIC_ICR);
    if (is_valid(icr)) {
        struct interrupt_message message = message_of_icr(a, icr);
        send(a, &message, targets[icr >> APIC_SHORTHAND_SHIFT & 3], now);
    }
}

void apic_send_self(struct apic *a, uint8_t vector, hv_cycles now)
{
    struct interrupt_message message = {.vector = vector, .mode = INTERRUPT_FIXED};
    send(a, &message, APIC_BUS_SELF, now);
}

/* MODEL: silicon sends it through the ICR (SDM 30.1.6); here the ICR keeps the value that software wrote. */
void apic_send_notification(struct apic *a, uint32_t ndst, uint8_t vector, hv_cycles now)
{
    uint32_t destination = apic_mode(a) == APIC_MODE_X2APIC
                               ? ndst
                               : wide_destination(INTERRUPT_PHYSICAL, ndst >> 8 & 0xff);
    struct interrupt_message message = {.vector = vector, .mode = INTERRUPT_FIXED, .destination = destination};
    send(a, &message, APIC_BUS_ADDRESSED, now);
}
