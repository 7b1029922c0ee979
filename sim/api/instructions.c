/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions of hvsim.h. Each call makes the instruction that a hypervisor's code would have and executes it as
 * any other, so that exceptions, VM-instruction errors and time are the processor's. Operands that would lie in memory
 * are handed over as values.
 */
#include "api/api.h"

#include "cpu/execute/execute.h"
#include "cpu/vmx/entry_check.h"

enum hv_end api_end(const struct hv_cpu *c, enum cpu_end end, bool vmx)
{
    switch (end) {
    case CPU_COMPLETED: break;
    case CPU_RAISED: return HV_RAISED;
    case CPU_EXITED:
    case CPU_ENTERED: return HV_EXITED;
    case CPU_STOPPED: return HV_STOPPED;
    }
    if (vmx && (c->p.state.rflags & CPU_RFLAGS_CF) != 0) {
        return HV_FAILED_INVALID;
    }
    return vmx && (c->p.state.rflags & CPU_RFLAGS_ZF) != 0 ? HV_FAILED_VALID : HV_SUCCEEDED;
}

static enum hv_end execute(struct hv_cpu *c, const struct cpu_instruction *i)
{
    return api_end(c, cpu_execute(&c->p, i), true);
}

/* An instruction whose only operand is a physical address in memory. */
static enum hv_end execute_pointer(struct hv_cpu *c, enum cpu_op op, uint64_t hpa)
{
    return execute(c, &(struct cpu_instruction){.op = op, .value = hpa});
}

enum hv_end hv_vmxon(struct hv_cpu *c, uint64_t hpa)
{
    return execute_pointer(c, CPU_OP_vmxon, hpa);
}

enum hv_end hv_vmxoff(struct hv_cpu *c)
{
    return execute(c, &(struct cpu_instruction){.op = CPU_OP_vmxoff});
}

enum hv_end hv_vmclear(struct hv_cpu *c, uint64_t hpa)
{
    return execute_pointer(c, CPU_OP_vmclear, hpa);
}

enum hv_end hv_vmptrld(struct hv_cpu *c, uint64_t hpa)
{
    return execute_pointer(c, CPU_OP_vmptrld, hpa);
}

/* Runs an instruction that reads or writes registers, and leaves these as they were. */
static enum hv_end execute_registers(struct hv_cpu *c, const struct cpu_instruction *i, uint64_t *rax, uint64_t *rcx)
{
    uint64_t *r = c->p.state.registers, kept[2] = {r[CPU_RAX], r[CPU_RCX]};
    r[CPU_RAX] = *rax;
    r[CPU_RCX] = *rcx;
    enum hv_end end = execute(c, i);
    *rax = r[CPU_RAX];
    *rcx = r[CPU_RCX];
    r[CPU_RAX] = kept[0];
    r[CPU_RCX] = kept[1];
    return end;
}

enum hv_end hv_vmptrst(struct hv_cpu *c, uint64_t *hpa)
{
    uint64_t none = 0;
    return execute_registers(c, &(struct cpu_instruction){.op = CPU_OP_vmptrst, .reg1 = CPU_RAX}, hpa, &none);
}

enum hv_end hv_vmread(struct hv_cpu *c, uint32_t field, uint64_t *value)
{
    uint64_t encoding = field;
    struct cpu_instruction i = {.op = CPU_OP_vmread, .reg1 = CPU_RAX, .reg2 = CPU_RCX};
    return execute_registers(c, &i, value, &encoding);
}

enum hv_end hv_vmwrite(struct hv_cpu *c, uint32_t field, uint64_t value)
{
    uint64_t encoding = field;
    struct cpu_instruction i = {.op = CPU_OP_vmwrite, .reg1 = CPU_RCX, .reg2 = CPU_RAX};
    return execute_registers(c, &i, &value, &encoding);
}

enum hv_end hv_invept(struct hv_cpu *c, uint64_t type, uint64_t eptp)
{
    uint64_t none = 0;
    struct cpu_instruction i = {.op = CPU_OP_invept, .reg1 = CPU_RAX, .value = eptp};
    return execute_registers(c, &i, &type, &none);
}

enum hv_end hv_invvpid(struct hv_cpu *c, uint64_t type, uint16_t vpid, uint64_t gva)
{
    uint64_t none = 0;
    struct cpu_instruction i = {.op = CPU_OP_invvpid, .reg1 = CPU_RAX, .value = vpid, .value_high = gva};
    return execute_registers(c, &i, &type, &none);
}

/* RDMSR and WRMSR split their value in EDX:EAX. */
static enum hv_end execute_msr(struct hv_cpu *c, enum cpu_op op, uint32_t index, uint64_t *value)
{
    uint64_t *r = c->p.state.registers, rdx = r[CPU_RDX];
    uint64_t rax = (uint32_t)*value, rcx = index, flags = c->p.state.rflags;
    r[CPU_RDX] = *value >> 32;
    c->p.state.rflags &= ~(CPU_RFLAGS_CF | CPU_RFLAGS_ZF);
    enum hv_end end = execute_registers(c, &(struct cpu_instruction){.op = op}, &rax, &rcx);
    c->p.state.rflags = flags;
    *value = r[CPU_RDX] << 32 | (uint32_t)rax;
    r[CPU_RDX] = rdx;
    return end;
}

enum hv_end hv_rdmsr(struct hv_cpu *c, uint32_t index, uint64_t *value)
{
    *value = 0;
    return execute_msr(c, CPU_OP_rdmsr, index, value);
}

enum hv_end hv_wrmsr(struct hv_cpu *c, uint32_t index, uint64_t value)
{
    return execute_msr(c, CPU_OP_wrmsr, index, &value);
}

enum hv_end api_enter(struct hv_cpu *c, enum hv_op op)
{
    enum cpu_end end = cpu_execute(&c->p, &(struct cpu_instruction){.op = (enum cpu_op)op});
    return end == CPU_ENTERED ? HV_SUCCEEDED : api_end(c, end, true);
}

/* A failing entry never ends as VMsucceed, so success means that the guest is there to run. */
static enum hv_end enter_and_run(struct hv_cpu *c, enum hv_op op)
{
    enum hv_end end = api_enter(c, op);
    return end == HV_SUCCEEDED ? api_run_guest(c) : end;
}

enum hv_end hv_vmlaunch(struct hv_cpu *c)
{
    return enter_and_run(c, HV_OP_vmlaunch);
}

enum hv_end hv_vmresume(struct hv_cpu *c)
{
    return enter_and_run(c, HV_OP_vmresume);
}

uint32_t hv_vmx_error(const struct hv_cpu *c)
{
    return c->p.vmx.current.address == VMCS_NONE ? 0 : (uint32_t)VMCS_GET(&c->p.vmx.current, vm_instruction_error);
}

size_t hv_broken_rules(const struct hv_cpu *c, const char **sentences, size_t max)
{
    if (c->p.vmx.current.address == VMCS_NONE) {
        return 0;
    }
    struct vmx_entry e = {
        .caps = &c->p.vmx.caps, .memory = c->p.memory, .current_vmcs = c->p.vmx.current.address,
        .host_long_mode = cpu_long_mode(&c->p.state),
    };
    size_t broken = 0;
    vmx_entry_read(&e, &c->p.vmx.current);
    for (int i = 0; i < VMX_RULES; i++) {
        if (!vmx_rules[i].holds(&e)) {
            if (broken < max) {
                sentences[broken] = vmx_rules[i].rule;
            }
            broken++;
        }
    }
    return broken;
}

struct hv_vm_exit hv_exit_of(const struct hv_cpu *c)
{
    const struct vmx_exit *x = &c->p.vmx.exit;
    return (struct hv_vm_exit){
        .reason = x->reason, .qualification = x->qualification, .gva = x->guest_linear, .gpa = x->guest_physical,
        .length = x->length, .information = x->information, .interruption = x->interruption, .vectoring = x->vectoring,
    };
}
