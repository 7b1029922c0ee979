/* SPDX-License-Identifier: MIT */
/*
 * VMX instructions: what all of them check first, and VMXON, VMXOFF and VMCALL.
 *
 * The order of checks is that of the pseudo-code in SDM Vol. 3C "VMX Instruction Reference" (chapter 31; 30 in editions
 * before 2022). MODEL: there is neither SMM nor SMX operation, and no A20M; what depends on them does not happen.
 */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/execute/exit.h"
#include "cpu/execute/operand.h"
#include "cpu/vmx/vmx_watch.h"

#define FEATURE_CONTROL_LOCK (UINT64_C(1) << 0)
#define FEATURE_CONTROL_VMXON (UINT64_C(1) << 2) /* outside of SMX operation */

typedef int vmx_fn(struct processor *p, const struct cpu_instruction *i);

struct row {
    vmx_fn *run;
    enum vmx_exit_reason exit;
};

/* --- operands --------------------------------------------------------------------------------------------------- */

bool vmx_operand64(struct processor *p, const struct cpu_instruction *i, uint64_t *value, enum cpu_end *end)
{
    *value = i->value;
    return !i->in_memory || cpu_read(p, i, value, sizeof(*value), end);
}

bool vmx_operand128(struct processor *p, const struct cpu_instruction *i, uint64_t value[2], enum cpu_end *end)
{
    value[0] = i->value;
    value[1] = i->value_high;
    return !i->in_memory || cpu_read(p, i, value, 2 * sizeof(value[0]), end);
}

/* --- VMXON, VMXOFF, VMCALL -------------------------------------------------------------------------------------- */

/* SDM "Restrictions on VMX Operation" (24.8; 23.8) and "Enabling and Entering VMX Operation" (24.7; 23.7). */
static bool may_enter_operation(const struct processor *p)
{
    const struct vmx_caps *c = &p->vmx.caps;
    const uint64_t enabled = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON;
    return cpu_cpl(&p->state) == 0 && vmx_fixed_ok(p->state.cr0, c->cr0_fixed0, c->cr0_fixed1) &&
           vmx_fixed_ok(p->state.cr4, c->cr4_fixed0, c->cr4_fixed1) &&
           (p->state.msrs.feature_control & enabled) == enabled;
}

static bool is_vmxon_region(const struct processor *p, uint64_t address)
{
    return vmx_page_ok(p, address) &&
           (uint32_t)physmem_read64(p->memory, (hv_hpa){address}) == VMCS_REVISION;
}

/* The low half counts VMXONs, so that no two processors of a machine have a number in common. */
static void begin_operation(struct processor *p, uint64_t address)
{
    struct vmx *x = &p->vmx;
    x->on = true;
    x->vmxon_pointer = address;
    x->current.address = VMCS_NONE;
    p->progress.monitoring = false;
    x->session = (uint32_t)p->number << 16 | ((x->session + 1) & UINT16_MAX);
}

static int vmxon(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t address;
    enum cpu_end end;
    if (p->vmx.on) {
        return cpu_cpl(&p->state) > 0 ? (int)processor_raise_code(p, CPU_GP, 0) : vmx_fail(p, VMX_ERROR_vmxon_in_root);
    }
    if (!may_enter_operation(p)) {
        return processor_raise_code(p, CPU_GP, 0);
    }
    if (!vmx_operand64(p, i, &address, &end)) {
        return end;
    }
    if (!is_vmxon_region(p, address)) {
        return vmx_fail_invalid(p);
    }
    begin_operation(p, address);
    return vmx_succeed(p);
}

static int vmxoff(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    vmx_watch_vmxoff(p->watch, p);
    p->vmx.on = false;
    p->vmx.current.address = VMCS_NONE;
    return vmx_succeed(p);
}

/* MODEL: no dual-monitor treatment of SMIs and SMM, which VMCALL in root operation would activate. */
static int vmcall(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    return vmx_fail(p, VMX_ERROR_vmcall_in_root);
}

/* --- what all check first --------------------------------------------------------------------------------------- */

static const struct row *row_of(enum cpu_op op)
{
#define ROW(name) [CPU_OP_##name] = {vmx_##name, VMX_EXIT_##name}
#define LOCAL(name) [CPU_OP_##name] = {name, VMX_EXIT_##name}
    static const struct row rows[CPU_OPS] = {
        LOCAL(vmxon),   LOCAL(vmxoff),  LOCAL(vmcall), ROW(vmclear), ROW(vmptrld), ROW(vmptrst),
        ROW(vmread),    ROW(vmwrite),   ROW(invept),   ROW(invvpid), ROW(vmfunc),
        [CPU_OP_vmlaunch] = {vmx_enter, VMX_EXIT_vmlaunch},
        [CPU_OP_vmresume] = {vmx_enter, VMX_EXIT_vmresume},
    };
#undef LOCAL
#undef ROW
    HV_ASSERT(rows[op].run != NULL, "%s is no VMX instruction", cpu_op_names[op]);
    return &rows[op];
}

/* Whether the mode has VMX instructions: neither virtual-8086 mode nor compatibility mode. */
static bool mode_allows(const struct cpu_state *s)
{
    return !cpu_virtual_8086(s) && (!cpu_long_mode(s) || cpu_64_bit_mode(s));
}

/* #UD of an instruction but VMFUNC. A guest's VMCALL exits in every mode. */
static bool is_undefined(const struct processor *p, enum cpu_op op)
{
    const struct cpu_state *s = &p->state;
    const struct vmx *x = &p->vmx;
    switch (op) {
    case CPU_OP_vmcall: return !x->on || (!x->non_root && !mode_allows(s));
    case CPU_OP_vmxon: return !cpu_protected_mode(s) || (s->cr4 & CPU_CR4_VMXE) == 0 || !mode_allows(s);
    case CPU_OP_invept:
        if (!vmx_has_invept(&x->caps)) {
            return true;
        }
        break;
    case CPU_OP_invvpid:
        if (!vmx_has_invvpid(&x->caps)) {
            return true;
        }
        break;
    default: break;
    }
    return !x->on || !cpu_protected_mode(s) || !mode_allows(s);
}

/* The exit qualification of those with an operand in memory is its displacement (28.2.1; 27.2.1). */
static int exit_of(struct processor *p, const struct cpu_instruction *i, enum vmx_exit_reason reason)
{
    return cpu_exit_instruction(p, i, reason, i->in_memory ? i->memory.displacement : 0);
}

/* VMFUNC has no checks in common with the others, and VMXON outside of VMX operation makes its own. */
static int run(struct processor *p, const struct cpu_instruction *i)
{
    const struct row *row = row_of(i->op);
    if (i->op == CPU_OP_vmfunc) {
        return row->run(p, i);
    }
    if (is_undefined(p, i->op)) {
        return processor_raise(p, CPU_UD);
    }
    if (p->vmx.non_root && !vmx_is_shadowed(p, i)) {
        return exit_of(p, i, row->exit);
    }
    if (cpu_cpl(&p->state) > 0) {
        return processor_raise_code(p, CPU_GP, 0);
    }
    return row->run(p, i);
}

static hv_cycles cost_of(const struct processor *p, enum cpu_op op)
{
    switch (op) {
    case CPU_OP_vmread: return p->costs->vmread_cycles;
    case CPU_OP_vmwrite: return p->costs->vmwrite_cycles;
    default: return p->costs->instruction_cycles;
    }
}

/* RIP behind the instruction; outside of 64-bit mode it has 32 bits. */
static void complete(struct processor *p, const struct cpu_instruction *i)
{
    struct cpu_state *s = &p->state;
    uint64_t mask = cpu_64_bit_mode(s) ? UINT64_MAX : UINT32_MAX;
    s->rip = (s->rip + cpu_length(i)) & mask;
    p->now += cost_of(p, i->op);
}

int vmx_execute(struct processor *p, const struct cpu_instruction *i)
{
    int end = run(p, i);
    if (end == CPU_COMPLETED) {
        complete(p, i);
    }
    return end;
}
