/* SPDX-License-Identifier: MIT */
/* Checks on the VM-execution control fields: SDM Vol. 3C 27.2.1.1 (26.2.1.1 in editions before 2022). */
#include "cpu/vmx/entry_predicates.h"

enum { DESCRIPTOR_LOG2 = 6, POINTER_LOG2 = 3 };

/* --- reserved bits ---------------------------------------------------------------------------------------------- */

static bool word_allowed(const struct vmx_entry *e, enum vmx_word word)
{
    return vmx_fixed_ok(e->fields[vmx_word_fields[word]], e->caps->must[word], e->caps->may[word]);
}

bool vmx_rule_pin_reserved(const struct vmx_entry *e)
{
    return word_allowed(e, VMX_PIN);
}

bool vmx_rule_primary_reserved(const struct vmx_entry *e)
{
    return word_allowed(e, VMX_PRIMARY);
}

bool vmx_rule_secondary_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, activate_secondary_controls), word_allowed(e, VMX_SECONDARY));
}

bool vmx_rule_tertiary_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, activate_tertiary_controls), word_allowed(e, VMX_TERTIARY));
}

bool vmx_rule_cr3_target_count(const struct vmx_entry *e)
{
    return F(cr3_target_count) <= (e->caps->misc >> VMX_MISC_CR3_TARGETS_SHIFT & 511);
}

/* --- bitmaps ---------------------------------------------------------------------------------------------------- */

bool vmx_rule_io_bitmap_a(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, use_io_bitmaps), address_ok(e, F(io_bitmap_a), PAGE_LOG2));
}

bool vmx_rule_io_bitmap_b(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, use_io_bitmaps), address_ok(e, F(io_bitmap_b), PAGE_LOG2));
}

bool vmx_rule_msr_bitmaps(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, use_msr_bitmaps), address_ok(e, F(msr_bitmaps), PAGE_LOG2));
}

bool vmx_rule_vmread_bitmap(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, vmcs_shadowing), address_ok(e, F(vmread_bitmap), PAGE_LOG2));
}

bool vmx_rule_vmwrite_bitmap(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, vmcs_shadowing), address_ok(e, F(vmwrite_bitmap), PAGE_LOG2));
}

/* --- interrupts and the APIC ------------------------------------------------------------------------------------ */

bool vmx_rule_virtual_apic_address(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, use_tpr_shadow), address_ok(e, F(virtual_apic_address), PAGE_LOG2));
}

bool vmx_rule_tpr_threshold_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, use_tpr_shadow) && !ON(SECONDARY, virtual_interrupt_delivery),
                   F(tpr_threshold) >> 4 == 0);
}

/* VTPR is byte 80H of the virtual-APIC page. */
bool vmx_rule_tpr_threshold_vtpr(const struct vmx_entry *e)
{
    enum { VTPR = 0x80 };
    if (!ON(PRIMARY, use_tpr_shadow) || ON(SECONDARY, virtualize_apic_accesses) ||
        ON(SECONDARY, virtual_interrupt_delivery) || e->memory == NULL) {
        return true;
    }
    uint64_t vtpr = physmem_read64(e->memory, (hv_hpa){F(virtual_apic_address) + VTPR}) & 255;
    return (F(tpr_threshold) & 15) <= vtpr >> 4;
}

bool vmx_rule_virtual_nmis(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, virtual_nmis), ON(PIN, nmi_exiting));
}

bool vmx_rule_nmi_window(const struct vmx_entry *e)
{
    return IMPLIES(ON(PRIMARY, nmi_window_exiting), ON(PIN, virtual_nmis));
}

bool vmx_rule_apic_access_address(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, virtualize_apic_accesses), address_ok(e, F(apic_access_address), PAGE_LOG2));
}

bool vmx_rule_no_tpr_shadow_x2apic(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, virtualize_x2apic_mode), ON(PRIMARY, use_tpr_shadow));
}

bool vmx_rule_no_tpr_shadow_registers(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, apic_register_virtualization), ON(PRIMARY, use_tpr_shadow));
}

bool vmx_rule_no_tpr_shadow_delivery(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, virtual_interrupt_delivery), ON(PRIMARY, use_tpr_shadow));
}

bool vmx_rule_no_tpr_shadow_ipi(const struct vmx_entry *e)
{
    return IMPLIES(ON(TERTIARY, ipi_virtualization), ON(PRIMARY, use_tpr_shadow));
}

bool vmx_rule_x2apic_and_accesses(const struct vmx_entry *e)
{
    return !(ON(SECONDARY, virtualize_x2apic_mode) && ON(SECONDARY, virtualize_apic_accesses));
}

bool vmx_rule_delivery_external(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, virtual_interrupt_delivery), ON(PIN, external_interrupt_exiting));
}

bool vmx_rule_posted_delivery(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, process_posted_interrupts), ON(SECONDARY, virtual_interrupt_delivery));
}

bool vmx_rule_posted_acknowledge(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, process_posted_interrupts), ON(EXIT, acknowledge_interrupt_on_exit));
}

bool vmx_rule_posted_vector(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, process_posted_interrupts), F(posted_interrupt_notification_vector) <= 255);
}

bool vmx_rule_posted_descriptor(const struct vmx_entry *e)
{
    return IMPLIES(ON(PIN, process_posted_interrupts),
                   address_ok(e, F(posted_interrupt_descriptor_address), DESCRIPTOR_LOG2));
}

bool vmx_rule_pid_pointer_table(const struct vmx_entry *e)
{
    uint64_t last = F(pid_pointer_table_address) + (F(last_pid_pointer_index) << POINTER_LOG2);
    return IMPLIES(ON(TERTIARY, ipi_virtualization), address_ok(e, F(pid_pointer_table_address), POINTER_LOG2) &&
                   address_ok(e, last, POINTER_LOG2));
}

/* --- EPT and VPID ----------------------------------------------------------------------------------------------- */

bool vmx_rule_vpid_nonzero(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_vpid), F(vpid) != 0);
}

bool vmx_rule_eptp_memory_type(const struct vmx_entry *e)
{
    enum { UNCACHEABLE = 0, WRITE_BACK = 6 };
    uint64_t type = F(eptp) & 7;
    bool offered = (type == UNCACHEABLE && (e->caps->ept_vpid & VMX_EPT_UNCACHEABLE) != 0) ||
                   (type == WRITE_BACK && (e->caps->ept_vpid & VMX_EPT_WRITE_BACK) != 0);
    return IMPLIES(ON(SECONDARY, enable_ept), offered);
}

bool vmx_rule_eptp_walk_length(const struct vmx_entry *e)
{
    uint64_t length = (F(eptp) >> 3 & 7) + 1;
    bool offered = (length == 4 && (e->caps->ept_vpid & VMX_EPT_4_LEVELS) != 0) ||
                   (length == 5 && (e->caps->ept_vpid & VMX_EPT_5_LEVELS) != 0);
    return IMPLIES(ON(SECONDARY, enable_ept), offered);
}

bool vmx_rule_eptp_flags(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_ept) && (F(eptp) >> 6 & 1) != 0, (e->caps->ept_vpid & VMX_EPT_FLAGS) != 0);
}

/* MODEL: bit 7, supervisor shadow-stack control, is reserved, as IA32_VMX_EPT_VPID_CAP does not offer it. */
bool vmx_rule_eptp_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_ept), (F(eptp) & 0xf80) == 0 && F(eptp) >> e->caps->physical_bits == 0);
}

bool vmx_rule_pml_ept(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_pml), ON(SECONDARY, enable_ept));
}

bool vmx_rule_pml_address(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_pml), address_ok(e, F(pml_address), PAGE_LOG2));
}

bool vmx_rule_unrestricted_ept(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, unrestricted_guest), ON(SECONDARY, enable_ept));
}

bool vmx_rule_mode_based_ept(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, mode_based_execute_control), ON(SECONDARY, enable_ept));
}

bool vmx_rule_sub_page_ept(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, sub_page_write_permissions), ON(SECONDARY, enable_ept));
}

bool vmx_rule_sub_page_pointer(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, sub_page_write_permissions),
                   address_ok(e, F(sub_page_permission_table_pointer), PAGE_LOG2));
}

bool vmx_rule_ve_information(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, ept_violation_ve), address_ok(e, F(ve_information_address), PAGE_LOG2));
}

/* --- VM functions ----------------------------------------------------------------------------------------------- */

bool vmx_rule_vm_functions_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, enable_vm_functions), (F(vm_function_controls) & ~e->caps->vmfunc) == 0);
}

static bool switches_eptp(const struct vmx_entry *e)
{
    return ON(SECONDARY, enable_vm_functions) && (F(vm_function_controls) & VMX_VMFUNC_EPTP_SWITCHING) != 0;
}

bool vmx_rule_eptp_switching_ept(const struct vmx_entry *e)
{
    return IMPLIES(switches_eptp(e), ON(SECONDARY, enable_ept));
}

bool vmx_rule_eptp_list(const struct vmx_entry *e)
{
    return IMPLIES(switches_eptp(e), address_ok(e, F(eptp_list_address), PAGE_LOG2));
}

/* --- other features --------------------------------------------------------------------------------------------- */

bool vmx_rule_pt_ept(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, pt_uses_guest_physical_addresses), ON(SECONDARY, enable_ept));
}

bool vmx_rule_pt_load_rtit(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, pt_uses_guest_physical_addresses), ON(ENTRY, load_rtit_ctl));
}

bool vmx_rule_pt_clear_rtit(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, pt_uses_guest_physical_addresses), ON(EXIT, clear_rtit_ctl));
}

bool vmx_rule_tsc_multiplier(const struct vmx_entry *e)
{
    return IMPLIES(ON(SECONDARY, use_tsc_scaling), F(tsc_multiplier) != 0);
}

bool vmx_part_pasid_directory(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(ON(SECONDARY, pasid_translation), address_ok(e, e->fields[field], PAGE_LOG2));
}

/* Bits 3 and 4 are PWT and PCD, as in CR3. */
bool vmx_rule_hlatp(const struct vmx_entry *e)
{
    return IMPLIES(ON(TERTIARY, enable_hlat), (F(hlatp) & 0xfe7) == 0 && F(hlatp) >> e->caps->physical_bits == 0);
}
