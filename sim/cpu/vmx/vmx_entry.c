/* SPDX-License-Identifier: MIT */
/* VMLAUNCH and VMRESUME: SDM Vol. 3C chapter "VM Entries" (27; 26 in editions before 2022). */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/execute/deliver.h"
#include "cpu/execute/wires.h"
#include "cpu/vmx/vmx_watch.h"

/* Errors that are told before any field is looked at (27.1; 26.1); 0 for none. */
static enum vmx_error state_error(const struct processor *p, bool launches)
{
    const struct vmcs *v = &p->vmx.current;
    bool launched = vmcs_launch_state(v) == VMCS_LAUNCHED;
    if ((p->state.interruptibility & CPU_BLOCKED_BY_MOV_SS) != 0) {
        return VMX_ERROR_entry_blocked_by_mov_ss;
    }
    if (launches) {
        return launched ? VMX_ERROR_vmlaunch_not_clear : 0;
    }
    if (!launched) {
        return VMX_ERROR_vmresume_not_launched;
    }
    return vmcs_launch_session(v) != p->vmx.session ? VMX_ERROR_vmresume_after_vmxoff : 0;
}

/* A current VMCS that ordinary stores have taken away is treated as none. */
static bool can_enter(const struct processor *p)
{
    const struct vmcs *v = &p->vmx.current;
    return vmx_has_current(p) && vmcs_region_valid(p->memory, v->address, p->vmx.caps.physical_bits) &&
           (vmcs_revision(v) & VMCS_SHADOW) == 0;
}

static void read_entry(struct vmx_entry *e, const struct processor *p)
{
    vmx_entry_read(e, &p->vmx.current);
    e->caps = &p->vmx.caps;
    e->memory = p->memory;
    e->current_vmcs = p->vmx.current.address;
    e->host_long_mode = cpu_long_mode(&p->state);
    e->smm = false;
}

static void charge(struct processor *p)
{
    p->now += p->costs->entry_cycles + (p->vmx.dirty_controls ? p->costs->control_write_cycles : 0);
    p->vmx.dirty_controls = false;
}

/* 27.6 and 27.7.8 (26.6, 26.7.8): an event is delivered, or a monitor-trap-flag VM exit is pending. */
static int inject(struct processor *p, const struct vmx_entry *e)
{
    if (vmx_injects(e, VMX_EVENT_OTHER)) {
        p->vmx.mtf_pending = true;
    }
    if (!vmx_event_valid(e) || vmx_event_type(e) == VMX_EVENT_OTHER) {
        return CPU_ENTERED;
    }
    struct cpu_event event = {
        .vector = (uint8_t)vmx_event_vector(e), .type = (uint8_t)vmx_event_type(e),
        .has_error_code = vmx_event_has_error_code(e),
        .error_code = (uint32_t)ENTRY_FIELD(e, entry_exception_error_code),
        .length = (uint8_t)ENTRY_FIELD(e, entry_instruction_length),
    };
    enum cpu_end end = cpu_deliver(p, &event);
    return end == CPU_COMPLETED ? (int)CPU_ENTERED : (int)end;
}

/* The state is loaded: the guest runs from here on. */
static int start(struct processor *p, const struct vmx_entry *e)
{
    struct vmx *x = &p->vmx;
    vmcs_set_launch_state(&x->current, VMCS_LAUNCHED);
    vmcs_set_launch_session(&x->current, x->session);
    x->non_root = true;
    x->mtf_pending = false;
    x->ple_first = x->ple_last = 0;
    x->vectoring = x->vectoring_error = 0;
    p->progress.monitoring = false; /* 27.3.3 (26.3.3): address-range monitoring is cleared */
    struct mmu_regs regs = processor_mmu_regs(p);
    mmu_vm_transition(p->mmu, &regs);
    vmx_timer_start(p, (uint32_t)ENTRY_FIELD(e, vmx_preemption_timer_value));
    x->stats.entries++;
    vmx_end_round_trip(x, p->now);
    vmx_watch_wrote(p->watch, p, x->current.address);
    if (p->wires != NULL && p->wires->entered != NULL) {
        p->wires->entered(p->wires->ctx);
    }
    return inject(p, e);
}

/*
 * What can fail with a VM exit; `passed`: the checks cannot. Until it has succeeded, NMIs are blocked or not as they were
 * before (27.8; 26.8).
 *
 * MODEL: a machine check that waits makes the entry fail with reason 41; silicon may also deliver it before or after.
 */
static int load(struct processor *p, const struct vmx_entry *e, bool passed)
{
    const struct vmx_rule *broken = passed ? NULL : vmx_entry_check(e, VMX_AREA_GUEST);
    uint32_t blocking = p->state.interruptibility;
    if (broken != NULL) {
        return vmx_entry_failure(p, VMX_EXIT_entry_failure_guest_state, broken->qualification);
    }
    if (!passed) {
        vmx_entry_note_passed(&p->vmx.passed, e);
    }
    if ((p->signals & CPU_SIGNAL_MACHINE_CHECK) != 0) {
        p->signals &= ~(uint32_t)CPU_SIGNAL_MACHINE_CHECK;
        return vmx_entry_failure(p, VMX_EXIT_entry_failure_machine_check, 0);
    }
    vmx_load_guest(p, e);
    uint32_t bad = vmx_msr_list_load(p, ENTRY_FIELD(e, entry_msr_load_address),
                                     (uint32_t)ENTRY_FIELD(e, entry_msr_load_count));
    if (bad != 0) {
        p->state.interruptibility = blocking;
        return vmx_entry_failure(p, VMX_EXIT_entry_failure_msr_loading, bad);
    }
    return start(p, e);
}

/* The checks that fail as an instruction does (27.2; 26.2); 0 for none. */
static enum vmx_error setup_error(const struct vmx_entry *e)
{
    if (vmx_entry_check(e, VMX_AREA_CONTROLS) != NULL) {
        return VMX_ERROR_entry_invalid_controls;
    }
    return vmx_entry_check(e, VMX_AREA_HOST) != NULL ? VMX_ERROR_entry_invalid_host_state : 0;
}

static int fail(struct processor *p, enum vmx_error error)
{
    p->vmx.stats.entry_failures++;
    return vmx_fail(p, error);
}

int vmx_enter(struct processor *p, const struct cpu_instruction *i)
{
    struct vmx_entry e;
    if (!can_enter(p)) {
        p->vmx.stats.entry_failures++;
        return vmx_fail_invalid(p);
    }
    enum vmx_error error = state_error(p, i->op == CPU_OP_vmlaunch);
    if (error != 0) {
        return fail(p, error);
    }
    vmx_watch_look(p->watch, p, p->vmx.current.address);
    read_entry(&e, p);
    bool passed = vmx_entry_passes_again(&p->vmx.passed, &e);
    error = passed ? 0 : setup_error(&e);
    if (error != 0) {
        return fail(p, error);
    }
    charge(p);
    vmx_copy_controls(&p->vmx, &e);
    return load(p, &e, passed);
}
