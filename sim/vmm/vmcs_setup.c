/* SPDX-License-Identifier: MIT */
#include "vmm/vmcs_setup.h"

#include "base/types.h"

#define MSR_VMX_BASIC 0x480
#define CR0_LONG_MODE UINT64_C(0x80050033) /* PG, AM, WP, NE, ET, MP, PE */
#define EFER_LONG_MODE UINT64_C(0xd01)     /* NXE, LMA, LME, SCE */
#define PAT_RESET UINT64_C(0x0007040600070406)

/* Fields that are the same for every guest. The rest of a new VMCS is 0. */
static const struct constant {
    uint32_t field;
    uint64_t value;
} constants[] = {
    {HV_VMCS_vmcs_link_pointer, UINT64_MAX},
    {HV_VMCS_guest_cr0, CR0_LONG_MODE}, {HV_VMCS_guest_efer, EFER_LONG_MODE}, {HV_VMCS_guest_pat, PAT_RESET},
    {HV_VMCS_guest_dr7, 0x400},
    {HV_VMCS_guest_cs_limit, UINT32_MAX}, {HV_VMCS_guest_ss_limit, UINT32_MAX},
    {HV_VMCS_guest_ds_access_rights, 0x10000}, {HV_VMCS_guest_es_access_rights, 0x10000},
    {HV_VMCS_guest_fs_access_rights, 0x10000}, {HV_VMCS_guest_gs_access_rights, 0x10000},
    {HV_VMCS_guest_ldtr_access_rights, 0x10000}, {HV_VMCS_guest_tr_selector, 24}, {HV_VMCS_guest_tr_limit, 103},
    {HV_VMCS_guest_tr_access_rights, 0x8b},
    {HV_VMCS_host_cs_selector, 8}, {HV_VMCS_host_ss_selector, 16}, {HV_VMCS_host_ds_selector, 16},
    {HV_VMCS_host_es_selector, 16}, {HV_VMCS_host_tr_selector, 24}, {HV_VMCS_host_pat, PAT_RESET},
};

/* Code and stack by ring: 64-bit code; data that can be written. */
static const struct constant rings[][4] = {
    {{HV_VMCS_guest_cs_selector, 8}, {HV_VMCS_guest_cs_access_rights, 0xa09b},
     {HV_VMCS_guest_ss_selector, 16}, {HV_VMCS_guest_ss_access_rights, 0xc093}},
    {{HV_VMCS_guest_cs_selector, 0x33}, {HV_VMCS_guest_cs_access_rights, 0xa0fb},
     {HV_VMCS_guest_ss_selector, 0x2b}, {HV_VMCS_guest_ss_access_rights, 0xc0f3}},
};

#define BIT(word, name) HV_BIT(HV_CONTROL_##word##_##name)

/* The control words: the MSR that says what is allowed, and what all guests want. */
static const struct word {
    uint32_t field, msr;
    uint64_t wanted;
} words[SETUP_WORDS] = {
    [SETUP_PIN] = {HV_VMCS_pin_based_controls, 0x48d, BIT(PIN, external_interrupt_exiting) | BIT(PIN, nmi_exiting)},
    [SETUP_PRIMARY] = {HV_VMCS_primary_controls, 0x48e,
                       BIT(PRIMARY, hlt_exiting) | BIT(PRIMARY, unconditional_io_exiting) |
                       BIT(PRIMARY, activate_secondary_controls)},
    [SETUP_SECONDARY] = {HV_VMCS_secondary_controls, 0x48b,
                         BIT(SECONDARY, enable_rdtscp) | BIT(SECONDARY, enable_invpcid)},
    [SETUP_EXIT] = {HV_VMCS_exit_controls, 0x48f,
                    BIT(EXIT, host_address_space_size) | BIT(EXIT, acknowledge_interrupt_on_exit) |
                    BIT(EXIT, save_efer) | BIT(EXIT, load_efer) | BIT(EXIT, save_pat) | BIT(EXIT, load_pat)},
    [SETUP_ENTRY] = {HV_VMCS_entry_controls, 0x490,
                     BIT(ENTRY, ia32e_mode_guest) | BIT(ENTRY, load_efer) | BIT(ENTRY, load_pat)},
};

uint32_t vmcs_setup_revision(struct hv_cpu *cpu)
{
    uint64_t basic = 0;
    hv_rdmsr(cpu, MSR_VMX_BASIC, &basic);
    return (uint32_t)basic & INT32_MAX;
}

uint64_t vmcs_setup_allowed(struct hv_cpu *cpu, enum vmcs_setup_word word, uint64_t wanted)
{
    uint64_t allowed = 0;
    hv_rdmsr(cpu, words[word].msr, &allowed);
    uint64_t must = (uint32_t)allowed, may = allowed >> 32;
    return (wanted | must) & may;
}

static void write_all(struct hv_cpu *cpu, const struct constant *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hv_vmwrite(cpu, rows[i].field, rows[i].value);
    }
}

/* MODEL: the host's RIP and stack are placeholders, as the hypervisor's code is C. */
static void write_host(struct hv_cpu *cpu)
{
    static const struct {
        uint32_t field;
        enum hv_register from;
    } rows[] = {
        {HV_VMCS_host_cr0, HV_CR0}, {HV_VMCS_host_cr3, HV_CR3}, {HV_VMCS_host_cr4, HV_CR4},
        {HV_VMCS_host_efer, HV_EFER}, {HV_VMCS_host_rip, HV_RIP}, {HV_VMCS_host_rsp, HV_RSP},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        hv_vmwrite(cpu, rows[i].field, hv_get(cpu, rows[i].from));
    }
}

void vmcs_setup(struct hv_cpu *cpu, const struct vmcs_setup *setup)
{
    write_all(cpu, constants, HV_ARRAY_LEN(constants));
    write_all(cpu, rings[setup->user], HV_ARRAY_LEN(rings[0]));
    write_host(cpu);
    for (int w = 0; w < SETUP_WORDS; w++) {
        uint64_t wanted = (words[w].wanted | setup->more[w]) & ~setup->fewer[w];
        if (w == SETUP_SECONDARY) {
            wanted |= setup->eptp != 0 ? BIT(SECONDARY, enable_ept) : 0;
            wanted |= setup->vpid != 0 ? BIT(SECONDARY, enable_vpid) : 0;
        }
        hv_vmwrite(cpu, words[w].field, vmcs_setup_allowed(cpu, (enum vmcs_setup_word)w, wanted));
    }
    hv_vmwrite(cpu, HV_VMCS_eptp, setup->eptp);
    hv_vmwrite(cpu, HV_VMCS_vpid, setup->vpid);
    hv_vmwrite(cpu, HV_VMCS_guest_cr3, setup->cr3);
    hv_vmwrite(cpu, HV_VMCS_guest_cr4, setup->cr4 | SETUP_CR4_LONG_MODE);
    hv_vmwrite(cpu, HV_VMCS_guest_rflags, setup->rflags | SETUP_RFLAGS);
}
