/* SPDX-License-Identifier: MIT */
/*
 * Loading the guest's state at VM entry: SDM Vol. 3C "Loading Guest State" (27.3.2; 26.3.2 in editions before 2022) and
 * "Special Features of VM Entry" (27.7; 26.7).
 */
#include "cpu/vmx/vmx_internal.h"

#define DR7_FIXED (UINT64_C(1) << 10)
#define DR7_ZERO (UINT64_C(1) << 12 | UINT64_C(3) << 14)

/* --- registers --------------------------------------------------------------------------------------------------- */

static void load_plain(struct processor *p, const struct vmx_entry *e)
{
    struct cpu_state *s = &p->state;
#define ALWAYS true
#define NEVER false
#define WITH(word, name) ENTRY_ON(e, word, name)
#define STATE(field, member, loaded, saved) \
    if (loaded) { \
        s->member = (__typeof__(s->member))ENTRY_FIELD(e, field); \
    }
#include "cpu/vmx/vmx_guest_state.def"
#undef STATE
#undef WITH
#undef NEVER
#undef ALWAYS
}

/* Without "load IA32_EFER", LMA is what the guest's mode wants, and LME with paging too. */
static void load_efer(struct cpu_state *s, const struct vmx_entry *e)
{
    if (ENTRY_ON(e, ENTRY, load_efer)) {
        return;
    }
    uint64_t changed = CPU_EFER_LMA | ((s->cr0 & CPU_CR0_PG) != 0 ? CPU_EFER_LME : 0);
    s->msrs.efer = (s->msrs.efer & ~changed) | (ENTRY_ON(e, ENTRY, ia32e_mode_guest) ? changed : 0);
}

static void load_parts(struct cpu_state *s, const struct vmx_entry *e)
{
    s->cr0 = (s->cr0 & ~VMX_CR0_LOADED) | (ENTRY_FIELD(e, guest_cr0) & VMX_CR0_LOADED);
    if (ENTRY_ON(e, ENTRY, load_debug_controls)) {
        s->dr7 = (ENTRY_FIELD(e, guest_dr7) & ~DR7_ZERO) | DR7_FIXED;
    }
    if (ENTRY_ON(e, ENTRY, load_uinv)) {
        s->msrs.uinv = (s->msrs.uinv & ~VMX_UINV) | ENTRY_FIELD(e, guest_uinv) << VMX_UINV_SHIFT;
    }
    load_efer(s, e);
}

/* --- segment registers (27.3.2.2; 26.3.2.2) ---------------------------------------------------------------------- */

static uint64_t field_of(const struct vmx_entry *e, enum vmcs_index first, unsigned segment)
{
    return e->fields[(unsigned)first + segment];
}

/*
 * What an unusable register keeps: the base of FS and GS, and DPL of SS, which is the CPL. The manual leaves the rest
 * undefined; here it is 0.
 */
static struct cpu_segment unusable(unsigned name, const struct cpu_segment *from)
{
    struct cpu_segment s = {.selector = from->selector, .access_rights = CPU_AR_UNUSABLE};
    if (name == CPU_FS || name == CPU_GS) {
        s.base = from->base;
    } else if (name == CPU_SS) {
        s.access_rights |= CPU_AR_DB | (from->access_rights & 3u << CPU_AR_DPL_SHIFT);
    }
    return s;
}

/* CS and TR are loaded as they are: what an unusable CS has is undefined. */
static void load_segments(struct cpu_state *state, const struct vmx_entry *e)
{
    for (unsigned name = 0; name < CPU_SEGMENTS; name++) {
        struct cpu_segment s = {
            .selector = (uint16_t)field_of(e, VMCS_INDEX_guest_es_selector, name),
            .base = field_of(e, VMCS_INDEX_guest_es_base, name),
            .limit = (uint32_t)field_of(e, VMCS_INDEX_guest_es_limit, name),
            .access_rights = (uint32_t)field_of(e, VMCS_INDEX_guest_es_access_rights, name),
        };
        bool usable = (s.access_rights & CPU_AR_UNUSABLE) == 0 || name == CPU_CS || name == CPU_TR;
        state->segments[name] = usable ? s : unusable(name, &s);
    }
}

/* --- PDPTEs (27.3.2.4; 26.3.2.4) --------------------------------------------------------------------------------- */

static void load_pdptes(struct processor *p, const struct vmx_entry *e)
{
    bool nested = ENTRY_ON(e, SECONDARY, enable_ept);
    if (!vmx_pae_paging(&p->state)) {
        return;
    }
    for (unsigned i = 0; i < HV_ARRAY_LEN(p->state.pdpte); i++) {
        p->state.pdpte[i] = nested ? field_of(e, VMCS_INDEX_guest_pdpte0, i)
                                   : physmem_read64(p->memory, vmx_pdpte_address(&p->state, i));
    }
}

/* --- non-register state (27.3.2.5 and 27.7; 26.3.2.5 and 26.7) --------------------------------------------------- */

/* Whether an event is injected that is delivered, and not a pending MTF VM exit. */
static bool vectors(const struct vmx_entry *e)
{
    return vmx_event_valid(e) && vmx_event_type(e) != VMX_EVENT_OTHER;
}

/* SDM 27.7.3 (26.7.3): when nothing is pending although the field says so. */
static bool drops_pending_debug(const struct vmx_entry *e)
{
    uint64_t activity = ENTRY_FIELD(e, guest_activity_state);
    bool by_mov_ss = (ENTRY_FIELD(e, guest_interruptibility_state) & CPU_BLOCKED_BY_MOV_SS) != 0;
    if (!vectors(e)) {
        return activity == CPU_SHUTDOWN || activity == CPU_WAIT_FOR_SIPI;
    }
    switch (vmx_event_type(e)) {
    case VMX_EVENT_SOFTWARE_INTERRUPT:
    case VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION: return !by_mov_ss;
    default: return true;
    }
}

/* With virtual NMIs the field's bit 3 is of virtual NMIs, and physical ones are not blocked. Injecting an NMI blocks. */
static void load_nmi_blocking(struct processor *p, const struct vmx_entry *e)
{
    uint32_t *blocking = &p->state.interruptibility;
    bool blocked = (*blocking & CPU_BLOCKED_BY_NMI) != 0 || vmx_injects(e, VMX_EVENT_NMI);
    bool is_virtual = VMX_ON(p, PIN, virtual_nmis);
    p->vmx.virtual_nmi_blocking = blocked && is_virtual;
    *blocking &= ~(uint32_t)CPU_BLOCKED_BY_NMI;
    *blocking |= blocked && !is_virtual ? (uint32_t)CPU_BLOCKED_BY_NMI : 0;
}

static void load_non_register(struct processor *p, const struct vmx_entry *e)
{
    struct cpu_state *s = &p->state;
    s->activity = vectors(e) ? CPU_ACTIVE : (enum cpu_activity)ENTRY_FIELD(e, guest_activity_state);
    s->interruptibility = (uint32_t)ENTRY_FIELD(e, guest_interruptibility_state);
    if (vectors(e)) {
        s->interruptibility &= ~(uint32_t)(CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS);
    }
    s->pending_debug = drops_pending_debug(e) ? 0 : ENTRY_FIELD(e, guest_pending_debug_exceptions);
    load_nmi_blocking(p, e);
}

void vmx_load_guest(struct processor *p, const struct vmx_entry *e)
{
    load_plain(p, e);
    load_parts(&p->state, e);
    load_segments(&p->state, e);
    load_pdptes(p, e);
    load_non_register(p, e);
}
