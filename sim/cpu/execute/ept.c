/* SPDX-License-Identifier: MIT */
#include "cpu/execute/ept.h"

#include "cpu/execute/access.h"
#include "cpu/execute/exit.h"

#define EPT_SUPPRESS_VE (UINT64_C(1) << 63)
#define QUALIFICATION_NMI_UNBLOCKED (UINT64_C(1) << 12) /* table 28-7; also of a full log (28.2.1) */

/* Offsets of the virtualization-exception information area, SDM Vol. 3C table 26-1 (25-1 in editions before 2022). */
enum { VE_REASON = 0, VE_BUSY = 4, VE_QUALIFICATION = 8, VE_LINEAR = 16, VE_PHYSICAL = 24, VE_EPTP_INDEX = 32 };

enum { LOG_ENTRIES = 512 };

/* Whether the EPT entry that stopped the walk has bit 63, "suppress #VE", clear. */
static bool entry_converts(const struct processor *p, const struct hv_fault *fault)
{
    struct walk walk = {.leaf = 0};
    if (!mmu_probe_host(p->mmu, fault->gpa, HV_LOAD, fault->level, &walk) || walk.host_level != fault->level) {
        return false;
    }
    return (physmem_read64(p->memory, walk.read) & EPT_SUPPRESS_VE) == 0;
}

/* SDM Vol. 3C 26.5.7.1 and 26.5.7.2 (25.5.7): a convertible violation, and the conditions for delivering it as #VE. */
static bool converts(const struct processor *p, const struct hv_fault *fault, uint64_t area)
{
    return VMX_ON(p, SECONDARY, ept_violation_ve) && !p->progress.delivering && cpu_protected_mode(&p->state) &&
           entry_converts(p, fault) && cpu_physical_read(p, area + VE_BUSY, 4) == 0;
}

static enum cpu_end raise_ve(struct processor *p, const struct hv_fault *fault, uint64_t area)
{
    cpu_physical_write(p, area + VE_REASON, 4, VMX_EXIT_ept_violation);
    cpu_physical_write(p, area + VE_BUSY, 4, UINT32_MAX);
    cpu_physical_write(p, area + VE_QUALIFICATION, 8, fault->error_code);
    cpu_physical_write(p, area + VE_LINEAR, 8, fault->gva.v);
    cpu_physical_write(p, area + VE_PHYSICAL, 8, fault->gpa.v);
    cpu_physical_write(p, area + VE_EPTP_INDEX, 2, VMCS_GET(&p->vmx.current, eptp_index));
    return processor_raise(p, CPU_VE);
}

enum cpu_end cpu_ept_fault(struct processor *p, const struct hv_fault *fault)
{
    uint64_t unblocked = p->progress.nmi_unblocked && p->vmx.vectoring == 0 ? QUALIFICATION_NMI_UNBLOCKED : 0;
    struct vmx_exit exit = {
        .reason = VMX_EXIT_ept_violation, .qualification = fault->error_code | unblocked,
        .guest_linear = fault->gva.v, .guest_physical = fault->gpa.v, .undefined_length = true,
    };
    if (p->progress.log_full) {
        p->progress.log_full = false;
        exit.reason = VMX_EXIT_pml_full;
        exit.qualification = unblocked;
        exit.guest_linear = exit.guest_physical = 0;
        return cpu_exit(p, exit);
    }
    if (fault->kind == HV_FAULT_MISCONFIG) {
        exit.reason = VMX_EXIT_ept_misconfiguration;
        exit.qualification = 0;
        return cpu_exit(p, exit);
    }
    uint64_t area = VMCS_GET(&p->vmx.current, ve_information_address);
    return converts(p, fault, area) ? raise_ve(p, fault, area) : cpu_exit(p, exit);
}

/*
 * SDM Vol. 3C 29.3.6 "Page-Modification Logging" (28.3.6): the entry that the PML index names gets the 4-KiB page, and
 * the index goes down by one, from 0 to FFFFH. An index beyond the log is a full log.
 */
bool cpu_log_dirty(void *processor, hv_gpa address)
{
    struct processor *p = processor;
    uint64_t index = VMCS_GET(&p->vmx.current, pml_index);
    if (index >= LOG_ENTRIES) {
        p->progress.log_full = true;
        return false;
    }
    uint64_t log = VMCS_GET(&p->vmx.current, pml_address);
    cpu_physical_write(p, log + 8 * index, 8, address.v & ~(uint64_t)(HV_PAGE_BYTES - 1));
    VMCS_SET(&p->vmx.current, pml_index, index - 1);
    return true;
}
