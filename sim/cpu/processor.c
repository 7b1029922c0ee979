/* SPDX-License-Identifier: MIT */
#include "cpu/processor.h"

#include <string.h>

#include "cpu/execute/execute.h"

void processor_init(struct processor *p, const struct processor_config *config)
{
    memset(p, 0, sizeof(*p));
    cpu_state_reset(&p->state);
    vmx_init(&p->vmx, config->caps);
    p->memory = p->vmx.current.memory = config->memory;
    p->mmu = config->mmu;
    p->path = config->path;
    p->costs = config->costs;
    p->number = config->number;
    cpu_connect(p);
    processor_context_changed(p);
}

void processor_signal(struct processor *p, enum cpu_signal signal, uint8_t sipi_vector)
{
    p->signals |= (uint32_t)signal;
    if (signal == CPU_SIGNAL_SIPI) {
        p->sipi_vector = sipi_vector;
    }
}

enum cpu_end processor_raise(struct processor *p, enum cpu_vector vector)
{
    p->raised = (struct cpu_exception){.vector = (uint8_t)vector};
    return CPU_RAISED;
}

enum cpu_end processor_raise_code(struct processor *p, enum cpu_vector vector, uint32_t error_code)
{
    p->raised = (struct cpu_exception){.vector = (uint8_t)vector, .has_error_code = true, .error_code = error_code};
    return CPU_RAISED;
}

/* EPT and VPID are of non-root operation; root operation is VPID 0 (SDM Vol. 3C 29.1; 28.1 before 2022). */
struct mmu_regs processor_mmu_regs(const struct processor *p)
{
    const struct cpu_state *s = &p->state;
    bool nested = p->vmx.non_root && VMX_ON(p, SECONDARY, enable_ept);
    bool tagged = p->vmx.non_root && VMX_ON(p, SECONDARY, enable_vpid);
    return (struct mmu_regs){
        .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->msrs.efer, .rflags = s->rflags,
        .eptp = nested ? p->vmx.eptp : 0, .vpid = tagged ? p->vmx.vpid : 0, .nested = nested, .user = cpu_cpl(s) == 3,
        .log_dirty = nested && VMX_ON(p, SECONDARY, enable_pml),
        .uniform_execute = !VMX_ON(p, SECONDARY, mode_based_execute_control),
    };
}

void processor_context_changed(struct processor *p)
{
    struct mmu_regs regs = processor_mmu_regs(p);
    mmu_set_context(p->mmu, &regs);
}

uint64_t processor_tsc(const struct processor *p)
{
    return p->now + p->state.msrs.tsc_adjust;
}
