/* SPDX-License-Identifier: MIT */
/*
 * The exceptions that have priority over VM exits: invalid opcode and privilege, instruction by instruction. SDM
 * Vol. 3C 26.1.1 (25.1.1 in editions before 2022), Vol. 2 for each instruction, and 26.3 (25.3) for those that are
 * undefined in a guest while their control is 0.
 */
#include "cpu/execute/operations.h"

/* Answers with #UD unless `defined`. */
static bool require(struct processor *p, bool defined, enum cpu_end *end)
{
    if (!defined) {
        *end = cpu_ud(p);
    }
    return defined;
}

/* Answers with #GP(0) unless `permitted`. */
static bool permit(struct processor *p, bool permitted, enum cpu_end *end)
{
    if (!permitted) {
        *end = cpu_gp(p);
    }
    return permitted;
}

/* CPL, which is 3 in virtual-8086 mode and 0 in real-address mode. */
static unsigned ring(const struct processor *p)
{
    return cpu_virtual_8086(&p->state) ? 3 : cpu_protected_mode(&p->state) ? cpu_cpl(&p->state) : 0;
}

static bool has_cr4(const struct processor *p, uint64_t bit)
{
    return (p->state.cr4 & bit) != 0;
}

/* An instruction that a guest has only while a secondary control is 1, and a processor only if the control exists. */
static bool enabled(const struct processor *p, uint64_t control)
{
    uint64_t have = p->vmx.non_root ? p->vmx.words[VMX_SECONDARY] : p->vmx.caps.may[VMX_SECONDARY];
    return (have & control) != 0;
}

static bool in_segmented_protected_mode(const struct processor *p)
{
    return cpu_protected_mode(&p->state) && !cpu_virtual_8086(&p->state);
}

#define ALLOWED(name) bool may_##name(struct processor *p, const struct cpu_instruction *i, enum cpu_end *end)

ALLOWED(always)
{
    (void)p;
    (void)i;
    (void)end;
    return true;
}

/* UD2; and RSM, as there is no SMM. */
ALLOWED(never)
{
    (void)i;
    return require(p, false, end);
}

ALLOWED(ring_0)
{
    (void)i;
    return permit(p, ring(p) == 0, end);
}

ALLOWED(switch_tasks)
{
    (void)i;
    return require(p, in_segmented_protected_mode(p), end);
}

ALLOWED(getsec)
{
    (void)i;
    return require(p, has_cr4(p, CPU_CR4_SMXE), end);
}

ALLOWED(invpcid)
{
    return require(p, enabled(p, VMX_CONTROL(SECONDARY, enable_invpcid)), end) && may_ring_0(p, i, end);
}

ALLOWED(rdpmc)
{
    (void)i;
    return permit(p, has_cr4(p, CPU_CR4_PCE) || ring(p) == 0, end);
}

ALLOWED(rdtsc)
{
    (void)i;
    return permit(p, !has_cr4(p, CPU_CR4_TSD) || ring(p) == 0, end);
}

ALLOWED(rdtscp)
{
    return require(p, enabled(p, VMX_CONTROL(SECONDARY, enable_rdtscp)), end) && may_rdtsc(p, i, end);
}

ALLOWED(mov_cr)
{
    bool exists = i->reg2 == 0 || (i->reg2 >= 2 && i->reg2 <= 4) || (i->reg2 == 8 && cpu_64_bit_mode(&p->state));
    return require(p, exists && i->reg1 < CPU_REGISTERS, end) && may_ring_0(p, i, end);
}

/* SMSW, SGDT and SIDT: for everybody without UMIP. */
ALLOWED(store_system)
{
    (void)i;
    return permit(p, !has_cr4(p, CPU_CR4_UMIP) || ring(p) == 0, end);
}

ALLOWED(store_ldt)
{
    return require(p, in_segmented_protected_mode(p), end) && may_store_system(p, i, end);
}

ALLOWED(load_ldt)
{
    return require(p, in_segmented_protected_mode(p), end) && may_ring_0(p, i, end);
}

ALLOWED(mov_dr)
{
    bool alias = i->reg2 == 4 || i->reg2 == 5;
    bool exists = i->reg2 < 8 && !(alias && has_cr4(p, CPU_CR4_DE));
    return require(p, exists && i->reg1 < CPU_REGISTERS, end) && may_ring_0(p, i, end);
}

ALLOWED(monitor)
{
    (void)i;
    return require(p, ring(p) == 0, end);
}

ALLOWED(xsetbv)
{
    return require(p, has_cr4(p, CPU_CR4_OSXSAVE), end) && may_ring_0(p, i, end);
}

ALLOWED(xsaves)
{
    bool defined = has_cr4(p, CPU_CR4_OSXSAVE) && enabled(p, VMX_CONTROL(SECONDARY, enable_xsaves)) && i->in_memory;
    return require(p, defined, end) && may_ring_0(p, i, end);
}

ALLOWED(user_wait)
{
    return require(p, enabled(p, VMX_CONTROL(SECONDARY, enable_user_wait_and_pause)), end) && may_rdtsc(p, i, end);
}

/* ENCLS and ENCLV have no control that enables them: the processor has SGX if it offers their exiting. */
ALLOWED(encls)
{
    (void)i;
    bool has = (p->vmx.caps.may[VMX_SECONDARY] & VMX_CONTROL(SECONDARY, enable_encls_exiting)) != 0;
    return require(p, has && in_segmented_protected_mode(p) && ring(p) == 0, end);
}

ALLOWED(enclv)
{
    (void)i;
    bool has = (p->vmx.caps.may[VMX_SECONDARY] & VMX_CONTROL(SECONDARY, enable_enclv_exiting)) != 0;
    return require(p, has && in_segmented_protected_mode(p) && ring(p) == 0, end);
}

ALLOWED(pconfig)
{
    return require(p, enabled(p, VMX_CONTROL(SECONDARY, enable_pconfig)), end) && may_ring_0(p, i, end);
}

ALLOWED(loadiwkey)
{
    return require(p, has_cr4(p, CPU_CR4_KL), end) && may_ring_0(p, i, end);
}

ALLOWED(sysenter)
{
    (void)i;
    return permit(p, cpu_protected_mode(&p->state) && (p->state.msrs.sysenter_cs & 0xfffc) != 0, end);
}

ALLOWED(sysexit)
{
    return may_sysenter(p, i, end) && may_ring_0(p, i, end);
}

ALLOWED(syscall)
{
    (void)i;
    return require(p, cpu_64_bit_mode(&p->state) && (p->state.msrs.efer & CPU_EFER_SCE) != 0, end);
}

ALLOWED(sysret)
{
    return may_syscall(p, i, end) && may_ring_0(p, i, end);
}

ALLOWED(swapgs)
{
    return require(p, cpu_64_bit_mode(&p->state), end) && may_ring_0(p, i, end);
}
