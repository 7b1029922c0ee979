/* SPDX-License-Identifier: MIT */
/* What the files of VMX operation share. Nobody else includes it. */
#ifndef HV_CPU_VMX_VMX_INTERNAL_H
#define HV_CPU_VMX_VMX_INTERNAL_H

#include "cpu/instruction.h"
#include "cpu/processor.h"
#include "cpu/vmx/entry_check.h"

/* --- vmx.c ------------------------------------------------------------------------------------------------------- */

/*
 * How an instruction ends: SDM Vol. 3C "Conventions" of the VMX instruction reference (31.2; 30.2 in editions before
 * 2022). Each sets RFLAGS and returns CPU_COMPLETED. vmx_fail is VMfailValid with a current VMCS, otherwise
 * VMfailInvalid.
 */
int vmx_succeed(struct processor *p);
int vmx_fail_invalid(struct processor *p);
int vmx_fail_valid(struct processor *p, const struct vmcs *v, enum vmx_error error);
int vmx_fail(struct processor *p, enum vmx_error error);

/*
 * A register operand: 64 bits in 64-bit mode, otherwise 32. CPU_NO_REGISTER reads as 0, and what is written there is
 * lost: an instruction without an operand that it needs is the caller's mistake and does no harm.
 */
unsigned vmx_operand_bytes(const struct processor *p);
uint64_t vmx_register(const struct processor *p, unsigned number);
void vmx_set_register(struct processor *p, unsigned number, uint64_t value);

/* Whether there is a current VMCS. */
static inline bool vmx_has_current(const struct processor *p)
{
    return p->vmx.current.address != VMCS_NONE;
}

/* Whether an address is a multiple of 4 KiB and within the physical-address width. */
static inline bool vmx_page_ok(const struct processor *p, uint64_t address)
{
    return address % HV_PAGE_BYTES == 0 && address >> p->vmx.caps.physical_bits == 0;
}

/* The VMCS at an address; whether it lies in memory is the caller's business. */
static inline struct vmcs vmx_vmcs_at(const struct processor *p, uint64_t address)
{
    return (struct vmcs){p->memory, address};
}

/* Copies what the guest's instructions ask from the fields of a VM entry. */
void vmx_copy_controls(struct vmx *x, const struct vmx_entry *e);

/* A VM exit's round trip is over, if one is under way: its cycles are counted. */
void vmx_end_round_trip(struct vmx *x, hv_cycles now);

/* --- vmx_timer.c ------------------------------------------------------------------------------------------------- */

/* The VMX-preemption timer: counts down from the field's value from now on, or never ends; and what is left of it. */
void vmx_timer_start(struct processor *p, uint32_t value);
uint32_t vmx_timer_left(const struct processor *p);

/* --- the instructions, after the checks that all of them make ---------------------------------------------------- */

int vmx_vmclear(struct processor *p, const struct cpu_instruction *i);
int vmx_vmptrld(struct processor *p, const struct cpu_instruction *i);
int vmx_vmptrst(struct processor *p, const struct cpu_instruction *i);
int vmx_vmread(struct processor *p, const struct cpu_instruction *i);
int vmx_vmwrite(struct processor *p, const struct cpu_instruction *i);
int vmx_invept(struct processor *p, const struct cpu_instruction *i);
int vmx_invvpid(struct processor *p, const struct cpu_instruction *i);
int vmx_vmfunc(struct processor *p, const struct cpu_instruction *i);
int vmx_enter(struct processor *p, const struct cpu_instruction *i);

/* Whether the VMREAD or VMWRITE of a guest is of the shadow VMCS, and no VM exit. */
bool vmx_is_shadowed(const struct processor *p, const struct cpu_instruction *i);

/* The 64 bits of a memory operand. False: *end. */
bool vmx_operand64(struct processor *p, const struct cpu_instruction *i, uint64_t *value, enum cpu_end *end);

/* A descriptor of 128 bits. */
bool vmx_operand128(struct processor *p, const struct cpu_instruction *i, uint64_t value[2], enum cpu_end *end);

/* Whether the processor has INVEPT, and INVVPID. */
bool vmx_has_invept(const struct vmx_caps *c);
bool vmx_has_invvpid(const struct vmx_caps *c);

/* Whether a VM entry with EPT would accept an EPTP. */
bool vmx_eptp_ok(const struct processor *p, uint64_t eptp);

/* --- vmx_load_guest.c, vmx_save_guest.c, vmx_load_host.c --------------------------------------------------------- */

void vmx_load_guest(struct processor *p, const struct vmx_entry *e);
void vmx_save_guest(struct processor *p);

/* Loads the host's registers. False: its PDPTEs have reserved bits, which is a VMX abort. */
bool vmx_load_host(struct processor *p);

/* The bits of CR0 that VM entries and VM exits load: all but ET, NW, CD and reserved ones (27.3.2.1, 28.5.1). */
#define VMX_CR0_LOADED UINT64_C(0x8005002f)

/* The user-interrupt notification vector in IA32_UINTR_MISC. */
enum { VMX_UINV_SHIFT = 32 };
#define VMX_UINV (UINT64_C(0xff) << VMX_UINV_SHIFT)

/* Whether PDPTEs are in use, and where CR3 says that they are: SDM Vol. 3A "PAE Paging" (4.4). */
static inline bool vmx_pae_paging(const struct cpu_state *s)
{
    return (s->cr0 & CPU_CR0_PG) != 0 && (s->cr4 & CPU_CR4_PAE) != 0 && !cpu_long_mode(s);
}

static inline hv_hpa vmx_pdpte_address(const struct cpu_state *s, unsigned i)
{
    return (hv_hpa){(s->cr3 & UINT64_C(0xffffffe0)) + 8 * (uint64_t)i};
}

/* --- vmx_msr_list.c ---------------------------------------------------------------------------------------------- */

/* Processes a list of MSRs; returns the number of the first entry that fails, from 1, or 0 when none does. */
uint32_t vmx_msr_list_load(struct processor *p, uint64_t address, uint32_t count);
uint32_t vmx_msr_list_store(struct processor *p, uint64_t address, uint32_t count);

/* --- vmx_exit.c -------------------------------------------------------------------------------------------------- */

/* A VM entry fails after the checks on controls and host state: SDM "VM-Entry Failures" (27.8; 26.8 before 2022). */
int vmx_entry_failure(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification);

#endif
