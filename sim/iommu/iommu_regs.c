/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "iommu/iommu_register_parts.h"

enum kind { RO, RW, ADDRESS, COMMAND };

/* Capabilities that a register, or some of its bits, may need. */
enum offered { ALWAYS, SCALABLE, QUEUE, X2APIC, QUEUE_X2APIC, REMAPPING, PAGE_REQUESTS, PAGE_REQUESTS_X2APIC };

struct row {
    uint32_t offset, bytes;
    enum kind kind;
    enum offered offered;
    uint64_t reset, writable, w1c;
};

static const struct row rows[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) \
    {offset, bytes, kind, offered, UINT64_C(reset), UINT64_C(writable), UINT64_C(w1c)},
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

/* Bits that need a capability besides the register's. */
static const struct { uint32_t offset; uint64_t bits; enum offered offered; } optional_bits[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text)
#define B(name, bits, offered) {IOMMU_##name, bits, offered},
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

static bool is_offered(const struct iommu_params *p, enum offered what)
{
    switch (what) {
    case SCALABLE: return p->scalable;
    case QUEUE: return p->queued_invalidation;
    case X2APIC: return iommu_has_x2apic(p);
    case QUEUE_X2APIC: return p->queued_invalidation && iommu_has_x2apic(p);
    case REMAPPING: return p->interrupt_remapping;
    case PAGE_REQUESTS: return iommu_has_page_requests(p);
    case PAGE_REQUESTS_X2APIC: return iommu_has_page_requests(p) && iommu_has_x2apic(p);
    default: return true;
    }
}

/* The row of the register that has a byte at an offset; NULL: none, or a reserved one. */
static const struct row *row_at(const struct iommu *u, uint32_t offset)
{
    if (offset >= IOMMU_FRCD_LOW) {
        uint32_t record = (offset - IOMMU_FRCD_LOW) / IOMMU_FRCD_BYTES;
        if (record >= u->params.fault_records) {
            return NULL;
        }
        offset -= record * IOMMU_FRCD_BYTES;
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        if (offset - rows[i].offset < rows[i].bytes) {
            return is_offered(&u->params, rows[i].offered) ? &rows[i] : NULL;
        }
    }
    return NULL;
}

static uint64_t writable_bits(const struct iommu *u, const struct row *row)
{
    uint64_t bits = row->writable;
    for (size_t i = 0; i < HV_ARRAY_LEN(optional_bits); i++) {
        if (optional_bits[i].offset == row->offset && is_offered(&u->params, optional_bits[i].offered)) {
            bits |= optional_bits[i].bits;
        }
    }
    return row->kind == ADDRESS ? bits & iommu_address_bits(&u->params) : bits;
}

static void apply_protection(struct iommu *u)
{
    bool on = (iommu_reg32(&u->regs, IOMMU_PMEN) & IOMMU_PMEN_EPM) != 0;
    iommu_set_reg32(&u->regs, IOMMU_PMEN, on ? IOMMU_PMEN_EPM | IOMMU_PMEN_PRS : 0);
}

/* What a write to a register does besides storing; `value` is what was written, `written` which of its bits. */
static void act(struct iommu *u, const struct row *row, uint64_t value, uint64_t written, hv_cycles now)
{
    switch (row->offset) {
    case IOMMU_GCMD: iommu_global_command(u, (uint32_t)value, now); break;
    case IOMMU_CCMD: iommu_context_command(u, value & written, now); break;
    case IOMMU_IOTLB: iommu_iotlb_command(u, value & written, now); break;
    case IOMMU_FSTS: iommu_fault_status_cleared(u, now); break;
    case IOMMU_FECTL: case IOMMU_IECTL: case IOMMU_PECTL: iommu_event_deliver(u, row->offset, now); break;
    case IOMMU_PMEN: apply_protection(u); break;
    case IOMMU_IQT: iommu_queue_run(u, now); break;
    case IOMMU_ICS:
        if ((value & IOMMU_ICS_IWC) != 0) {
            iommu_event_withdraw(u, IOMMU_IECTL);
        }
        break;
    case IOMMU_PRS: iommu_page_status_cleared(u); break;
    case IOMMU_FRCD_HIGH: iommu_fault_record_cleared(u); break;
    default: break;
    }
}

/* Software must leave a command register alone until its last command is complete; hardware ignores it meanwhile. */
static bool is_busy(const struct iommu *u, const struct row *row, hv_cycles now)
{
    return (row->offset == IOMMU_CCMD && now < u->regs.context_done) ||
           (row->offset == IOMMU_IOTLB && now < u->regs.iotlb_done);
}

/* A write to the bits `written` of the register of `row`, whose lowest byte is at `offset`. */
static void write_register(struct iommu *u, const struct row *row, uint32_t offset, uint64_t value, uint64_t written,
                           hv_cycles now)
{
    if (row->kind == RO || is_busy(u, row, now)) {
        return;
    }
    bool wide = row->bytes == 8;
    uint64_t store = writable_bits(u, row) & written;
    uint64_t old = wide ? iommu_reg64(&u->regs, offset) : iommu_reg32(&u->regs, offset);
    uint64_t after = ((old & ~store) | (value & store)) & ~(value & written & row->w1c);
    if (wide) {
        iommu_set_reg64(&u->regs, offset, after);
    } else {
        iommu_set_reg32(&u->regs, offset, (uint32_t)after);
    }
    act(u, row, value, written, now);
}

/* A write to half of a 64-bit register, or to a 32-bit one. */
static void write_cell(struct iommu *u, uint32_t offset, uint32_t value, hv_cycles now)
{
    const struct row *row = row_at(u, offset);
    if (row == NULL) {
        return;
    }
    unsigned shift = row->bytes == 8 && offset % 8 != 0 ? 32 : 0;
    write_register(u, row, offset - shift / 8, (uint64_t)value << shift, UINT64_C(0xffffffff) << shift, now);
}

static bool is_access(uint32_t offset, unsigned bytes)
{
    return (bytes == 4 || bytes == 8) && offset % bytes == 0 && offset < IOMMU_WINDOW_BYTES;
}

/* A 64-bit write to two 32-bit registers is two writes, the lower one first. */
void iommu_write(struct iommu *u, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now)
{
    if (!is_access(offset, bytes)) {
        return;
    }
    const struct row *row = row_at(u, offset);
    if (bytes == 8 && row != NULL && row->bytes == 8) {
        write_register(u, row, offset, value, UINT64_MAX, now);
        return;
    }
    write_cell(u, offset, (uint32_t)value, now);
    if (bytes == 8) {
        write_cell(u, offset + 4, (uint32_t)(value >> 32), now);
    }
}

/* Half of a register as software sees it. The command bits, 63, read as set until the invalidation is complete. */
static uint32_t read_cell(const struct iommu *u, uint32_t offset, hv_cycles now)
{
    const struct row *row = row_at(u, offset);
    if (row == NULL) {
        return 0;
    }
    bool busy = offset % 8 != 0 && is_busy(u, row, now);
    return iommu_reg32(&u->regs, offset) | (busy ? UINT32_C(1) << 31 : 0);
}

uint64_t iommu_read(struct iommu *u, uint32_t offset, unsigned bytes, hv_cycles now)
{
    if (!is_access(offset, bytes)) {
        return 0;
    }
    uint64_t high = bytes == 8 ? read_cell(u, offset + 4, now) : 0;
    return high << 32 | read_cell(u, offset, now);
}

void iommu_regs_reset(struct iommu *u)
{
    memset(&u->regs, 0, sizeof(u->regs));
    walkers_init(&u->regs.invalidator, 1);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        u->regs.cell[rows[i].offset / 4] = (uint32_t)rows[i].reset;
    }
    iommu_set_reg32(&u->regs, IOMMU_VER, (uint32_t)u->params.version << 4);
    iommu_set_reg64(&u->regs, IOMMU_CAP, iommu_capability(&u->params));
    iommu_set_reg64(&u->regs, IOMMU_ECAP, iommu_extended_capability(&u->params));
    iommu_interrupt_cache_reset(&u->interrupt_cache);
}

bool iommu_regs_init(struct iommu *u, struct hv_err *err)
{
    return iommu_interrupt_cache_init(&u->interrupt_cache, &u->params.interrupt_cache, err);
}

void iommu_regs_fini(struct iommu *u)
{
    iommu_interrupt_cache_fini(&u->interrupt_cache);
}
