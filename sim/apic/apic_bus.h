/* SPDX-License-Identifier: MIT */
/*
 * The interrupt bus: carries messages between local APICs, from I/O APICs and devices to local APICs, and EOIs back to
 * the I/O APICs. On silicon this is the system bus or the on-chip interconnect (SDM Vol. 3A 11.2, "System Bus vs. APIC
 * Bus"; 10.2 before 2022).
 *
 * A message arrives the latency of its kind after it was sent. Who its destinations are is decided when it arrives.
 * Messages arrive in the order of their time, those of the same time in the order in which they were sent, so a run is
 * the same whatever watches it.
 *
 *     apic_bus_next()       when the next message arrives
 *     apic_bus_advance()    delivers all that have arrived until now
 *
 * MODEL: the bus has room for every message, so one never waits for another. MODEL: at most APIC_BUS_MESSAGES are
 * under way; one more makes the first of them arrive early (`crowded`), which takes thousands of interrupts within a
 * latency.
 */
#ifndef HV_APIC_APIC_BUS_H
#define HV_APIC_APIC_BUS_H

#include "apic/apic.h"
#include "apic/msi.h"

struct ioapic;

enum { APIC_BUS_MAX_APICS = 1024, APIC_BUS_MAX_IOAPICS = 16, APIC_BUS_MESSAGES = 1024 };

struct apic_bus_stats {
#define S STAT_MEMBER
#include "apic/apic_bus_stats.def"
#undef S
};

extern const struct stat_row apic_bus_stat_rows[];
extern const size_t apic_bus_stat_count;

/* Whom a message is for. */
enum apic_bus_targets { APIC_BUS_ADDRESSED, APIC_BUS_SELF, APIC_BUS_ALL, APIC_BUS_OTHERS };

/* A message under way. The entries are a heap: none arrives before its parent, the one at (its place - 1) / 2. */
struct apic_bus_entry {
    hv_cycles arrival, sent;
    uint64_t sequence;
    bool is_eoi; /* of the message's vector */
    enum apic_bus_targets targets;
    const struct apic *sender; /* of APIC_BUS_OTHERS */
    struct interrupt_message message;
};

struct apic_bus {
    const struct apic_params *params;
    struct apic *apics[APIC_BUS_MAX_APICS];
    uint32_t apic_count;
    struct ioapic *ioapics[APIC_BUS_MAX_IOAPICS];
    uint32_t ioapic_count;
    struct interrupt_remapping remapping;
    uint32_t last_winner; /* of an arbitration for the lowest priority */
    uint64_t sequence;
    uint32_t entry_count;
    struct apic_bus_entry entries[APIC_BUS_MESSAGES];
    struct apic_bus_stats stats;
};

/* The params stay the caller's and must outlive the bus. */
void apic_bus_init(struct apic_bus *b, const struct apic_params *params);

/* Connects a local APIC or an I/O APIC, in the order of their numbers. They must outlive the bus. */
void apic_bus_add(struct apic_bus *b, struct apic *a);
void apic_bus_add_ioapic(struct apic_bus *b, struct ioapic *io);

/* Puts the IOMMU between the MSIs of devices and I/O APICs and the bus. */
void apic_bus_set_remapping(struct apic_bus *b, const struct interrupt_remapping *remapping);

/* An interprocessor interrupt. Returns when it arrives. */
hv_cycles apic_bus_send_ipi(struct apic_bus *b, const struct apic *sender, const struct interrupt_message *message,
                            enum apic_bus_targets targets, hv_cycles now);

/*
 * A write to the MSI address range, of a device or of an I/O APIC that sends it in its name. Returns when the
 * interrupt arrives; `now` when there is none because the write is no interrupt or remapping blocks it.
 */
hv_cycles apic_bus_send_msi(struct apic_bus *b, const struct msi *msi, hv_cycles now);
hv_cycles apic_bus_send_ioapic(struct apic_bus *b, const struct msi *msi, hv_cycles now);

/* The EOI of a level-triggered interrupt, for every I/O APIC. */
void apic_bus_send_eoi(struct apic_bus *b, uint8_t vector, hv_cycles now);

/* When the next message arrives, or UINT64_MAX. */
hv_cycles apic_bus_next(const struct apic_bus *b);

/* Delivers what has arrived until `now`, each message at its own time. */
void apic_bus_advance(struct apic_bus *b, hv_cycles now);

#endif
