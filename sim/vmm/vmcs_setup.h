/* SPDX-License-Identifier: MIT */
/*
 * Making a VMCS ready for a 64-bit guest, by the calls of api/hvsim.h: what every hypervisor writes before VMLAUNCH.
 *
 * Controls are what the processor's capability MSRs allow of what is wanted (SDM Vol. 3D appendix A), so a machine that
 * lacks a feature (vmx.without) runs its guests without it.
 */
#ifndef HV_VMM_VMCS_SETUP_H
#define HV_VMM_VMCS_SETUP_H

#include "api/hvsim.h"

enum vmcs_setup_word { SETUP_PIN, SETUP_PRIMARY, SETUP_SECONDARY, SETUP_EXIT, SETUP_ENTRY, SETUP_WORDS };

struct vmcs_setup {
    uint64_t eptp; /* 0: without EPT */
    uint16_t vpid; /* 0: without VPIDs */
    uint64_t cr3, cr4;
    uint64_t rflags;
    bool user;                  /* the guest begins in ring 3, else in ring 0 */
    uint64_t more[SETUP_WORDS]; /* controls beyond those that all guests of hvsim's hypervisor have */
    uint64_t fewer[SETUP_WORDS]; /* of these, the ones that this guest does not want */
};

#define SETUP_CR4_LONG_MODE UINT64_C(0x20a0) /* VMXE, PGE, PAE */
#define SETUP_RFLAGS UINT64_C(2)             /* the bit that is always 1 */

/* The VMCS revision identifier, which VMXON and VMPTRLD want in the first bytes of their regions. */
uint32_t vmcs_setup_revision(struct hv_cpu *cpu);

/* Writes all of the current VMCS that VMLAUNCH looks at. The host's state is the processor's own. */
void vmcs_setup(struct hv_cpu *cpu, const struct vmcs_setup *setup);

/* The value of a control word that a processor with these capabilities runs with when `wanted` is asked for. */
uint64_t vmcs_setup_allowed(struct hv_cpu *cpu, enum vmcs_setup_word word, uint64_t wanted);

#endif
