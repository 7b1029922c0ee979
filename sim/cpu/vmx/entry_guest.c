/* SPDX-License-Identifier: MIT */
/*
 * Checks on the guest's control registers, MSRs, descriptor tables, RIP, RFLAGS and SSP: SDM Vol. 3C 27.3.1.1,
 * 27.3.1.3 and 27.3.1.4 (26.3.1.x in editions before 2022). Segments are in entry_segments.c.
 */
#include "cpu/vmx/entry_predicates.h"

static bool is_ia32e(const struct vmx_entry *e)
{
    return ON(ENTRY, ia32e_mode_guest);
}

static bool is_64_bit(const struct vmx_entry *e)
{
    return is_ia32e(e) && (F(guest_cs_access_rights) & CPU_AR_L) != 0;
}

/* --- 27.3.1.1 control registers and debug registers ------------------------------------------------------------- */

bool vmx_rule_guest_cr0(const struct vmx_entry *e)
{
    uint64_t chosen = ON(SECONDARY, unrestricted_guest) ? CPU_CR0_PE | CPU_CR0_PG : 0;
    return vmx_fixed_ok(F(guest_cr0), e->caps->cr0_fixed0 & ~chosen, e->caps->cr0_fixed1 | chosen);
}

bool vmx_rule_guest_paging_protected(const struct vmx_entry *e)
{
    return IMPLIES((F(guest_cr0) & CPU_CR0_PG) != 0, (F(guest_cr0) & CPU_CR0_PE) != 0);
}

bool vmx_rule_guest_cr4(const struct vmx_entry *e)
{
    return vmx_fixed_ok(F(guest_cr4), e->caps->cr4_fixed0, e->caps->cr4_fixed1);
}

bool vmx_rule_guest_cet_wp(const struct vmx_entry *e)
{
    return IMPLIES((F(guest_cr4) & CPU_CR4_CET) != 0, (F(guest_cr0) & CPU_CR0_WP) != 0);
}

bool vmx_rule_guest_debugctl(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_debug_controls), (F(guest_debugctl) & ~CPU_DEBUGCTL_VALID) == 0);
}

bool vmx_rule_guest_ia32e_paging(const struct vmx_entry *e)
{
    return IMPLIES(is_ia32e(e), (F(guest_cr0) & CPU_CR0_PG) != 0 && (F(guest_cr4) & CPU_CR4_PAE) != 0);
}

bool vmx_rule_guest_pcide(const struct vmx_entry *e)
{
    return IMPLIES(!is_ia32e(e), (F(guest_cr4) & CPU_CR4_PCIDE) == 0);
}

bool vmx_rule_guest_cr3(const struct vmx_entry *e)
{
    return F(guest_cr3) >> e->caps->physical_bits == 0;
}

bool vmx_rule_guest_dr7(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_debug_controls), F(guest_dr7) >> 32 == 0);
}

/* --- 27.3.1.1 MSRs ---------------------------------------------------------------------------------------------- */

bool vmx_rule_guest_sysenter_esp(const struct vmx_entry *e)
{
    return canonical(e, F(guest_sysenter_esp));
}

bool vmx_rule_guest_sysenter_eip(const struct vmx_entry *e)
{
    return canonical(e, F(guest_sysenter_eip));
}

bool vmx_part_guest_cet_canonical(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(ON(ENTRY, load_cet_state), canonical(e, e->fields[field]));
}

bool vmx_rule_guest_perf_global_ctrl(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_perf_global_ctrl),
                   (F(guest_perf_global_ctrl) & ~e->caps->perf_global_ctrl_valid) == 0);
}

bool vmx_rule_guest_pat(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_pat), cpu_pat_ok(F(guest_pat)));
}

bool vmx_rule_guest_efer_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_efer), (F(guest_efer) & ~e->caps->efer_valid) == 0);
}

bool vmx_rule_guest_efer_lma(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_efer), ((F(guest_efer) & CPU_EFER_LMA) != 0) == is_ia32e(e));
}

bool vmx_rule_guest_efer_lme(const struct vmx_entry *e)
{
    bool lma = (F(guest_efer) & CPU_EFER_LMA) != 0, lme = (F(guest_efer) & CPU_EFER_LME) != 0;
    return IMPLIES(ON(ENTRY, load_efer) && (F(guest_cr0) & CPU_CR0_PG) != 0, lme == lma);
}

/* Bits 63:12 are the address of the bound directory. */
bool vmx_rule_guest_bndcfgs(const struct vmx_entry *e)
{
    uint64_t address = F(guest_bndcfgs) & ~UINT64_C(0xfff);
    return IMPLIES(ON(ENTRY, load_bndcfgs), (F(guest_bndcfgs) & 0xffc) == 0 && canonical(e, address));
}

bool vmx_rule_guest_rtit_ctl(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_rtit_ctl), (F(guest_rtit_ctl) & ~CPU_RTIT_CTL_VALID) == 0);
}

bool vmx_rule_guest_s_cet(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_cet_state), cpu_cet_ok(F(guest_s_cet)));
}

bool vmx_rule_guest_lbr_ctl(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_lbr_ctl), (F(guest_lbr_ctl) & ~CPU_LBR_CTL_VALID) == 0);
}

bool vmx_rule_guest_pkrs(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_pkrs), F(guest_pkrs) >> 32 == 0);
}

bool vmx_rule_guest_uinv(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_uinv), F(guest_uinv) <= 255);
}

/* --- 27.3.1.3 descriptor tables --------------------------------------------------------------------------------- */

bool vmx_part_table_limit(const struct vmx_entry *e, enum vmcs_index field)
{
    return e->fields[field] <= UINT16_MAX;
}

/* --- 27.3.1.4 RIP, RFLAGS, SSP ---------------------------------------------------------------------------------- */

bool vmx_rule_guest_rip_low(const struct vmx_entry *e)
{
    return IMPLIES(!is_64_bit(e), F(guest_rip) >> 32 == 0);
}

/* RIP need not be canonical: the highest bit within the width may differ from those above. */
bool vmx_rule_guest_rip_high(const struct vmx_entry *e)
{
    return IMPLIES(is_64_bit(e), same_above(F(guest_rip), e->caps->linear_bits));
}

bool vmx_rule_guest_rflags_reserved(const struct vmx_entry *e)
{
    const uint64_t zero = UINT64_C(0xffffffffffc00000) | 1 << 15 | 1 << 5 | 1 << 3;
    return (F(guest_rflags) & zero) == 0 && (F(guest_rflags) & CPU_RFLAGS_FIXED) != 0;
}

bool vmx_rule_guest_rflags_vm(const struct vmx_entry *e)
{
    return IMPLIES((F(guest_rflags) & CPU_RFLAGS_VM) != 0, !is_ia32e(e) && (F(guest_cr0) & CPU_CR0_PE) != 0);
}

bool vmx_rule_guest_rflags_if(const struct vmx_entry *e)
{
    return IMPLIES(vmx_injects(e, VMX_EVENT_EXTERNAL), (F(guest_rflags) & CPU_RFLAGS_IF) != 0);
}

bool vmx_rule_guest_ssp_aligned(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_cet_state), (F(guest_ssp) & 3) == 0);
}

bool vmx_rule_guest_ssp_high(const struct vmx_entry *e)
{
    return IMPLIES(ON(ENTRY, load_cet_state), same_above(F(guest_ssp), e->caps->linear_bits));
}
