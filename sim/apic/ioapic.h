/* SPDX-License-Identifier: MIT */
/*
 * An I/O APIC: pins of devices become interrupt messages, as the entry of each pin in the redirection table says.
 *
 * Intel 82093AA I/O APIC datasheet (290566), chapter 3; the EOI register and the wide entries are those of the
 * chipsets since ("Intel I/O Controller Hub" datasheets, section "I/O APIC"). Registers are reached through an index
 * (IOREGSEL, offset 00H) and a window (IOWIN, 10H); the EOI register is at 40H:
 *
 *     00H ID | 01H version and number of entries | 02H arbitration ID | 10H + 2n, 11H + 2n entry of pin n
 *
 * What it sends is a write to the MSI address range, so it passes the interrupt remapping of an IOMMU like any other;
 * bits 63:48 of an entry are address bits 19:4, which is where VT-d 5.1.5.1 has the handle of a remappable entry.
 *
 * An edge-triggered pin sends when it becomes active; while it is masked, edges are lost. A level-triggered pin sends
 * when it is active, unmasked and its remote IRR is clear; remote IRR is set then, until the EOI of its vector.
 *
 * MODEL: remote IRR is set when the message is sent, not when a local APIC has accepted it, and stays set when no one
 * does.
 */
#ifndef HV_APIC_IOAPIC_H
#define HV_APIC_IOAPIC_H

#include "apic/interrupt_message.h"

struct apic_bus;

enum { IOAPIC_PINS = 24, IOAPIC_VERSION = 0x20 };
enum ioapic_offset { IOAPIC_SELECT = 0x00, IOAPIC_WINDOW = 0x10, IOAPIC_EOI = 0x40 };
enum ioapic_index { IOAPIC_ID = 0, IOAPIC_VERSION_INDEX = 1, IOAPIC_ARBITRATION = 2, IOAPIC_TABLE = 0x10 };

/* Bits of an entry. */
#define IOAPIC_ENTRY_LOGICAL (UINT64_C(1) << 11)
#define IOAPIC_ENTRY_PENDING (UINT64_C(1) << 12)
#define IOAPIC_ENTRY_ACTIVE_LOW (UINT64_C(1) << 13)
#define IOAPIC_ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define IOAPIC_ENTRY_LEVEL (UINT64_C(1) << 15)
#define IOAPIC_ENTRY_MASKED (UINT64_C(1) << 16)

struct ioapic_pin {
    bool high; /* electrically */
    uint64_t entry;
    hv_cycles pending_until; /* a message of this pin is under way */
};

struct ioapic {
    struct apic_bus *bus; /* NULL: messages are lost; set by apic_bus_add_ioapic() */
    uint16_t source;      /* bus, device and function, for interrupt remapping */
    uint8_t select;
    uint32_t id;
    struct ioapic_pin pins[IOAPIC_PINS];
};

void ioapic_init(struct ioapic *io, uint32_t id, uint16_t source);

/*
 * Memory accesses at an offset of its page. MODEL: only aligned 4-byte accesses of the three registers count; others
 * read as zero and write nothing.
 */
uint32_t ioapic_read(const struct ioapic *io, uint32_t offset, unsigned bytes, hv_cycles now);
void ioapic_write(struct ioapic *io, uint32_t offset, unsigned bytes, uint32_t value, hv_cycles now);

/* A device drives a pin high or low; its entry's polarity says which of them is active. */
void ioapic_set_pin(struct ioapic *io, unsigned pin, bool high, hv_cycles now);

/* The EOI of a vector: every level-triggered pin with that vector may interrupt again. */
void ioapic_eoi(struct ioapic *io, uint8_t vector, hv_cycles now);

#endif
