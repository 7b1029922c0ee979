/* SPDX-License-Identifier: MIT */
/*
 * SYSENTER, SYSEXIT, SYSCALL, SYSRET and SWAPGS: changes of ring that never exit. SDM Vol. 2, and Vol. 3A 6.8.7 and
 * 6.8.8 (5.8.7 and 5.8.8 in editions before 2022).
 */
#include "cpu/execute/operations.h"

enum { USER = 3 };
#define SELECTOR_MASK 0xfffcu
#define SYSRET_RFLAGS UINT64_C(0x3c7fd7)

enum cpu_end do_sysenter(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    struct cpu_state *s = &p->state;
    uint16_t selector = (uint16_t)(s->msrs.sysenter_cs & SELECTOR_MASK);
    bool wide = cpu_long_mode(s);
    s->rflags &= ~(CPU_RFLAGS_VM | CPU_RFLAGS_IF);
    cpu_flat_code(p, selector, 0, wide);
    cpu_flat_stack(p, (uint16_t)(selector + 8), 0);
    s->rip = wide ? s->msrs.sysenter_eip : s->msrs.sysenter_eip & UINT32_MAX;
    s->registers[CPU_RSP] = wide ? s->msrs.sysenter_esp : s->msrs.sysenter_esp & UINT32_MAX;
    cpu_mode_changed(p);
    return CPU_COMPLETED;
}

/* To 64-bit mode with an operand size of 8, else to compatibility or protected mode. */
enum cpu_end do_sysexit(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_state *s = &p->state;
    bool wide = cpu_64_bit_mode(s) && i->size == 8;
    uint64_t rip = s->registers[CPU_RDX], rsp = s->registers[CPU_RCX];
    if (wide && (!cpu_canonical(p, rip) || !cpu_canonical(p, rsp))) {
        return cpu_gp(p);
    }
    uint16_t selector = (uint16_t)((s->msrs.sysenter_cs & SELECTOR_MASK) + (wide ? 32 : 16));
    cpu_flat_code(p, selector | USER, USER, wide);
    cpu_flat_stack(p, (uint16_t)(selector + 8) | USER, USER);
    s->rip = wide ? rip : rip & UINT32_MAX;
    s->registers[CPU_RSP] = wide ? rsp : rsp & UINT32_MAX;
    cpu_mode_changed(p);
    return CPU_COMPLETED;
}

enum cpu_end do_syscall(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_state *s = &p->state;
    uint16_t selector = (uint16_t)(s->msrs.star >> 32 & SELECTOR_MASK);
    s->registers[CPU_RCX] = s->rip + cpu_length(i);
    s->registers[CPU_R11] = s->rflags & ~CPU_RFLAGS_RF;
    s->rip = s->msrs.lstar;
    s->rflags = (s->rflags & ~s->msrs.fmask & ~CPU_RFLAGS_RF) | CPU_RFLAGS_FIXED;
    cpu_flat_code(p, selector, 0, true);
    cpu_flat_stack(p, (uint16_t)(selector + 8), 0);
    cpu_mode_changed(p);
    return CPU_COMPLETED;
}

enum cpu_end do_sysret(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_state *s = &p->state;
    bool wide = i->size == 8;
    uint64_t rip = s->registers[CPU_RCX];
    if (wide && !cpu_canonical(p, rip)) {
        return cpu_gp(p);
    }
    uint16_t selector = (uint16_t)(s->msrs.star >> 48);
    s->rip = wide ? rip : rip & UINT32_MAX;
    s->rflags = (s->registers[CPU_R11] & SYSRET_RFLAGS) | CPU_RFLAGS_FIXED;
    cpu_flat_code(p, (uint16_t)(selector + (wide ? 16 : 0)) | USER, USER, wide);
    cpu_flat_stack(p, (uint16_t)(selector + 8) | USER, USER);
    cpu_mode_changed(p);
    return CPU_COMPLETED;
}

enum cpu_end do_swapgs(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    uint64_t base = p->state.segments[CPU_GS].base;
    p->state.segments[CPU_GS].base = p->state.msrs.kernel_gs_base;
    p->state.msrs.kernel_gs_base = base;
    return CPU_COMPLETED;
}
