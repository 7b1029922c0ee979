/* SPDX-License-Identifier: MIT */
/*
 * VMX operation of a logical processor: SDM Vol. 3C chapters "Introduction to Virtual Machine Extensions" to "VM Exits".
 *
 * Sections of the manual are cited by the numbers of the editions of 2022 to 2024, in which these are chapters 24 to 28,
 * and often by those of 2020 and 2021 as well, in which all are one lower. In that of March 2026 (325462-091) they are
 * two higher: "VM Entries" is chapter 29.
 *
 * The VMCS in memory (vmcs.h) is the state. What every instruction of a guest asks, the control words and the exception
 * bitmap, is copied here at VM entry, as silicon does: changing the region of an active VMCS by ordinary stores has no
 * effect on the guest that runs.
 */
#ifndef HV_CPU_VMX_VMX_H
#define HV_CPU_VMX_VMX_H

#include "base/types.h"
#include "cpu/vmx/entry_passed.h"
#include "cpu/vmx/vmcs.h"
#include "cpu/vmx/vmx_caps.h"
#include "cpu/vmx/vmx_stats.h"

enum vmx_exit_reason {
#define X(number, name, words) VMX_EXIT_##name = number,
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
};

enum { VMX_EXIT_REASONS = 80 }; /* numbers are below this */

#define VMX_EXIT_ENTRY_FAILURE (UINT32_C(1) << 31) /* in the exit-reason field: the VM entry did not take place */

enum vmx_error {
#define R(number, name, words) VMX_ERROR_##name = number,
#include "cpu/vmx/vmx_errors.def"
#undef R
};

/* What a VM exit records: SDM Vol. 3C "Recording VM-Exit Information and Updating VM-entry Control Fields" (28.2; 27.2). */
struct vmx_exit {
    uint32_t reason;             /* enum vmx_exit_reason, with flags */
    uint64_t qualification;
    uint64_t guest_linear;
    uint64_t guest_physical;
    uint32_t interruption, interruption_error; /* as in the VMCS; bit 31 of the first: valid */
    uint32_t vectoring, vectoring_error;       /* the event that was being delivered; bit 31: valid */
    uint32_t length;             /* of the instruction, where the manual defines it */
    uint32_t information;        /* VM-exit instruction information */
    bool undefined_length;       /* the field keeps its value */
};

/* Hardware costs in cycles: parameters vmx.cost.*. */
struct vmx_costs {
    hv_cycles entry_cycles, exit_cycles; /* hardware half trips, without what is simulated */
    hv_cycles vmread_cycles, vmwrite_cycles;
    hv_cycles control_write_cycles;      /* what a VMWRITE to a control field adds to the next entry */
    hv_cycles instruction_cycles;        /* any other VMX instruction */
    hv_cycles msr_cycles;                /* each MSR of a list */
    hv_cycles virtual_tpr_cycles;        /* MOV to CR8 of a TPR shadow */
};

struct vmx {
    struct vmx_caps caps;
    bool on;               /* in VMX operation */
    bool non_root;
    bool dirty_controls;   /* a control field was written since the last entry */
    uint64_t vmxon_pointer;
    uint32_t session;      /* this VMX operation, from VMXON on; no two have the same number */
    struct vmcs current;   /* address VMCS_NONE: no current VMCS */
    struct vmx_entry_passed passed;

    /* Of the guest that runs: copied at VM entry. */
    uint64_t words[VMX_WORDS];
    uint32_t exception_bitmap, page_fault_mask, page_fault_match;
    uint64_t cr0_mask, cr4_mask;
    uint64_t tsc_offset, tsc_multiplier;
    uint64_t io_bitmap[2], msr_bitmaps;
    uint64_t eptp;                 /* VMFUNC changes it */
    uint16_t vpid;
    hv_cycles preemption_deadline; /* when the VMX-preemption timer reaches 0 */
    bool virtual_nmi_blocking;
    bool mtf_pending;
    hv_cycles ple_first, ple_last; /* PAUSE-loop exiting */
    uint32_t vectoring, vectoring_error; /* the event being delivered now; bit 31: valid */

    struct vmx_exit exit; /* the last VM exit */
    struct vmx_stats stats;
    hv_cycles exited_at; /* UINT64_MAX: no round trip is under way */
};

struct processor;
struct cpu_instruction;

/* Whether a control is 1 for the guest that runs: VMX_ON(p, PRIMARY, hlt_exiting). */
#define VMX_ON(p, word, name) (((p)->vmx.words[VMX_##word] & VMX_CONTROL(word, name)) != 0)

void vmx_init(struct vmx *x, const struct vmx_caps *caps);

/* --- vmx_exit.c ---------------------------------------------------------------------------------------------- */

/*
 * A VM exit: records it, saves the guest's state, stores and loads MSRs, loads the host's state. RIP has to be where
 * the guest is to continue: at the instruction for what is like a fault. Returns CPU_EXITED, or CPU_STOPPED after a
 * VMX abort (as int: enum cpu_end of processor.h).
 */
int vmx_exit(struct processor *p, const struct vmx_exit *exit);

/* --- the instructions: each returns an enum cpu_end ------------------------------------------------------------ */

/*
 * They check #UD, VM exit in non-root operation, #GP and so on in the order of the manual's pseudo-code, and end with
 * RFLAGS as VMsucceed, VMfailInvalid or VMfailValid say.
 */
int vmx_execute(struct processor *p, const struct cpu_instruction *i);

#endif
