/* SPDX-License-Identifier: MIT */
#include "apic/ioapic.h"

#include <string.h>

#include "apic/apic_bus.h"
#include "base/err.h"

enum { ID_SHIFT = 24, ID_MASK = 15, WINDOW_BYTES = 4 };

/* Vector, modes, polarity, trigger, mask; destination with its extension. The rest is read-only or reserved. */
static const uint64_t entry_writable = UINT64_C(0xffff00000001afff);

void ioapic_init(struct ioapic *io, uint32_t id, uint16_t source)
{
    memset(io, 0, sizeof(*io));
    io->id = id & ID_MASK;
    io->source = source;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        io->pins[pin].entry = IOAPIC_ENTRY_MASKED;
    }
}

static bool is_active(const struct ioapic_pin *p)
{
    return p->high != ((p->entry & IOAPIC_ENTRY_ACTIVE_LOW) != 0);
}

static enum interrupt_mode mode_of(const struct ioapic_pin *p)
{
    return (enum interrupt_mode)(p->entry >> 8 & 7);
}

/* Level triggering is for fixed and lowest-priority interrupts; the datasheet has the others edge-triggered. */
static bool is_level(const struct ioapic_pin *p)
{
    return (p->entry & IOAPIC_ENTRY_LEVEL) != 0 &&
           (mode_of(p) == INTERRUPT_FIXED || mode_of(p) == INTERRUPT_LOWEST_PRIORITY);
}

/* The entry as a write to the MSI address range. */
static struct msi msi_of(const struct ioapic *io, const struct ioapic_pin *p)
{
    uint64_t address = UINT64_C(0xfee00000) | p->entry >> 48 << 4;
    uint32_t assert_level = is_level(p) ? UINT32_C(3) << 14 : UINT32_C(1) << 14;
    return (struct msi){
        .address = address | ((p->entry & IOAPIC_ENTRY_LOGICAL) != 0 ? UINT64_C(1) << 2 : 0),
        .data = (uint32_t)(p->entry & 0x7ff) | assert_level,
        .source = io->source,
    };
}

static void send(struct ioapic *io, struct ioapic_pin *p, hv_cycles now)
{
    struct msi msi = msi_of(io, p);
    if (io->bus != NULL) {
        p->pending_until = apic_bus_send_ioapic(io->bus, &msi, now);
    }
}

/* A level-triggered pin sends if it may. */
static void update_level(struct ioapic *io, struct ioapic_pin *p, hv_cycles now)
{
    if (is_level(p) && is_active(p) && (p->entry & (IOAPIC_ENTRY_MASKED | IOAPIC_ENTRY_REMOTE_IRR)) == 0) {
        p->entry |= IOAPIC_ENTRY_REMOTE_IRR;
        send(io, p, now);
    }
}

void ioapic_set_pin(struct ioapic *io, unsigned pin, bool high, hv_cycles now)
{
    HV_ASSERT(pin < IOAPIC_PINS, "pin %u of an I/O APIC", pin);
    struct ioapic_pin *p = &io->pins[pin];
    bool before = is_active(p);
    p->high = high;
    if (is_level(p)) {
        update_level(io, p, now);
    } else if (!before && is_active(p) && (p->entry & IOAPIC_ENTRY_MASKED) == 0) {
        send(io, p, now);
    }
}

void ioapic_eoi(struct ioapic *io, uint8_t vector, hv_cycles now)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        struct ioapic_pin *p = &io->pins[pin];
        if (is_level(p) && (p->entry & 0xff) == vector) {
            p->entry &= ~IOAPIC_ENTRY_REMOTE_IRR;
            update_level(io, p, now);
        }
    }
}

static uint32_t read_window(const struct ioapic *io, hv_cycles now)
{
    unsigned half = io->select & 1u, pin = (io->select - (unsigned)IOAPIC_TABLE) / 2;
    switch (io->select) {
    case IOAPIC_ID:
    case IOAPIC_ARBITRATION: return io->id << ID_SHIFT;
    case IOAPIC_VERSION_INDEX: return IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16;
    default: break;
    }
    if (io->select < IOAPIC_TABLE || pin >= IOAPIC_PINS) {
        return 0;
    }
    uint64_t entry = io->pins[pin].entry | (now < io->pins[pin].pending_until ? IOAPIC_ENTRY_PENDING : 0);
    return (uint32_t)(entry >> (32 * half));
}

/*
 * MODEL: an entry that stops being level-triggered loses its remote IRR, the way in which software without an EOI
 * register clears it.
 */
static void write_entry(struct ioapic *io, struct ioapic_pin *p, unsigned half, uint32_t value, hv_cycles now)
{
    uint64_t writable = entry_writable & (UINT64_C(0xffffffff) << (32 * half));
    p->entry = (p->entry & ~writable) | ((uint64_t)value << (32 * half) & writable);
    if (!is_level(p)) {
        p->entry &= ~IOAPIC_ENTRY_REMOTE_IRR;
    }
    update_level(io, p, now);
}

static void write_window(struct ioapic *io, uint32_t value, hv_cycles now)
{
    unsigned half = io->select & 1u, pin = (io->select - (unsigned)IOAPIC_TABLE) / 2;
    if (io->select == IOAPIC_ID) {
        io->id = value >> ID_SHIFT & ID_MASK;
    } else if (io->select >= IOAPIC_TABLE && pin < IOAPIC_PINS) {
        write_entry(io, &io->pins[pin], half, value, now);
    }
}

uint32_t ioapic_read(const struct ioapic *io, uint32_t offset, unsigned bytes, hv_cycles now)
{
    if (bytes != WINDOW_BYTES) {
        return 0;
    }
    switch (offset) {
    case IOAPIC_SELECT: return io->select;
    case IOAPIC_WINDOW: return read_window(io, now);
    default: return 0;
    }
}

void ioapic_write(struct ioapic *io, uint32_t offset, unsigned bytes, uint32_t value, hv_cycles now)
{
    if (bytes != WINDOW_BYTES) {
        return;
    }
    switch (offset) {
    case IOAPIC_SELECT: io->select = (uint8_t)value; break;
    case IOAPIC_WINDOW: write_window(io, value, now); break;
    case IOAPIC_EOI: ioapic_eoi(io, (uint8_t)value, now); break;
    default: break;
    }
}
