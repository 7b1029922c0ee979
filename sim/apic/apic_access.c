/* SPDX-License-Identifier: MIT */
/* The registers of a local APIC as software reads and writes them. */
#include "apic/apic_parts.h"

enum { REGISTER_STRIDE = 16 };

static const enum apic_offset lvt_entries[] = {
    APIC_LVT_CMCI, APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_COUNTERS, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR,
};

uint32_t apic_writable_bits(const struct apic *a, enum apic_offset offset)
{
    uint32_t bits = apic_registers[offset >> 4].writable;
    if (offset == APIC_LVT_TIMER && !a->params->tsc_deadline) {
        bits &= ~(UINT32_C(2) << APIC_TIMER_MODE_SHIFT);
    }
    if (offset == APIC_SVR && !a->params->eoi_suppression) {
        bits &= ~(uint32_t)APIC_SVR_NO_EOI_BROADCAST;
    }
    return bits;
}

uint32_t apic_register_value(struct apic *a, enum apic_offset offset, hv_cycles now)
{
    unsigned eighth = (offset >> 4) & 7;
    switch (offset & 0xf80u) {
    case APIC_ISR: return vector_set_eighth(&a->isr, eighth);
    case APIC_TMR: return vector_set_eighth(&a->tmr, eighth);
    case APIC_IRR: return vector_set_eighth(&a->irr, eighth);
    default: break;
    }
    switch (offset) {
    case APIC_PPR: return apic_processor_priority(a);
    case APIC_APR: return apic_arbitration_priority(a);
    case APIC_CURRENT_COUNT: return apic_timer_current(a, now);
    case APIC_ICR: return apic_get(a, APIC_ICR) | (now < a->icr_pending_until ? APIC_PENDING : 0);
    default: return apic_get(a, offset);
    }
}

/* SDM 11.4.7.2 (10.4.7.2): an APIC that software disables has every LVT entry masked. */
static void mask_lvt(struct apic *a)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(lvt_entries); i++) {
        *apic_register_at(a, lvt_entries[i]) |= APIC_MASKED;
    }
}

static void store_lvt(struct apic *a, enum apic_offset offset, uint32_t value, hv_cycles now)
{
    value |= apic_software_enabled(a) ? 0 : APIC_MASKED;
    if (offset == APIC_LVT_TIMER) {
        apic_timer_write_lvt(a, value, now);
    }
    *apic_register_at(a, offset) = value;
    if (offset == APIC_LVT_LINT0 || offset == APIC_LVT_LINT1) {
        apic_update_lint(a, now);
    }
}

/* The registers that do no more than hold a value, and those whose value others look at. */
static void store_plain(struct apic *a, enum apic_offset offset, uint32_t value, hv_cycles now)
{
    *apic_register_at(a, offset) = value;
    if (offset == APIC_SVR && (value & APIC_SVR_ENABLE) == 0) {
        mask_lvt(a);
        apic_update_lint(a, now);
    } else if (offset == APIC_TPR) {
        apic_update_intr(a, now);
    } else if (offset == APIC_ICR) {
        apic_send_icr(a, now);
    }
}

void apic_register_store(struct apic *a, enum apic_offset offset, uint32_t value, hv_cycles now)
{
    uint32_t writable = apic_writable_bits(a, offset);
    value = (apic_get(a, offset) & ~writable) | (value & writable);
    switch (offset) {
    case APIC_EOI: apic_eoi(a, now); break;
    case APIC_ESR:
        *apic_register_at(a, APIC_ESR) = a->errors;
        a->errors = 0;
        break;
    case APIC_LVT_CMCI:
    case APIC_LVT_TIMER:
    case APIC_LVT_THERMAL:
    case APIC_LVT_COUNTERS:
    case APIC_LVT_LINT0:
    case APIC_LVT_LINT1:
    case APIC_LVT_ERROR: store_lvt(a, offset, value, now); break;
    case APIC_INITIAL_COUNT: apic_timer_write_initial(a, value, now); break;
    case APIC_DIVIDE: apic_timer_write_divide(a, value, now); break;
    case APIC_SELF_IPI: apic_send_self(a, (uint8_t)value, now); break;
    default: store_plain(a, offset, value, now); break;
    }
}

bool apic_owns_address(const struct apic *a, uint64_t physical)
{
    uint64_t flags = HV_PAGE_BYTES - 1;
    return apic_mode(a) == APIC_MODE_XAPIC && (physical & ~flags) == (a->base & ~flags);
}

/*
 * The row that a memory access reaches, or NULL. SDM 11.5.3 (10.5.3): an access to a register that does not exist sets
 * "illegal register address". MODEL: so does one of another size or alignment, which the SDM leaves undefined.
 */
static const struct apic_register *xapic_register(struct apic *a, uint32_t offset, unsigned bytes, hv_cycles now)
{
    if (apic_mode(a) != APIC_MODE_XAPIC) {
        return NULL;
    }
    const struct apic_register *row = NULL;
    if (bytes == 4 && offset % REGISTER_STRIDE == 0 && offset / REGISTER_STRIDE < APIC_REGISTERS) {
        row = &apic_registers[offset / REGISTER_STRIDE];
    }
    if (row == NULL || row->xapic == APIC_NO) {
        apic_record_errors(a, APIC_ERROR_REGISTER, now);
        return NULL;
    }
    return row;
}

/* MODEL: a register that may only be written reads as zero, and writes to one that may only be read are dropped. */
uint64_t apic_read(struct apic *a, uint32_t offset, unsigned bytes, hv_cycles now)
{
    apic_advance(a, now);
    const struct apic_register *row = xapic_register(a, offset, bytes, now);
    return row != NULL && (row->xapic & APIC_RO) != 0 ? apic_register_value(a, (enum apic_offset)offset, now) : 0;
}

void apic_write(struct apic *a, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now)
{
    apic_advance(a, now);
    const struct apic_register *row = xapic_register(a, offset, bytes, now);
    if (row != NULL && (row->xapic & APIC_WO) != 0) {
        apic_register_store(a, (enum apic_offset)offset, (uint32_t)value, now);
    }
}

uint64_t apic_read_cr8(const struct apic *a)
{
    return apic_get(a, APIC_TPR) >> 4;
}

void apic_write_cr8(struct apic *a, uint64_t value, hv_cycles now)
{
    apic_advance(a, now);
    apic_register_store(a, APIC_TPR, (uint32_t)(value & 15) << 4, now);
}
