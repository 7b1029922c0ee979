/* SPDX-License-Identifier: MIT */
/*
 * Checks on the guest's non-register state and PDPTEs: SDM Vol. 3C 27.3.1.5 and 27.3.1.6 (26.3.1.5 and 26.3.1.6 in
 * editions before 2022).
 */
#include "cpu/vmx/entry_predicates.h"

enum { VECTOR_DEBUG = 1, VECTOR_MACHINE_CHECK = 18 };

/* Bits of the pending debug exceptions. */
#define PENDING_BREAKPOINTS UINT64_C(0xf)
#define PENDING_ENABLED (UINT64_C(1) << 12)
#define PENDING_BS (UINT64_C(1) << 14)
#define PENDING_RTM (UINT64_C(1) << 16)

static bool blocked_by(const struct vmx_entry *e, unsigned mask)
{
    return (F(guest_interruptibility_state) & mask) != 0;
}

/* --- activity state --------------------------------------------------------------------------------------------- */

bool vmx_rule_activity_supported(const struct vmx_entry *e)
{
    switch (F(guest_activity_state)) {
    case CPU_ACTIVE: return true;
    case CPU_HALTED: return (e->caps->misc & VMX_MISC_HLT) != 0;
    case CPU_SHUTDOWN: return (e->caps->misc & VMX_MISC_SHUTDOWN) != 0;
    case CPU_WAIT_FOR_SIPI: return (e->caps->misc & VMX_MISC_WAIT_FOR_SIPI) != 0;
    default: return false;
    }
}

bool vmx_rule_activity_hlt_dpl(const struct vmx_entry *e)
{
    return IMPLIES(F(guest_activity_state) == CPU_HALTED,
                   (F(guest_ss_access_rights) >> CPU_AR_DPL_SHIFT & 3) == 0);
}

bool vmx_rule_activity_blocking(const struct vmx_entry *e)
{
    return IMPLIES(blocked_by(e, CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS), F(guest_activity_state) == CPU_ACTIVE);
}

static bool is_exception(const struct vmx_entry *e, unsigned vector)
{
    return vmx_injects(e, VMX_EVENT_HARDWARE_EXCEPTION) && vmx_event_vector(e) == vector;
}

bool vmx_rule_activity_event(const struct vmx_entry *e)
{
    bool fatal = vmx_injects(e, VMX_EVENT_NMI) || is_exception(e, VECTOR_MACHINE_CHECK);
    bool pending_trap_flag = vmx_injects(e, VMX_EVENT_OTHER) && vmx_event_vector(e) == 0;
    if (!vmx_event_valid(e)) {
        return true;
    }
    switch (F(guest_activity_state)) {
    case CPU_HALTED:
        return fatal || vmx_injects(e, VMX_EVENT_EXTERNAL) || is_exception(e, VECTOR_DEBUG) || pending_trap_flag;
    case CPU_SHUTDOWN: return fatal;
    case CPU_WAIT_FOR_SIPI: return false;
    default: return true;
    }
}

bool vmx_rule_activity_smm(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, entry_to_smm), F(guest_activity_state) != CPU_WAIT_FOR_SIPI);
}

/* --- interruptibility state ------------------------------------------------------------------------------------- */

bool vmx_rule_interruptibility_reserved(const struct vmx_entry *e)
{
    return F(guest_interruptibility_state) >> 5 == 0;
}

bool vmx_rule_interruptibility_both(const struct vmx_entry *e)
{
    return !(blocked_by(e, CPU_BLOCKED_BY_STI) && blocked_by(e, CPU_BLOCKED_BY_MOV_SS));
}

bool vmx_rule_interruptibility_sti_if(const struct vmx_entry *e)
{
    return IMPLIES(blocked_by(e, CPU_BLOCKED_BY_STI), (F(guest_rflags) & CPU_RFLAGS_IF) != 0);
}

bool vmx_rule_interruptibility_external(const struct vmx_entry *e)
{
    return IMPLIES(vmx_injects(e, VMX_EVENT_EXTERNAL), !blocked_by(e, CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS));
}

bool vmx_rule_interruptibility_nmi_mov_ss(const struct vmx_entry *e)
{
    return IMPLIES(vmx_injects(e, VMX_EVENT_NMI), !blocked_by(e, CPU_BLOCKED_BY_MOV_SS));
}

bool vmx_rule_interruptibility_smi_outside(const struct vmx_entry *e)
{
    return IMPLIES(!e->smm, !blocked_by(e, CPU_BLOCKED_BY_SMI));
}

bool vmx_rule_interruptibility_smi_entry(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, entry_to_smm), blocked_by(e, CPU_BLOCKED_BY_SMI));
}

/* The manual leaves this one to the processor, in older editions in so many words; here it is made. */
bool vmx_rule_interruptibility_nmi_sti(const struct vmx_entry *e)
{
    return IMPLIES(vmx_injects(e, VMX_EVENT_NMI), !blocked_by(e, CPU_BLOCKED_BY_STI));
}

bool vmx_rule_interruptibility_virtual_nmi(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, virtual_nmis) && vmx_injects(e, VMX_EVENT_NMI), !blocked_by(e, CPU_BLOCKED_BY_NMI));
}

/* MODEL: the processor has SGX, which bit 4 needs as well. */
bool vmx_rule_interruptibility_enclave(const struct vmx_entry *e)
{
    return !(blocked_by(e, CPU_ENCLAVE_INTERRUPTION) && blocked_by(e, CPU_BLOCKED_BY_MOV_SS));
}

/* --- pending debug exceptions ----------------------------------------------------------------------------------- */

bool vmx_rule_pending_debug_reserved(const struct vmx_entry *e)
{
    const uint64_t exists = PENDING_BREAKPOINTS | PENDING_ENABLED | PENDING_BS | PENDING_RTM;
    return (F(guest_pending_debug_exceptions) & ~exists) == 0;
}

bool vmx_rule_pending_debug_single_step(const struct vmx_entry *e)
{
    bool held_back = blocked_by(e, CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS) ||
                     F(guest_activity_state) == CPU_HALTED;
    bool steps = (F(guest_rflags) & CPU_RFLAGS_TF) != 0 && (F(guest_debugctl) & CPU_DEBUGCTL_BTF) == 0;
    return IMPLIES(held_back, ((F(guest_pending_debug_exceptions) & PENDING_BS) != 0) == steps);
}

/* MODEL: the processor has RTM, which bit 16 needs as well. */
bool vmx_rule_pending_debug_rtm(const struct vmx_entry *e)
{
    uint64_t pending = F(guest_pending_debug_exceptions);
    bool alone = (pending & (UINT64_C(0xfff) | PENDING_BS)) == 0 && (pending & PENDING_ENABLED) != 0;
    return IMPLIES((pending & PENDING_RTM) != 0, alone && !blocked_by(e, CPU_BLOCKED_BY_MOV_SS));
}

/* --- VMCS link pointer ------------------------------------------------------------------------------------------ */

static bool has_link(const struct vmx_entry *e)
{
    return F(vmcs_link_pointer) != VMCS_NONE;
}

bool vmx_rule_link_pointer_address(const struct vmx_entry *e)
{
    return IMPLIES(has_link(e), address_ok(e, F(vmcs_link_pointer), PAGE_LOG2));
}

/* Whether a VMCS is linked that one can look at. */
static bool can_see_link(const struct vmx_entry *e)
{
    return has_link(e) && vmx_rule_link_pointer_address(e) && e->memory != NULL;
}

static uint32_t linked_revision(const struct vmx_entry *e)
{
    return (uint32_t)physmem_read64(e->memory, (hv_hpa){F(vmcs_link_pointer)});
}

bool vmx_rule_link_pointer_revision(const struct vmx_entry *e)
{
    return IMPLIES(can_see_link(e), (linked_revision(e) & ~VMCS_SHADOW) == VMCS_REVISION);
}

bool vmx_rule_link_pointer_shadow(const struct vmx_entry *e)
{
    return IMPLIES(can_see_link(e), ((linked_revision(e) & VMCS_SHADOW) != 0) == ON(SECONDARY, vmcs_shadowing));
}

bool vmx_rule_link_pointer_current(const struct vmx_entry *e)
{
    bool stays_in_smm = e->smm && !ON(ENTRY, entry_to_smm);
    uint64_t other = stays_in_smm ? F(executive_vmcs_pointer) : e->current_vmcs;
    return IMPLIES(has_link(e), F(vmcs_link_pointer) != other);
}

/* --- page-directory-pointer-table entries ----------------------------------------------------------------------- */

/* With EPT the entries are fields, otherwise the 32 bytes that bits 31:5 of CR3 locate. */
bool vmx_part_pdpte(const struct vmx_entry *e, enum vmcs_index field)
{
    bool pae = (F(guest_cr0) & CPU_CR0_PG) != 0 && (F(guest_cr4) & CPU_CR4_PAE) != 0 && !ON(ENTRY, ia32e_mode_guest);
    if (!pae) {
        return true;
    }
    if (ON(SECONDARY, enable_ept)) {
        return vmx_pdpte_ok(e->caps, e->fields[field]);
    }
    uint64_t address = (F(guest_cr3) & 0xffffffe0) + 8 * (uint64_t)(field - VMCS_INDEX_guest_pdpte0);
    return e->memory == NULL || vmx_pdpte_ok(e->caps, physmem_read64(e->memory, (hv_hpa){address}));
}
