/* SPDX-License-Identifier: MIT */
/* Accesses to the APIC-access page. SDM Vol. 3C 30.4 "Virtualizing Memory-Mapped APIC Accesses" (29.4 before 2022). */
#include "apic/vapic_parts.h"

/* Which registers "APIC-register virtualization" virtualizes: bits 0 and 1 of the entry for offset / 16. */
enum { MAY_READ = 1, MAY_WRITE = 2, PAGE_REGISTERS = 256, REGISTER_BYTES = 4, REGISTER_STRIDE = 16 };

static const uint8_t virtualized[PAGE_REGISTERS] = {
#define V(offset, count, read, write) \
    [(offset) / 16 ... (offset) / 16 + (count) - 1] = ((read) ? MAY_READ : 0) | ((write) ? MAY_WRITE : 0),
#include "apic/vapic_offsets.def"
#undef V
};

/* Bits 15:12 of the exit qualification. SDM table 28-6, "Exit Qualification for APIC-Access VM Exits" (27-6). */
static uint64_t access_type(enum vapic_access_kind kind)
{
    switch (kind) {
    case VAPIC_READ: return 0;
    case VAPIC_WRITE: return 1;
    case VAPIC_FETCH: return 2;
    case VAPIC_EVENT_READ:
    case VAPIC_EVENT_WRITE: return 3;
    case VAPIC_PHYSICAL_EVENT: return 10;
    case VAPIC_PHYSICAL: return 15;
    }
    return 0;
}

/* The offset is of linear accesses only; of others it is undefined. MODEL: 0. */
static struct vapic_result exit_access(struct vapic *v, const struct vapic_access *access)
{
    bool linear = access->kind < VAPIC_PHYSICAL_EVENT;
    uint64_t offset = linear ? access->offset & (HV_PAGE_BYTES - 1) : 0;
    return vapic_exit(v, VAPIC_EXIT_ACCESS, offset | access_type(access->kind) << 12);
}

static bool is_write(const struct vapic_access *access)
{
    return access->kind == VAPIC_WRITE || access->kind == VAPIC_EVENT_WRITE;
}

static bool is_read(const struct vapic_access *access)
{
    return access->kind == VAPIC_READ || access->kind == VAPIC_EVENT_READ;
}

/*
 * The conditions that end in a VM exit whatever register it is: 30.4.2 for reads, 30.4.3.1 for writes. Of an operation
 * that has written already, no read is virtualized, and a write only if it is of the same offset and size.
 */
static bool excluded(const struct vapic *v, const struct vapic_access *access)
{
    uint32_t place = access->offset % REGISTER_STRIDE;
    if (!v->controls.use_tpr_shadow || !(is_read(access) || is_write(access)) ||
        access->offset >= HV_PAGE_BYTES) {
        return true;
    }
    if (access->bytes == 0 || access->bytes > REGISTER_BYTES || place + access->bytes > REGISTER_BYTES) {
        return true;
    }
    bool same = access->earlier_offset == access->offset && access->earlier_bytes == access->bytes;
    return access->earlier_bytes != 0 && (is_read(access) || !same);
}

/*
 * Whether the register may be accessed. MODEL: "IPI virtualization" makes writes of 300H virtualized as
 * "virtual-interrupt delivery" does, since IPI virtualization of memory-mapped accesses begins there (30.1.6).
 */
static bool is_virtualized(const struct vapic *v, const struct vapic_access *access)
{
    const struct vapic_controls *c = &v->controls;
    if (access->offset == VAPIC_VTPR) {
        return true;
    }
    if (c->apic_register_virtualization) {
        return (virtualized[access->offset / REGISTER_STRIDE] & (is_write(access) ? MAY_WRITE : MAY_READ)) != 0;
    }
    if (access->offset == VAPIC_VICR_LO && is_write(access) && c->ipi_virtualization) {
        return true;
    }
    return c->virtual_interrupt_delivery && (access->offset == VAPIC_VEOI || access->offset == VAPIC_VICR_LO);
}

/* The accessed bytes, which lie in one register. */
static uint32_t byte_mask(const struct vapic_access *access)
{
    return UINT32_MAX >> (32 - 8 * access->bytes);
}

static struct vapic_result read_page(struct vapic *v, const struct vapic_access *access)
{
    uint32_t value = vapic_get32(v, access->offset & ~3u) >> (access->offset % REGISTER_BYTES * 8);
    return vapic_read_done(v, value & byte_mask(access));
}

static struct vapic_result write_page(struct vapic *v, const struct vapic_access *access, uint64_t value)
{
    unsigned shift = access->offset % REGISTER_BYTES * 8;
    uint32_t mask = byte_mask(access) << shift, old = vapic_get32(v, access->offset & ~3u);
    vapic_count_write(v);
    vapic_set32(v, access->offset & ~3u, (old & ~mask) | ((uint32_t)value << shift & mask));
    return (struct vapic_result){.action = VAPIC_EMULATE};
}

struct vapic_result vapic_access(struct vapic *v, const struct vapic_access *access, uint64_t value)
{
    if (excluded(v, access) || !is_virtualized(v, access)) {
        return exit_access(v, access);
    }
    return is_write(access) ? write_page(v, access, value) : read_page(v, access);
}

/* ---- APIC-write emulation (30.4.3.2) ---- */

/* What both virtualizations of the ICR demand: no reserved bit, idle, edge-triggered, fixed. */
static bool is_simple(uint32_t icr)
{
    return (icr & (VAPIC_ICR_RESERVED | VAPIC_ICR_PENDING | VAPIC_ICR_LEVEL | VAPIC_ICR_MODE)) == 0;
}

static struct vapic_result emulate_icr(struct vapic *v)
{
    uint32_t icr = vapic_get32(v, VAPIC_VICR_LO);
    uint8_t vector = (uint8_t)icr;
    if (v->controls.virtual_interrupt_delivery && is_simple(icr) &&
        (icr & VAPIC_ICR_SHORTHAND) == VAPIC_ICR_SELF && vector >= VECTOR_LEGAL_MIN) {
        return vapic_virtualize_self_ipi(v, vector);
    }
    if (v->controls.ipi_virtualization && is_simple(icr) &&
        (icr & (VAPIC_ICR_SHORTHAND | VAPIC_ICR_LOGICAL)) == 0) {
        return vapic_send_ipi(v, vector, vapic_get32(v, VAPIC_VICR_HI) >> 24);
    }
    return vapic_exit(v, VAPIC_EXIT_WRITE, VAPIC_VICR_LO);
}

struct vapic_result vapic_emulate_write(struct vapic *v, uint32_t offset)
{
    offset &= (uint32_t)HV_PAGE_BYTES - 1;
    switch (offset) {
    case VAPIC_VTPR:
        vapic_set32(v, VAPIC_VTPR, vapic_get32(v, VAPIC_VTPR) & 0xff);
        return vapic_virtualize_tpr(v);
    case VAPIC_VEOI:
        if (v->controls.virtual_interrupt_delivery) {
            vapic_set32(v, VAPIC_VEOI, 0);
            return vapic_virtualize_eoi(v);
        }
        break;
    case VAPIC_VICR_LO: return emulate_icr(v);
    case VAPIC_VICR_HI:
    case VAPIC_VICR_HI + 1:
    case VAPIC_VICR_HI + 2:
    case VAPIC_VICR_HI + 3:
        vapic_set32(v, VAPIC_VICR_HI, vapic_get32(v, VAPIC_VICR_HI) & 0xff000000);
        return vapic_done();
    default: break;
    }
    return vapic_exit(v, VAPIC_EXIT_WRITE, offset);
}
