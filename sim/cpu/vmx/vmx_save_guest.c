/* SPDX-License-Identifier: MIT */
/*
 * Saving the guest's state at VM exit: SDM Vol. 3C "Saving Guest State" (28.3; 27.3 in editions before 2022).
 *
 * MODEL: RVI and SVI of virtual-interrupt delivery live in the VMCS while the guest runs, and the PML index too, so
 * there is nothing to save of them.
 */
#include "cpu/vmx/vmx_internal.h"

static void save_plain(struct processor *p)
{
    const struct cpu_state *s = &p->state;
#define ALWAYS true
#define EXISTS vmx_caps_has_field(&p->vmx.caps, index)
#define WITH(word, name) VMX_ON(p, word, name)
#define STATE(field, member, loaded, saved) \
    { \
        enum vmcs_index index = VMCS_INDEX_##field; \
        if (saved) { \
            vmcs_set(&p->vmx.current, index, s->member); \
        } \
    }
#include "cpu/vmx/vmx_guest_state.def"
#undef STATE
#undef WITH
#undef EXISTS
#undef ALWAYS
    if (vmx_caps_has_field(&p->vmx.caps, VMCS_INDEX_guest_uinv)) {
        VMCS_SET(&p->vmx.current, guest_uinv, s->msrs.uinv >> VMX_UINV_SHIFT);
    }
}

/* The part of an unusable register that is undefined is saved as it is. */
static void save_segments(const struct cpu_state *s, const struct vmcs *v)
{
    for (unsigned name = 0; name < CPU_SEGMENTS; name++) {
        const struct cpu_segment *from = &s->segments[name];
        vmcs_set(v, VMCS_INDEX_guest_es_selector + name, from->selector);
        vmcs_set(v, VMCS_INDEX_guest_es_base + name, from->base);
        vmcs_set(v, VMCS_INDEX_guest_es_limit + name, from->limit);
        vmcs_set(v, VMCS_INDEX_guest_es_access_rights + name, from->access_rights);
    }
}

static void save_pdptes(struct processor *p)
{
    if (!VMX_ON(p, SECONDARY, enable_ept) || !vmx_pae_paging(&p->state)) {
        return;
    }
    for (unsigned i = 0; i < HV_ARRAY_LEN(p->state.pdpte); i++) {
        vmcs_set(&p->vmx.current, VMCS_INDEX_guest_pdpte0 + i, p->state.pdpte[i]);
    }
}

/* SDM 28.3.4 (27.3.4). With virtual NMIs, blocking by NMI is that of virtual NMIs. */
static void save_non_register(struct processor *p)
{
    const struct cpu_state *s = &p->state;
    const struct vmcs *v = &p->vmx.current;
    uint32_t blocking = s->interruptibility;
    if (VMX_ON(p, PIN, virtual_nmis)) {
        blocking &= ~(uint32_t)CPU_BLOCKED_BY_NMI;
        blocking |= p->vmx.virtual_nmi_blocking ? (uint32_t)CPU_BLOCKED_BY_NMI : 0;
    }
    VMCS_SET(v, guest_activity_state, s->activity);
    VMCS_SET(v, guest_interruptibility_state, blocking);
    VMCS_SET(v, guest_pending_debug_exceptions, s->pending_debug);
    if (VMX_ON(p, EXIT, save_preemption_timer)) {
        VMCS_SET(v, vmx_preemption_timer_value, vmx_timer_left(p));
    }
}

/* IA32_VMX_MISC bit 5: the next VM entry finds the mode that the guest has now. */
static void save_mode(struct processor *p)
{
    if ((p->vmx.caps.misc & VMX_MISC_STORE_LMA) == 0) {
        return;
    }
    uint64_t controls = VMCS_GET(&p->vmx.current, entry_controls) & ~VMX_CONTROL(ENTRY, ia32e_mode_guest);
    controls |= cpu_long_mode(&p->state) ? VMX_CONTROL(ENTRY, ia32e_mode_guest) : 0;
    VMCS_SET(&p->vmx.current, entry_controls, controls);
}

void vmx_save_guest(struct processor *p)
{
    save_plain(p);
    save_segments(&p->state, &p->vmx.current);
    save_pdptes(p);
    save_non_register(p);
    save_mode(p);
}
