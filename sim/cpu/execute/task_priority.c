/* SPDX-License-Identifier: MIT */
/* CR8: SDM Vol. 3A 11.8.6 (10.8.6), with a TPR shadow Vol. 3C 30.3 "Virtualizing CR8-Based TPR Accesses" (29.3). */
#include "cpu/execute/operations.h"
#include "cpu/execute/wires.h"

enum { VTPR = 0x80, CLASS_SHIFT = 4, PRIORITY_MAX = 15 };

static uint64_t vtpr_address(const struct processor *p)
{
    return VMCS_GET(&p->vmx.current, virtual_apic_address) + VTPR;
}

/*
 * TPR virtualization, 30.1.2 (29.1.2). Without virtual-interrupt delivery a priority below the threshold is a VM exit
 * like a trap: the instruction is complete.
 */
static enum cpu_end write_shadow(struct processor *p, uint64_t value)
{
    const struct cpu_wires *w = p->wires;
    p->now += p->costs->virtual_tpr_cycles;
    cpu_physical_write(p, vtpr_address(p), 4, value << CLASS_SHIFT);
    if (w != NULL && w->virtual_tpr != NULL) {
        w->virtual_tpr(w->ctx);
    } else if (!VMX_ON(p, SECONDARY, virtual_interrupt_delivery) &&
               value < (VMCS_GET(&p->vmx.current, tpr_threshold) & PRIORITY_MAX)) {
        cpu_request_exit(p, VMX_EXIT_tpr_below_threshold, 0);
    }
    return CPU_COMPLETED;
}

enum cpu_end cpu_write_cr8(struct processor *p, uint64_t value)
{
    const struct cpu_wires *w = p->wires;
    if (value > PRIORITY_MAX) {
        return cpu_gp(p);
    }
    if (GUEST_ON(p, PRIMARY, use_tpr_shadow)) {
        return write_shadow(p, value);
    }
    if (w != NULL && w->task_priority != NULL) {
        w->task_priority(w->ctx, true, &value);
    }
    return CPU_COMPLETED;
}

uint64_t cpu_read_cr8(const struct processor *p)
{
    const struct cpu_wires *w = p->wires;
    uint64_t value = 0;
    if (GUEST_ON(p, PRIMARY, use_tpr_shadow)) {
        return cpu_physical_byte(p, vtpr_address(p)) >> CLASS_SHIFT;
    }
    if (w != NULL && w->task_priority != NULL) {
        w->task_priority(w->ctx, false, &value);
    }
    return value & PRIORITY_MAX;
}
