/* SPDX-License-Identifier: MIT */
/*
 * What the processor's VMX offers, as its capability MSRs report it (SDM Vol. 3D appendix A "VMX Capability Reporting
 * Facility"). "Hardware without feature X" is a processor whose parameters leave X out.
 */
#ifndef HV_CPU_VMX_VMX_CAPS_H
#define HV_CPU_VMX_VMX_CAPS_H

#include "base/err.h"
#include "cpu/vmx/vmx_controls.h"

struct vmx_caps {
    uint64_t must[VMX_WORDS]; /* bits that have to be 1 ("allowed 0-settings" of the TRUE capability MSRs) */
    uint64_t may[VMX_WORDS];  /* bits that may be 1 ("allowed 1-settings") */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* IA32_VMX_CR0_FIXED0 ... */
    uint64_t misc, ept_vpid, vmfunc; /* IA32_VMX_MISC, IA32_VMX_EPT_VPID_CAP, IA32_VMX_VMFUNC */
    uint64_t efer_valid, perf_global_ctrl_valid; /* bits of IA32_EFER and IA32_PERF_GLOBAL_CTRL that exist */
    unsigned physical_bits; /* MAXPHYADDR */
    unsigned linear_bits;   /* 48, or 57 with LA57 */
};

/* Whether bits that have to be 1 are, and none that may not be 1 is. */
static inline bool vmx_fixed_ok(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}

/* A PDPTE that is present has no reserved bit: SDM Vol. 3A "PAE Paging", format of a PDPTE. */
static inline bool vmx_pdpte_ok(const struct vmx_caps *c, uint64_t pdpte)
{
    return (pdpte & 1) == 0 || ((pdpte & 0x1e6) == 0 && pdpte >> c->physical_bits == 0);
}

/* IA32_VMX_BASIC and so on. SDM Vol. 4 chapter 2. */
enum vmx_msr {
    VMX_MSR_BASIC = 0x480, VMX_MSR_PINBASED_CTLS, VMX_MSR_PROCBASED_CTLS, VMX_MSR_EXIT_CTLS, VMX_MSR_ENTRY_CTLS,
    VMX_MSR_MISC, VMX_MSR_CR0_FIXED0, VMX_MSR_CR0_FIXED1, VMX_MSR_CR4_FIXED0, VMX_MSR_CR4_FIXED1, VMX_MSR_VMCS_ENUM,
    VMX_MSR_PROCBASED_CTLS2, VMX_MSR_EPT_VPID_CAP, VMX_MSR_TRUE_PINBASED_CTLS, VMX_MSR_TRUE_PROCBASED_CTLS,
    VMX_MSR_TRUE_EXIT_CTLS, VMX_MSR_TRUE_ENTRY_CTLS, VMX_MSR_VMFUNC, VMX_MSR_PROCBASED_CTLS3, VMX_MSR_EXIT_CTLS2,
};
enum { VMX_MSR_FIRST = VMX_MSR_BASIC, VMX_MSR_LAST = VMX_MSR_EXIT_CTLS2 };

/* Bits of IA32_VMX_MISC (appendix A.6). */
#define VMX_MISC_STORE_LMA (UINT64_C(1) << 5)
#define VMX_MISC_HLT (UINT64_C(1) << 6)
#define VMX_MISC_SHUTDOWN (UINT64_C(1) << 7)
#define VMX_MISC_WAIT_FOR_SIPI (UINT64_C(1) << 8)
#define VMX_MISC_INTEL_PT (UINT64_C(1) << 14)
#define VMX_MISC_CR3_TARGETS_SHIFT 16 /* bits 24:16 */
#define VMX_MISC_WRITE_READ_ONLY (UINT64_C(1) << 29)
#define VMX_MISC_INJECT_ZERO_LENGTH (UINT64_C(1) << 30)

/* Bits of IA32_VMX_EPT_VPID_CAP (appendix A.10). */
#define VMX_EPT_EXECUTE_ONLY (UINT64_C(1) << 0)
#define VMX_EPT_4_LEVELS (UINT64_C(1) << 6)
#define VMX_EPT_5_LEVELS (UINT64_C(1) << 7)
#define VMX_EPT_UNCACHEABLE (UINT64_C(1) << 8)
#define VMX_EPT_WRITE_BACK (UINT64_C(1) << 14)
#define VMX_EPT_2M (UINT64_C(1) << 16)
#define VMX_EPT_1G (UINT64_C(1) << 17)
#define VMX_EPT_INVEPT (UINT64_C(1) << 20)
#define VMX_EPT_FLAGS (UINT64_C(1) << 21)
#define VMX_EPT_INVEPT_CONTEXT (UINT64_C(1) << 25)
#define VMX_EPT_INVEPT_ALL (UINT64_C(1) << 26)
#define VMX_VPID_INVVPID (UINT64_C(1) << 32)
#define VMX_VPID_ADDRESS (UINT64_C(1) << 40)
#define VMX_VPID_CONTEXT (UINT64_C(1) << 41)
#define VMX_VPID_ALL (UINT64_C(1) << 42)
#define VMX_VPID_CONTEXT_KEEP_GLOBAL (UINT64_C(1) << 43)

#define VMX_VMFUNC_EPTP_SWITCHING (UINT64_C(1) << 0)

/*
 * Every control of vmx_controls.def but the one that activates the secondary VM-exit controls, of which there are
 * none. physical_bits is 32 to 52.
 */
void vmx_caps_init(struct vmx_caps *c, unsigned physical_bits, bool la57);

/* The reserved bits of a word that have to be 1 on every processor. None of them has a name. */
uint64_t vmx_reserved_ones(enum vmx_word word);

/*
 * Takes a control away, named "WORD.NAME" with WORD pin, primary, secondary, tertiary, exit or entry:
 * "secondary.unrestricted_guest". False, with a sentence, when there is none of this name or every processor has it.
 */
bool vmx_caps_without(struct vmx_caps *c, const char *control, struct hv_err *err);

/* Whether the processor offers a control, and the word that it is in. */
bool vmx_caps_has(const struct vmx_caps *c, enum vmx_word word, uint64_t control);

/* Whether its VMCSs have a field: VMREAD and VMWRITE of one they lack fail with error 12. */
bool vmx_caps_has_field(const struct vmx_caps *c, enum vmcs_index field);

/* The value that RDMSR gives of a capability MSR. False: the processor has none of this index. */
bool vmx_caps_msr(const struct vmx_caps *c, uint32_t index, uint64_t *value);

#endif
