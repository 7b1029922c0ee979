/* SPDX-License-Identifier: MIT */
/*
 * Sends devices' interrupts to processors: an IOMMU's interrupt-remapping table, and posted-interrupt descriptors.
 *
 * VT-d chapter 5, "Interrupt Remapping and Interrupt Posting". Each interrupt of a function has an entry of its own,
 * that accepts only this function's requests. A remapped entry names a vector and a processor; a posted one names a
 * vector of a guest and the descriptor of its virtual processor (apic/posted.h), which names the processor that runs
 * it. So when a virtual processor moves to another core, the first kind is rewritten entry by entry, and each is
 * invalidated; of the second a field of the descriptor is written, which nobody caches.
 */
#ifndef HV_VMM_IRQ_MAP_H
#define HV_VMM_IRQ_MAP_H

#include "vmm/dma_unit.h"

struct irq_map {
    struct dma_unit *unit;
    uint64_t table;
    unsigned entries_log2;
    bool extended;          /* destinations are x2APIC ids */
    uint64_t *used;         /* a bit for each entry */
};

/* What becomes of an interrupt. */
struct irq_route {
    uint16_t source;        /* the requester id that it has to come from */
    uint8_t vector;         /* posted: of the guest */
    bool posted, urgent;
    uint32_t destination;   /* remapped: APIC id of the processor */
    uint64_t descriptor;    /* posted: its host-physical address */
};

/* What the device is programmed with, as MSI address and data. */
struct irq_message {
    bool ok;                /* false: there is no entry left */
    uint32_t index;         /* of the entry */
    uint64_t address;
    uint32_t data;
    hv_cycles done;
};

/*
 * A table of 2^entries_log2 entries (1 to 16), all empty: no interrupt passes. Fails with a sentence when the hardware
 * does not remap interrupts, or memory is too small.
 */
bool irq_map_init(struct irq_map *m, struct dma_unit *unit, unsigned entries_log2, bool extended, struct hv_err *err);
void irq_map_fini(struct irq_map *m);

/* Sets the pointer to the table, turns remapping on, and blocks interrupts of the compatibility format. */
hv_cycles irq_map_start(struct irq_map *m, hv_cycles now);

/* Takes the first free entry for an interrupt; changes one; frees one. The last two wait for the invalidation. */
struct irq_message irq_map_add(struct irq_map *m, const struct irq_route *route, hv_cycles now);
hv_cycles irq_map_change(struct irq_map *m, uint32_t index, const struct irq_route *route, hv_cycles now);
hv_cycles irq_map_remove(struct irq_map *m, uint32_t index, hv_cycles now);

/* Sends a remapped interrupt to another processor. */
hv_cycles irq_map_move(struct irq_map *m, uint32_t index, uint32_t destination, hv_cycles now);

/* The descriptor of a virtual processor: its notification vector, and the processor that is notified. */
void irq_descriptor_init(struct irq_map *m, uint64_t descriptor, uint8_t notification_vector, uint32_t destination);
hv_cycles irq_descriptor_move(struct irq_map *m, uint64_t descriptor, uint32_t destination, hv_cycles now);

/* While its virtual processor does not run, notifications of what is not urgent are suppressed. */
hv_cycles irq_descriptor_suppress(struct irq_map *m, uint64_t descriptor, bool suppress, hv_cycles now);

#endif
