/* SPDX-License-Identifier: MIT */
/* MSRs 800H-8FFH. SDM Vol. 3C 30.5 "Virtualizing MSR-Based APIC Accesses" (29.5 in editions before 2022). */
#include "apic/vapic_parts.h"

enum { MSR_FIRST = 0x800, MSR_LAST = 0x8ff, MSR_TPR = 0x808, MSR_EOI = 0x80b, MSR_ICR = 0x830, MSR_SELF_IPI = 0x83f };

static uint32_t offset_of(uint32_t index)
{
    return (index & 0xff) << 4;
}

/* "Virtualize x2APIC mode" is set, and the MSR is one that it concerns. */
static bool concerns(const struct vapic *v, uint32_t index)
{
    return v->controls.virtualize_x2apic_mode && index >= MSR_FIRST && index <= MSR_LAST;
}

struct vapic_result vapic_read_msr(struct vapic *v, uint32_t index)
{
    if (!concerns(v, index) || !(v->controls.apic_register_virtualization || index == MSR_TPR)) {
        return (struct vapic_result){.action = VAPIC_NORMAL};
    }
    return vapic_read_done(v, physmem_read64(v->memory, vapic_at(v, offset_of(index))));
}

/* The writes that are special, and the bits that they may not set. */
static bool special_write(const struct vapic *v, uint32_t index, uint64_t *reserved)
{
    const struct vapic_controls *c = &v->controls;
    switch (index) {
    case MSR_TPR: *reserved = ~UINT64_C(0xff); return true;
    case MSR_EOI: *reserved = UINT64_MAX; return c->virtual_interrupt_delivery;
    case MSR_SELF_IPI: *reserved = ~UINT64_C(0xff); return c->virtual_interrupt_delivery;
    case MSR_ICR: *reserved = VAPIC_ICR_RESERVED; return c->ipi_virtualization;
    default: return false;
    }
}

static struct vapic_result emulate_icr(struct vapic *v, uint64_t icr)
{
    uint64_t others = VAPIC_ICR_SHORTHAND | VAPIC_ICR_LEVEL | VAPIC_ICR_PENDING | VAPIC_ICR_LOGICAL | VAPIC_ICR_MODE;
    if ((icr & others) != 0) {
        return vapic_exit(v, VAPIC_EXIT_WRITE, VAPIC_VICR_LO);
    }
    return vapic_send_ipi(v, (uint8_t)icr, (uint32_t)(icr >> 32));
}

static struct vapic_result emulate(struct vapic *v, uint32_t index, uint64_t value)
{
    switch (index) {
    case MSR_TPR: return vapic_virtualize_tpr(v);
    case MSR_EOI: return vapic_virtualize_eoi(v);
    case MSR_ICR: return emulate_icr(v, value);
    default: break;
    }
    if (value < VECTOR_LEGAL_MIN) {
        return vapic_exit(v, VAPIC_EXIT_WRITE, VAPIC_SELF_IPI);
    }
    return vapic_virtualize_self_ipi(v, (uint8_t)value);
}

struct vapic_result vapic_write_msr(struct vapic *v, uint32_t index, uint64_t value)
{
    uint64_t reserved;
    if (!concerns(v, index) || !special_write(v, index, &reserved)) {
        return (struct vapic_result){.action = VAPIC_NORMAL};
    }
    if ((value & reserved) != 0) {
        return (struct vapic_result){.action = VAPIC_FAULT};
    }
    vapic_count_write(v);
    physmem_write64(v->memory, vapic_at(v, offset_of(index)), value);
    return emulate(v, index, value);
}
