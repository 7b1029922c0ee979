/* SPDX-License-Identifier: MIT */
/*
 * What interrupt controllers send each other: interprocessor interrupts, interrupts of an I/O APIC, and MSIs once they
 * are decoded. SDM Vol. 3A "Issuing Interprocessor Interrupts" (11.6; 10.6 in editions before 2022) and "Message
 * Signalled Interrupts" (11.11; 10.11).
 */
#ifndef HV_APIC_INTERRUPT_MESSAGE_H
#define HV_APIC_INTERRUPT_MESSAGE_H

#include "base/types.h"

/* Delivery modes, numbered as in the ICR, the LVT, redirection-table entries and MSI data. */
enum interrupt_mode {
    INTERRUPT_FIXED, INTERRUPT_LOWEST_PRIORITY, INTERRUPT_SMI, INTERRUPT_RESERVED_3,
    INTERRUPT_NMI, INTERRUPT_INIT, INTERRUPT_STARTUP, INTERRUPT_EXTINT,
};

enum interrupt_trigger { INTERRUPT_EDGE, INTERRUPT_LEVEL };

enum interrupt_destination_mode { INTERRUPT_PHYSICAL, INTERRUPT_LOGICAL };

#define INTERRUPT_BROADCAST UINT32_MAX /* as a destination: every processor */

struct interrupt_message {
    uint8_t vector; /* of a start-up IPI the page number; of NMI, SMI and INIT without meaning */
    enum interrupt_mode mode;
    enum interrupt_trigger trigger;
    enum interrupt_destination_mode destination_mode;
    uint32_t destination; /* a sender with 8-bit destinations writes a physical FFH as INTERRUPT_BROADCAST */
};

#endif
