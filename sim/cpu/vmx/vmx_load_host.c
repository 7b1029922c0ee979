/* SPDX-License-Identifier: MIT */
/* Loading the host's state at VM exit: SDM Vol. 3C "Loading Host State" (28.5; 27.5 in editions before 2022). */
#include "cpu/vmx/vmx_internal.h"

/* Access rights that a VM exit gives: 28.5.2 (27.5.2). */
enum {
    HOST_CODE = CPU_AR_P | CPU_AR_S | CPU_AR_G | 11,
    HOST_DATA = CPU_AR_P | CPU_AR_S | CPU_AR_DB | CPU_AR_G | 3,
    HOST_TSS = CPU_AR_P | 11,
    HOST_TSS_LIMIT = 0x67,
};
#define HOST_LIMIT UINT32_MAX

static void load_plain(struct processor *p)
{
    struct cpu_state *s = &p->state;
    const struct vmcs *v = &p->vmx.current;
#define ALWAYS true
#define WITH(name) VMX_ON(p, EXIT, name)
#define HOST(field, member, loaded) \
    if (loaded) { \
        s->member = VMCS_GET(v, field); \
    }
#define FIXED(name, value, set) \
    if (set) { \
        s->name = value; \
    }
#include "cpu/vmx/vmx_host_state.def"
#undef FIXED
#undef HOST
#undef WITH
#undef ALWAYS
}

/* LMA and LME follow the host's mode; "load IA32_EFER" then has the last word. */
static void load_parts(struct processor *p)
{
    struct cpu_state *s = &p->state;
    const struct vmcs *v = &p->vmx.current;
    const uint64_t mode = CPU_EFER_LMA | CPU_EFER_LME;
    bool wide = VMX_ON(p, EXIT, host_address_space_size);
    s->cr0 = (s->cr0 & ~VMX_CR0_LOADED) | (VMCS_GET(v, host_cr0) & VMX_CR0_LOADED);
    s->cr3 &= (UINT64_C(1) << p->vmx.caps.physical_bits) - 1;
    s->cr4 = wide ? s->cr4 | CPU_CR4_PAE : s->cr4 & ~CPU_CR4_PCIDE;
    s->msrs.efer = (s->msrs.efer & ~mode) | (wide ? mode : 0);
    if (VMX_ON(p, EXIT, load_efer)) {
        s->msrs.efer = VMCS_GET(v, host_efer);
    }
    if (VMX_ON(p, EXIT, clear_uinv)) {
        s->msrs.uinv &= ~VMX_UINV;
    }
}

static struct cpu_segment data_segment(uint64_t selector, uint64_t base)
{
    bool null = selector == 0;
    return (struct cpu_segment){
        .selector = (uint16_t)selector, .base = base, .limit = null ? 0 : HOST_LIMIT,
        .access_rights = null ? CPU_AR_UNUSABLE : HOST_DATA,
    };
}

static void load_segments(struct processor *p)
{
    struct cpu_segment *s = p->state.segments;
    const struct vmcs *v = &p->vmx.current;
    uint32_t width = VMX_ON(p, EXIT, host_address_space_size) ? CPU_AR_L : CPU_AR_DB;
    s[CPU_CS] = (struct cpu_segment){
        .selector = (uint16_t)VMCS_GET(v, host_cs_selector), .limit = HOST_LIMIT,
        .access_rights = HOST_CODE | width,
    };
    s[CPU_SS] = data_segment(VMCS_GET(v, host_ss_selector), 0);
    s[CPU_DS] = data_segment(VMCS_GET(v, host_ds_selector), 0);
    s[CPU_ES] = data_segment(VMCS_GET(v, host_es_selector), 0);
    s[CPU_FS] = data_segment(VMCS_GET(v, host_fs_selector), VMCS_GET(v, host_fs_base));
    s[CPU_GS] = data_segment(VMCS_GET(v, host_gs_selector), VMCS_GET(v, host_gs_base));
    s[CPU_TR] = (struct cpu_segment){
        .selector = (uint16_t)VMCS_GET(v, host_tr_selector), .base = VMCS_GET(v, host_tr_base),
        .limit = HOST_TSS_LIMIT, .access_rights = HOST_TSS,
    };
    s[CPU_LDTR] = (struct cpu_segment){.access_rights = CPU_AR_UNUSABLE};
}

/* SDM 28.5.4 (27.5.4). */
static bool load_pdptes(struct processor *p)
{
    struct cpu_state *s = &p->state;
    if (!vmx_pae_paging(s)) {
        return true;
    }
    for (unsigned i = 0; i < HV_ARRAY_LEN(s->pdpte); i++) {
        uint64_t entry = physmem_read64(p->memory, vmx_pdpte_address(s, i));
        if (!vmx_pdpte_ok(&p->vmx.caps, entry)) {
            return false;
        }
        s->pdpte[i] = entry;
    }
    return true;
}

/* Blocking by STI and MOV SS ends, that by NMI is the caller's business (28.5.5; 27.5.5). */
bool vmx_load_host(struct processor *p)
{
    load_plain(p);
    load_parts(p);
    load_segments(p);
    p->state.interruptibility &= CPU_BLOCKED_BY_NMI | CPU_BLOCKED_BY_SMI;
    return load_pdptes(p);
}
