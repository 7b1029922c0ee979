/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR once no VM exit takes place: the MSRs of msr_access.h, those of the interrupt controller behind its
 * wire, and what a guest sees otherwise (SDM Vol. 3C 26.3; 25.3 in editions before 2022).
 *
 * MODEL: what an MSR switches on beyond its value (Intel PT, branch records, performance counters, CET, user
 * interrupts) is not modelled; no effect on results.
 */
#include "cpu/execute/operations.h"
#include "cpu/execute/wires.h"
#include "cpu/msr_access.h"

enum {
    MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_SPEC_CTRL = 0x48, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_LAST = 0x8ff,
};
#define MSR_EFER 0xc0000080u

/* Whether the interrupt controller has the MSR, if there is one. */
static bool is_apic_msr(uint32_t index)
{
    return (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST) || index == MSR_APIC_BASE ||
           index == MSR_TSC_DEADLINE;
}

static enum cpu_answer ask_apic(const struct processor *p, uint32_t index, bool write, uint64_t *value)
{
    const struct cpu_wires *w = p->wires;
    return is_apic_msr(index) && w != NULL && w->apic_msr != NULL ? w->apic_msr(w->ctx, index, write, value)
                                                                  : CPU_NOT_MINE;
}

/* False: #GP(0). */
static bool read_msr(const struct processor *p, uint32_t index, uint64_t *value)
{
    enum cpu_answer answer = ask_apic(p, index, false, value);
    if (answer != CPU_NOT_MINE) {
        return answer == CPU_ANSWERED;
    }
    if (index == MSR_TSC) {
        *value = cpu_visible_tsc(p);
        return true;
    }
    if (index == MSR_SPEC_CTRL && GUEST_ON(p, TERTIARY, virtualize_spec_ctrl)) {
        *value = VMCS_GET(&p->vmx.current, spec_ctrl_shadow);
        return true;
    }
    return cpu_msr_read(p, index, value);
}

/* A write to a virtualized IA32_SPEC_CTRL goes to the shadow, and to the bits that the mask leaves to the guest. */
static uint64_t write_spec_ctrl(struct processor *p, uint64_t value)
{
    uint64_t mask = VMCS_GET(&p->vmx.current, spec_ctrl_mask);
    VMCS_SET(&p->vmx.current, spec_ctrl_shadow, value);
    return (p->state.msrs.spec_ctrl & mask) | (value & ~mask);
}

/* False: #GP(0), and nothing has changed. The MMU knows of a new IA32_EFER afterwards. */
static bool write_msr(struct processor *p, uint32_t index, uint64_t value)
{
    enum cpu_answer answer = ask_apic(p, index, true, &value);
    if (answer != CPU_NOT_MINE) {
        return answer == CPU_ANSWERED;
    }
    if (index == MSR_SPEC_CTRL && GUEST_ON(p, TERTIARY, virtualize_spec_ctrl)) {
        value = write_spec_ctrl(p, value);
    }
    if (!cpu_msr_write(p, index, value)) {
        return false;
    }
    if (index == MSR_EFER) {
        mmu_mov_control(p->mmu, p->state.cr0, p->state.cr4, p->state.msrs.efer);
        processor_context_changed(p);
    }
    return true;
}

enum cpu_end do_rdmsr(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    uint64_t value = 0;
    if (!read_msr(p, cpu_ecx(p), &value)) {
        return cpu_gp(p);
    }
    cpu_set_edx_eax(p, value);
    return CPU_COMPLETED;
}

enum cpu_end do_wrmsr(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    return write_msr(p, cpu_ecx(p), cpu_edx_eax(p)) ? CPU_COMPLETED : cpu_gp(p);
}
