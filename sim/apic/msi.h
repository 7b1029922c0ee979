/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts: a write of a device to FEExxxxxH is an interrupt.
 *
 * SDM Vol. 3A "Message Signalled Interrupts" (11.11; 10.11 in editions before 2022):
 *
 *     address   31:20 FEEH | 19:12 destination ID | 4 format | 3 redirection hint | 2 destination mode
 *     data      15 trigger | 14 level | 10:8 delivery mode | 7:0 vector
 *
 * With bit 4 set the write is in the remappable format of VT-d ("Interrupt Requests in Remappable Format", 5.1.2.2),
 * which only an IOMMU understands.
 */
#ifndef HV_APIC_MSI_H
#define HV_APIC_MSI_H

#include "apic/interrupt_message.h"

struct msi {
    uint64_t address;
    uint32_t data;
    uint16_t source; /* bus, device and function of whoever writes */
};

/* Whether an address is that of an MSI and not of memory. */
bool msi_is_address(uint64_t address);

bool msi_is_remappable(const struct msi *msi);

/*
 * Decodes the compatibility format. False: it is no interrupt (not an MSI address, or the de-assertion of a level).
 *
 * MODEL: the destination mode counts also without redirection hint, as on silicon though not in the SDM's words. With
 * the hint a fixed interrupt goes to the lowest priority of its destinations.
 */
bool msi_decode(const struct msi *msi, struct interrupt_message *message);

/*
 * The wire to an IOMMU, which may not be included here: it is asked for every MSI and either fills in the interrupt
 * that it becomes, posts it and sends a notification in its place, or blocks it (false). `latency` is what it adds.
 */
struct interrupt_remapping {
    bool (*remap)(void *ctx, const struct msi *msi, struct interrupt_message *message, hv_cycles now,
                  hv_cycles *latency);
    void *ctx;
};

#endif
