/* SPDX-License-Identifier: MIT */
/*
 * Checks on the VM-exit and VM-entry control fields: SDM Vol. 3C 27.2.1.2 and 27.2.1.3 (26.2.1.2 and 26.2.1.3 in
 * editions before 2022).
 */
#include "cpu/vmx/entry_predicates.h"

enum { MSR_ENTRY_LOG2 = 4 };

/* Each entry of an area has 16 bytes; the last byte has to be within the width as well. */
static bool msr_area_ok(const struct vmx_entry *e, uint64_t address, uint64_t count)
{
    uint64_t last = address + (count << MSR_ENTRY_LOG2) - 1;
    return count == 0 || (address_ok(e, address, MSR_ENTRY_LOG2) && last >> e->caps->physical_bits == 0);
}

/* --- VM-exit controls ------------------------------------------------------------------------------------------- */

bool vmx_rule_exit_reserved(const struct vmx_entry *e)
{
    return vmx_fixed_ok(F(exit_controls), e->caps->must[VMX_EXIT], e->caps->may[VMX_EXIT]);
}

bool vmx_rule_exit_save_timer(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, save_preemption_timer), ON(PIN, activate_preemption_timer));
}

bool vmx_rule_exit_msr_store(const struct vmx_entry *e)
{
    return msr_area_ok(e, F(exit_msr_store_address), F(exit_msr_store_count));
}

bool vmx_rule_exit_msr_load(const struct vmx_entry *e)
{
    return msr_area_ok(e, F(exit_msr_load_address), F(exit_msr_load_count));
}

/* --- VM-entry controls ------------------------------------------------------------------------------------------ */

bool vmx_rule_entry_reserved(const struct vmx_entry *e)
{
    return vmx_fixed_ok(F(entry_controls), e->caps->must[VMX_ENTRY], e->caps->may[VMX_ENTRY]);
}

bool vmx_rule_entry_msr_load(const struct vmx_entry *e)
{
    return msr_area_ok(e, F(entry_msr_load_address), F(entry_msr_load_count));
}

bool vmx_rule_entry_smm(const struct vmx_entry *e)
{
    bool to_smm = ON(ENTRY, entry_to_smm), deactivate = ON(ENTRY, deactivate_dual_monitor_treatment);
    return e->smm ? !(to_smm && deactivate) : !to_smm && !deactivate;
}

/* --- event injection -------------------------------------------------------------------------------------------- */

bool vmx_rule_event_type(const struct vmx_entry *e)
{
    bool trap_flag = (e->caps->may[VMX_PRIMARY] & VMX_CONTROL(PRIMARY, monitor_trap_flag)) != 0;
    return !vmx_injects(e, VMX_EVENT_RESERVED) && IMPLIES(vmx_injects(e, VMX_EVENT_OTHER), trap_flag);
}

bool vmx_rule_event_vector(const struct vmx_entry *e)
{
    unsigned vector = vmx_event_vector(e);
    return IMPLIES(vmx_injects(e, VMX_EVENT_NMI), vector == 2) &&
           IMPLIES(vmx_injects(e, VMX_EVENT_HARDWARE_EXCEPTION), vector <= 31) &&
           IMPLIES(vmx_injects(e, VMX_EVENT_OTHER), vector == 0);
}

/* IA32_VMX_BASIC bit 56 is 0 here: an error code goes by the vector and is not the hypervisor's choice. */
bool vmx_rule_event_error_code(const struct vmx_entry *e)
{
    enum { WITH_ERROR_CODE = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 };
    bool protected = (F(guest_cr0) & CPU_CR0_PE) != 0 || !ON(SECONDARY, unrestricted_guest);
    bool wants = protected && vmx_event_type(e) == VMX_EVENT_HARDWARE_EXCEPTION && vmx_event_vector(e) <= 31 &&
                 (WITH_ERROR_CODE >> vmx_event_vector(e) & 1) != 0;
    return IMPLIES(vmx_event_valid(e), vmx_event_has_error_code(e) == wants);
}

bool vmx_rule_event_reserved(const struct vmx_entry *e)
{
    return IMPLIES(vmx_event_valid(e), (F(entry_interruption_information) & 0x7ffff000) == 0);
}

bool vmx_rule_event_error_code_reserved(const struct vmx_entry *e)
{
    return IMPLIES(vmx_event_valid(e) && vmx_event_has_error_code(e), F(entry_exception_error_code) >> 16 == 0);
}

bool vmx_rule_event_instruction_length(const struct vmx_entry *e)
{
    bool software = vmx_injects(e, VMX_EVENT_SOFTWARE_INTERRUPT) ||
                    vmx_injects(e, VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION) ||
                    vmx_injects(e, VMX_EVENT_SOFTWARE_EXCEPTION);
    bool zero_offered = (e->caps->misc & VMX_MISC_INJECT_ZERO_LENGTH) != 0;
    uint64_t length = F(entry_instruction_length);
    return IMPLIES(software, length <= 15 && (length > 0 || zero_offered));
}
