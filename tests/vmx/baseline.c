/* SPDX-License-Identifier: MIT */
/* Numbers are written out, as software would compute them from the manual, rather than taken from the tables. */
#include "baseline.h"

#include <string.h>

#define SET(name, value) e->fields[VMCS_INDEX_##name] = (value)

const char *const baseline_names[BASELINES] = {"long", "protected", "pae", "real", "virtual-8086", "32-bit host"};

static void set_controls(struct vmx_entry *e)
{
    SET(pin_based_controls, 0x3f);       /* external interrupts and NMIs exit, virtual NMIs; 1s of bits 1, 2 and 4 */
    SET(primary_controls, 0x94006172);   /* use MSR bitmaps, activate secondary controls */
    SET(secondary_controls, 0x20);       /* VPID */
    SET(exit_controls, 0x00036fff);      /* 64-bit host, save debug controls */
    SET(entry_controls, 0x000013ff);     /* IA-32e mode guest, load debug controls */
    SET(msr_bitmaps, 0x10000);
    SET(vpid, 1);
    SET(vmcs_link_pointer, UINT64_MAX);
}

static void set_host(struct vmx_entry *e)
{
    e->host_long_mode = true;
    SET(host_cr0, 0x80050033);
    SET(host_cr3, 0x1000000);
    SET(host_cr4, 0x26f0);
    SET(host_cs_selector, 0x10);
    SET(host_tr_selector, 0x40);
    SET(host_fs_base, 0x7fff12340000);
    SET(host_gs_base, 0xffff888000000000);
    SET(host_tr_base, 0xfffffe0000003000);
    SET(host_gdtr_base, 0xfffffe0000001000);
    SET(host_idtr_base, 0xfffffe0000000000);
    SET(host_rip, 0xffffffff81000000);
    SET(host_rsp, 0xffffc90000004000);
}

/* A selector, limit and access rights for ES, SS, DS, FS and GS. */
static void set_data_segments(struct vmx_entry *e, uint64_t selector, uint64_t limit, uint64_t rights)
{
    static const int data[] = {0, 2, 3, 4, 5};
    for (size_t i = 0; i < HV_ARRAY_LEN(data); i++) {
        e->fields[VMCS_INDEX_guest_es_selector + data[i]] = selector;
        e->fields[VMCS_INDEX_guest_es_limit + data[i]] = limit;
        e->fields[VMCS_INDEX_guest_es_access_rights + data[i]] = rights;
    }
}

static void set_long_guest(struct vmx_entry *e)
{
    SET(guest_cr0, 0x80050033);
    SET(guest_cr3, 0x2000);
    SET(guest_cr4, 0x20a0);
    SET(guest_dr7, 0x400);
    set_data_segments(e, 0x10, 0xffffffff, 0xc093);
    SET(guest_cs_selector, 0x8);
    SET(guest_cs_limit, 0xffffffff);
    SET(guest_cs_access_rights, 0xa09b);
    SET(guest_ldtr_access_rights, 0x10000);
    SET(guest_tr_selector, 0x18);
    SET(guest_tr_limit, 0x67);
    SET(guest_tr_access_rights, 0x8b);
    SET(guest_gdtr_limit, 0x7f);
    SET(guest_idtr_limit, 0xfff);
    SET(guest_gs_base, 0xffff888000000000);
    SET(guest_rip, 0xffffffff80000000);
    SET(guest_rflags, 0x2);
}

static void set_protected_guest(struct vmx_entry *e)
{
    SET(entry_controls, 0x000011ff);
    SET(guest_cr4, 0x2010);
    SET(guest_cs_access_rights, 0xc09b);
    SET(guest_gs_base, 0);
    SET(guest_rip, 0xc0100000);
}

static void set_ept(struct vmx_entry *e)
{
    SET(secondary_controls, 0x22);
    SET(eptp, 0x3001e); /* write-back, 4 levels */
}

static void set_real_guest(struct vmx_entry *e)
{
    set_ept(e);
    SET(secondary_controls, 0xa2); /* and unrestricted guest */
    SET(guest_cr0, 0x20);
    SET(guest_cr4, 0x2000);
    set_data_segments(e, 0, 0xffff, 0x93);
    SET(guest_cs_selector, 0xf000);
    SET(guest_cs_base, 0xf0000);
    SET(guest_cs_limit, 0xffff);
    SET(guest_cs_access_rights, 0x9b);
    SET(guest_rip, 0xfff0);
}

static void set_v86_guest(struct vmx_entry *e)
{
    set_data_segments(e, 0x2000, 0xffff, 0xf3);
    SET(guest_cs_selector, 0x1000);
    SET(guest_cs_limit, 0xffff);
    SET(guest_cs_access_rights, 0xf3);
    for (int segment = 0; segment < 6; segment++) {
        e->fields[VMCS_INDEX_guest_es_base + segment] = e->fields[VMCS_INDEX_guest_es_selector + segment] * 16;
    }
    SET(guest_rip, 0x100);
    SET(guest_rflags, 0x23202); /* VM, IF, IOPL 3 */
}

static void set_32_bit_host(struct vmx_entry *e)
{
    e->host_long_mode = false;
    SET(exit_controls, 0x00036dff);
    SET(host_ss_selector, 0x18);
    SET(host_rip, 0xc1000000);
}

void baseline_init(enum baseline base, struct vmx_entry *e, struct vmx_caps *caps)
{
    memset(e, 0, sizeof(*e));
    vmx_caps_init(caps, BASE_PHYSICAL_BITS, false);
    e->caps = caps;
    e->current_vmcs = VMCS_NONE;
    set_controls(e);
    set_host(e);
    set_long_guest(e);
    if (base != BASE_LONG) {
        set_protected_guest(e);
    }
    switch (base) {
    case BASE_PAE:
        set_ept(e);
        SET(guest_cr4, 0x2030);
        SET(guest_pdpte0, 0x4001);
        SET(guest_pdpte2, 0x5001);
        break;
    case BASE_REAL: set_real_guest(e); break;
    case BASE_V86: set_v86_guest(e); break;
    case BASE_32_BIT_HOST: set_32_bit_host(e); break;
    default: break;
    }
}
