/* SPDX-License-Identifier: MIT */
/* VM exits, VM-entry failures and VMX aborts: SDM Vol. 3C chapter 28 (27 in editions before 2022) and 27.8 (26.8). */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/vmx/vmx_watch.h"

/* VMX-abort indicators: SDM "VMX Aborts" (28.7; 27.7). The others concern machine checks and SMM. */
enum {
    ABORT_SAVING_MSRS = 1, ABORT_HOST_PDPTES = 2, ABORT_CORRUPT_VMCS = 3, ABORT_LOADING_MSRS = 4, ABORT_HOST_MODE = 6
};

#define EVENT_VALID (UINT32_C(1) << 31)
#define BASIC_REASON 0xffffu

/* The processor is in the shutdown state from here on, which only RESET ends. */
static int vmx_abort(struct processor *p, uint32_t indicator)
{
    if (vmcs_region_valid(p->memory, p->vmx.current.address, p->vmx.caps.physical_bits)) {
        vmcs_set_abort(&p->vmx.current, indicator);
    }
    p->vmx.non_root = false;
    p->state.activity = CPU_SHUTDOWN;
    return CPU_STOPPED;
}

/* --- information (28.2; 27.2) ------------------------------------------------------------------------------------- */

static void record(struct processor *p, const struct vmx_exit *exit)
{
    const struct vmcs *v = &p->vmx.current;
    VMCS_SET(v, exit_reason, exit->reason);
    VMCS_SET(v, exit_qualification, exit->qualification);
    VMCS_SET(v, guest_linear_address, exit->guest_linear);
    VMCS_SET(v, guest_physical_address, exit->guest_physical);
    VMCS_SET(v, exit_interruption_information, exit->interruption);
    VMCS_SET(v, exit_interruption_error_code, exit->interruption_error);
    VMCS_SET(v, idt_vectoring_information, exit->vectoring);
    VMCS_SET(v, idt_vectoring_error_code, exit->vectoring_error);
    if (!exit->undefined_length) {
        VMCS_SET(v, exit_instruction_length, exit->length);
    }
    VMCS_SET(v, exit_instruction_information, exit->information);
    VMCS_SET(v, entry_interruption_information, VMCS_GET(v, entry_interruption_information) & ~EVENT_VALID);
    p->vmx.exit = *exit;
}

/* A new round trip begins. To be called before the exit is recorded. */
static void count(struct processor *p, uint32_t reason)
{
    uint32_t basic = reason & BASIC_REASON;
    HV_ASSERT(basic < VMX_EXIT_REASONS, "exit reason %u", basic);
    vmx_end_round_trip(&p->vmx, p->now);
    p->vmx.stats.exits++;
    p->vmx.stats.reasons[basic].count++;
    p->vmx.exited_at = p->now;
}

/* --- the host comes back ------------------------------------------------------------------------------------------ */

/* Returns what an instruction that ends like this returns. */
static int to_host(struct processor *p)
{
    const struct vmcs *v = &p->vmx.current;
    bool wide = VMX_ON(p, EXIT, host_address_space_size), from_long_mode = cpu_long_mode(&p->state);
    p->vmx.non_root = false;
    p->vmx.mtf_pending = false;
    p->vmx.preemption_deadline = UINT64_MAX;
    p->vmx.vectoring = p->vmx.vectoring_error = 0;
    if (from_long_mode && !wide) {
        return vmx_abort(p, ABORT_HOST_MODE);
    }
    if (!vmx_load_host(p)) {
        return vmx_abort(p, ABORT_HOST_PDPTES);
    }
    uint32_t msrs = (uint32_t)VMCS_GET(v, exit_msr_load_count);
    if (vmx_msr_list_load(p, VMCS_GET(v, exit_msr_load_address), msrs) != 0) {
        return vmx_abort(p, ABORT_LOADING_MSRS);
    }
    struct mmu_regs regs = processor_mmu_regs(p);
    mmu_vm_transition(p->mmu, &regs);
    return CPU_EXITED;
}

/* An NMI that exits blocks further ones, as its delivery would (28.5.5; 27.5.5). */
static bool is_nmi(const struct vmx_exit *exit)
{
    return (exit->reason & BASIC_REASON) == VMX_EXIT_exception_or_nmi && (exit->interruption & EVENT_VALID) != 0 &&
           (exit->interruption >> 8 & 7) == VMX_EVENT_NMI;
}

/* MODEL: of a corrupted VMCS the processor notices the revision identifier alone; the rest it takes as it is. */
static bool is_corrupt(const struct processor *p)
{
    return !vmcs_region_valid(p->memory, p->vmx.current.address, p->vmx.caps.physical_bits) ||
           vmcs_revision(&p->vmx.current) != VMCS_REVISION;
}

int vmx_exit(struct processor *p, const struct vmx_exit *exit)
{
    const struct vmcs *v = &p->vmx.current;
    HV_ASSERT(p->vmx.non_root, "a VM exit, reason %u, outside of a guest", exit->reason);
    if (is_corrupt(p)) {
        return vmx_abort(p, ABORT_CORRUPT_VMCS);
    }
    vmx_watch_look(p->watch, p, v->address);
    count(p, exit->reason);
    record(p, exit);
    vmx_save_guest(p); /* before time goes on: the VMX-preemption timer stops at the exit */
    p->now += p->costs->exit_cycles;
    if (vmx_msr_list_store(p, VMCS_GET(v, exit_msr_store_address), (uint32_t)VMCS_GET(v, exit_msr_store_count)) != 0) {
        return vmx_abort(p, ABORT_SAVING_MSRS);
    }
    if (is_nmi(exit)) {
        p->state.interruptibility |= CPU_BLOCKED_BY_NMI;
    }
    int end = to_host(p);
    vmx_watch_wrote(p->watch, p, v->address);
    return end;
}

/* SDM 27.8 (26.8): no guest state is saved, no MSR stored, and blocking by NMI is what it was before the entry. */
int vmx_entry_failure(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification)
{
    const struct vmcs *v = &p->vmx.current;
    count(p, reason);
    p->now += p->costs->exit_cycles;
    p->vmx.exit = (struct vmx_exit){
        .reason = reason | VMX_EXIT_ENTRY_FAILURE, .qualification = qualification, .undefined_length = true,
    };
    VMCS_SET(v, exit_reason, p->vmx.exit.reason);
    VMCS_SET(v, exit_qualification, qualification);
    p->vmx.stats.entry_failures++;
    int end = to_host(p);
    vmx_watch_wrote(p->watch, p, v->address);
    return end;
}
