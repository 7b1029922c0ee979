/* SPDX-License-Identifier: MIT */
/* Checks on the host-state area: SDM Vol. 3C 27.2.2 to 27.2.4 (26.2.2 to 26.2.4 in editions before 2022). */
#include "cpu/vmx/entry_predicates.h"

/* The host is in 64-bit mode after a VM exit. */
static bool is_64_bit(const struct vmx_entry *e)
{
    return ON(EXIT, host_address_space_size);
}

/* --- 27.2.2 control registers and MSRs -------------------------------------------------------------------------- */

bool vmx_rule_host_cr0(const struct vmx_entry *e)
{
    return vmx_fixed_ok(F(host_cr0), e->caps->cr0_fixed0, e->caps->cr0_fixed1);
}

bool vmx_rule_host_cr4(const struct vmx_entry *e)
{
    return vmx_fixed_ok(F(host_cr4), e->caps->cr4_fixed0, e->caps->cr4_fixed1);
}

bool vmx_rule_host_cet_wp(const struct vmx_entry *e)
{
    return IMPLIES((F(host_cr4) & CPU_CR4_CET) != 0, (F(host_cr0) & CPU_CR0_WP) != 0);
}

bool vmx_rule_host_cr3(const struct vmx_entry *e)
{
    return F(host_cr3) >> e->caps->physical_bits == 0;
}

bool vmx_rule_host_sysenter_esp(const struct vmx_entry *e)
{
    return canonical(e, F(host_sysenter_esp));
}

bool vmx_rule_host_sysenter_eip(const struct vmx_entry *e)
{
    return canonical(e, F(host_sysenter_eip));
}

bool vmx_rule_host_ssp_table(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_cet_state), canonical(e, F(host_interrupt_ssp_table)));
}

bool vmx_rule_host_perf_global_ctrl(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_perf_global_ctrl),
                   (F(host_perf_global_ctrl) & ~e->caps->perf_global_ctrl_valid) == 0);
}

bool vmx_rule_host_pat(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_pat), cpu_pat_ok(F(host_pat)));
}

bool vmx_rule_host_efer_reserved(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_efer), (F(host_efer) & ~e->caps->efer_valid) == 0);
}

bool vmx_rule_host_efer_mode(const struct vmx_entry *e)
{
    bool lma = (F(host_efer) & CPU_EFER_LMA) != 0, lme = (F(host_efer) & CPU_EFER_LME) != 0;
    return IMPLIES(ON(EXIT, load_efer), lma == is_64_bit(e) && lme == is_64_bit(e));
}

bool vmx_rule_host_s_cet(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_cet_state), cpu_cet_ok(F(host_s_cet)));
}

bool vmx_rule_host_ssp(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_cet_state), (F(host_ssp) & 3) == 0);
}

bool vmx_rule_host_pkrs(const struct vmx_entry *e)
{
    return IMPLIES(ON(EXIT, load_pkrs), F(host_pkrs) >> 32 == 0);
}

/* --- 27.2.3 segment and descriptor-table registers -------------------------------------------------------------- */

bool vmx_part_host_selector(const struct vmx_entry *e, enum vmcs_index field)
{
    return (e->fields[field] & 7) == 0;
}

bool vmx_rule_host_cs_null(const struct vmx_entry *e)
{
    return F(host_cs_selector) != 0;
}

bool vmx_rule_host_tr_null(const struct vmx_entry *e)
{
    return F(host_tr_selector) != 0;
}

bool vmx_rule_host_ss_null(const struct vmx_entry *e)
{
    return IMPLIES(!is_64_bit(e), F(host_ss_selector) != 0);
}

/* Also of the guest's GDTR and IDTR. */
bool vmx_part_canonical(const struct vmx_entry *e, enum vmcs_index field)
{
    return canonical(e, e->fields[field]);
}

/* --- 27.2.4 address-space size ---------------------------------------------------------------------------------- */

bool vmx_rule_host_address_space(const struct vmx_entry *e)
{
    return e->host_long_mode == is_64_bit(e);
}

bool vmx_rule_host_32_bit_guest(const struct vmx_entry *e)
{
    return IMPLIES(!is_64_bit(e), !ON(ENTRY, ia32e_mode_guest));
}

bool vmx_rule_host_32_bit_pcide(const struct vmx_entry *e)
{
    return IMPLIES(!is_64_bit(e), (F(host_cr4) & CPU_CR4_PCIDE) == 0);
}

bool vmx_rule_host_cr4_pae(const struct vmx_entry *e)
{
    return IMPLIES(is_64_bit(e), (F(host_cr4) & CPU_CR4_PAE) != 0);
}

/* The host's RIP is used as soon as its CR4 is loaded, so CR4.LA57 decides what is canonical. */
bool vmx_rule_host_rip(const struct vmx_entry *e)
{
    unsigned bits = (F(host_cr4) & CPU_CR4_LA57) != 0 ? 57 : 48;
    return is_64_bit(e) ? same_above(F(host_rip), bits - 1) : F(host_rip) >> 32 == 0;
}

bool vmx_part_host_cet_width(const struct vmx_entry *e, enum vmcs_index field)
{
    uint64_t value = e->fields[field];
    return IMPLIES(ON(EXIT, load_cet_state), is_64_bit(e) ? canonical(e, value) : value >> 32 == 0);
}
