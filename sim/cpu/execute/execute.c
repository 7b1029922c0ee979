/* SPDX-License-Identifier: MIT */
#include "cpu/execute/execute.h"

#include "cpu/execute/ept.h"
#include "cpu/execute/operations.h"

/* SDM Vol. 3C "Interruptibility state" (25.4.2; 24.4.2): both last for one instruction. */
#define SHADOWS ((uint32_t)CPU_BLOCKED_BY_STI | (uint32_t)CPU_BLOCKED_BY_MOV_SS)

enum rip { NEXT, OWN };

struct operation {
    cpu_allowed_fn *allowed;
    cpu_effect_fn *effect;
    enum rip rip;
};

static const struct operation operations[CPU_OPS] = {
#define OP(name, allowed, effect, rip) [CPU_OP_##name] = {may_##allowed, do_##effect, rip},
#include "cpu/execute/operations.def"
#undef OP
};

void cpu_connect(struct processor *p)
{
    p->mmu->log = (struct mmu_log){cpu_log_dirty, p};
}

void cpu_skip_instruction(struct processor *p)
{
    p->state.rip = (p->state.rip + p->progress.length) & cpu_rip_mask(p);
}

/* Whether a VMX instruction names the registers that it needs: no encoding has others than the 16. */
static bool registers_exist(const struct cpu_instruction *i)
{
    bool reg1 = i->reg1 < CPU_REGISTERS, reg2 = i->reg2 < CPU_REGISTERS;
    switch (i->op) {
    case CPU_OP_vmread: return reg2 && (reg1 || i->in_memory);
    case CPU_OP_vmwrite: return reg1 && (reg2 || i->in_memory);
    case CPU_OP_invept:
    case CPU_OP_invvpid: return reg2;
    case CPU_OP_vmptrst: return reg1 || i->in_memory;
    default: return true;
    }
}

/* 26.1.1 (25.1.1): #UD and privilege, then the VM exit, then everything else. */
static enum cpu_end run(struct processor *p, const struct cpu_instruction *i)
{
    const struct operation *o = &operations[i->op];
    enum cpu_end end = CPU_COMPLETED;
    if (o->effect == NULL) {
        return registers_exist(i) ? (enum cpu_end)vmx_execute(p, i) : cpu_ud(p);
    }
    if (!o->allowed(p, i, &end)) {
        return end;
    }
    if (p->vmx.non_root && cpu_intercepts(p, i)) {
        return cpu_exit_intercepted(p, i);
    }
    end = o->effect(p, i);
    if (end == CPU_COMPLETED && o->rip == NEXT) {
        cpu_skip_instruction(p);
    }
    return end;
}

/* What a completed instruction leaves to the boundary behind it. */
static void finish(struct processor *p, uint32_t shadows_before, uint64_t rflags_before)
{
    struct cpu_state *s = &p->state;
    s->interruptibility &= ~shadows_before;
    s->rflags &= ~CPU_RFLAGS_RF;
    if ((rflags_before & s->rflags & CPU_RFLAGS_TF) != 0) {
        s->pending_debug |= CPU_DR6_BS;
    }
    p->progress.nmi_unblocked = false;
    p->vmx.mtf_pending |= GUEST_ON(p, PRIMARY, monitor_trap_flag);
}

enum cpu_end cpu_execute(struct processor *p, const struct cpu_instruction *i)
{
    uint32_t shadows = p->state.interruptibility & SHADOWS;
    uint64_t rflags = p->state.rflags;
    HV_ASSERT(i->op < CPU_OPS, "an instruction that the table has");
    p->progress.length = cpu_length(i);
    p->progress.nmi_unblocked = false;
    p->now += 1;
    enum cpu_end end = run(p, i);
    if (end == CPU_RAISED && p->vmx.non_root) {
        struct cpu_event event = cpu_raised_event(p);
        if (cpu_exception_exits(p, &event)) {
            return cpu_exit_exception(p, &event, cpu_exception_qualification(p, event.vector));
        }
    }
    if (end == CPU_COMPLETED) {
        /* A shadow of STI or MOV SS that the instruction itself began is not one of those before it. */
        bool began = i->op == CPU_OP_mov_ss || i->op == CPU_OP_sti;
        finish(p, began ? 0 : shadows, rflags);
        cpu_emulate_apic_write(p);
        return p->progress.trap.waits ? cpu_take_trap(p) : CPU_COMPLETED;
    }
    return end;
}
