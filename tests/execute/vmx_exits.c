/* SPDX-License-Identifier: MIT */
/* VMX instructions of a guest, each of which exits, and VM entries that fail. */
#include "gtest.h"

#include "exits.h"

static void functions(struct lab *l)
{
    lab_ept(l);
    LAB_ON(l, SECONDARY, enable_vm_functions);
}

/* Function 1 is not enabled. */
static void function_1(struct lab *l)
{
    l->p.state.registers[CPU_RAX] = 1;
}

static enum cpu_end resume(struct lab *l)
{
    struct cpu_instruction i = {.op = CPU_OP_vmresume};
    HV_ASSERT(LAB_DO(l, cpuid, 0) == CPU_EXITED, "CPUID exits");
    l->p.state.rip = LAB_CODE;
    return cpu_execute(&l->p, &i);
}

/* RFLAGS bit 1 has to be 1. */
static enum cpu_end resume_with_bad_rflags(struct lab *l)
{
    LAB_SET(l, guest_rflags, 0);
    HV_ASSERT(LAB_DO(l, cpuid, 0) == CPU_EXITED, "CPUID exits");
    LAB_SET(l, guest_rflags, 0);
    return cpu_execute(&l->p, &(struct cpu_instruction){.op = CPU_OP_vmresume});
}

/* An MSR list of one entry, of an MSR that must not be in one: IA32_FS_BASE. */
static enum cpu_end resume_with_bad_msr(struct lab *l)
{
    LAB_SET(l, entry_msr_load_count, 1);
    LAB_SET(l, entry_msr_load_address, LAB_DATA);
    lab_write(l, LAB_DATA, 8, 0xc0000100);
    lab_write(l, LAB_DATA + 8, 8, 0);
    return resume(l);
}

static enum cpu_end resume_with_machine_check(struct lab *l)
{
    processor_signal(&l->p, CPU_SIGNAL_MACHINE_CHECK, 0);
    return resume(l);
}

#define REG2_RBX (3u << 28)

static const struct exit_row rows[] = {
    {"vmcall", VMX_EXIT_vmcall, {.op = CPU_OP_vmcall}, .length = 3},
    {"vmlaunch", VMX_EXIT_vmlaunch, {.op = CPU_OP_vmlaunch}, .length = 3},
    {"vmresume", VMX_EXIT_vmresume, {.op = CPU_OP_vmresume}, .length = 3},
    {"vmxoff", VMX_EXIT_vmxoff, {.op = CPU_OP_vmxoff}, .length = 3},
    {"vmxon", VMX_EXIT_vmxon, {.op = CPU_OP_vmxon, LAB_MEMORY(LAB_DATA)}, .length = 5, .qualification = LAB_DATA,
     .information = LAB_MEMORY_INFO},
    {"vmclear", VMX_EXIT_vmclear, {.op = CPU_OP_vmclear, LAB_MEMORY(LAB_DATA)}, .length = 5,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO},
    {"vmptrld", VMX_EXIT_vmptrld, {.op = CPU_OP_vmptrld, LAB_MEMORY(LAB_DATA)}, .length = 4,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO},
    {"vmptrst", VMX_EXIT_vmptrst, {.op = CPU_OP_vmptrst, LAB_MEMORY(LAB_DATA)}, .length = 4,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO},
    /* VMREAD RCX, RBX: destination (1) in bits 6:3 with bit 10, encoding (3) in bits 31:28; VMWRITE the other way */
    {"vmread", VMX_EXIT_vmread, {.op = CPU_OP_vmread, .reg1 = CPU_RCX, .reg2 = CPU_RBX}, .length = 3,
     .information = 1u << 3 | 1u << 10 | REG2_RBX},
    {"vmwrite", VMX_EXIT_vmwrite, {.op = CPU_OP_vmwrite, .reg1 = CPU_RBX, .reg2 = CPU_RCX}, .length = 3,
     .information = 1u << 3 | 1u << 10 | REG2_RBX},
    {"invept", VMX_EXIT_invept, {.op = CPU_OP_invept, .reg2 = CPU_RBX, LAB_MEMORY(LAB_DATA)}, .length = 5,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | REG2_RBX},
    {"invvpid", VMX_EXIT_invvpid, {.op = CPU_OP_invvpid, .reg2 = CPU_RBX, LAB_MEMORY(LAB_DATA)}, .length = 5,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | REG2_RBX},
    {"vmfunc", VMX_EXIT_vmfunc, {.op = CPU_OP_vmfunc}, .prepare = functions, .arrange = function_1, .length = 3},
    {"entry_guest_state", VMX_EXIT_entry_failure_guest_state, .cause = resume_with_bad_rflags},
    {"entry_msr_loading", VMX_EXIT_entry_failure_msr_loading, .cause = resume_with_bad_msr, .qualification = 1},
    {"entry_machine_check", VMX_EXIT_entry_failure_machine_check, .cause = resume_with_machine_check},
};

const struct exit_rows vmx_exits = {rows, HV_ARRAY_LEN(rows)};
