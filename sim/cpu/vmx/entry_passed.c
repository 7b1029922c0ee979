/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/entry_passed.h"

#include <string.h>

/* Fields that change from exit to exit: no rule looks at them but those of RIP. */
#define CHANGES(index) \
    ((index) == VMCS_INDEX_guest_rip || (index) == VMCS_INDEX_guest_rsp || \
     (index) == VMCS_INDEX_guest_interrupt_status || (index) == VMCS_INDEX_pml_index || \
     (index) == VMCS_INDEX_vmx_preemption_timer_value)

/* All ones for a field that is compared. */
static const uint64_t compared[VMCS_FIELDS] = {
#define V(encoding, name, help) \
    [VMCS_INDEX_##name] = ((encoding) >> 10 & 3) == VMCS_READ_ONLY || CHANGES(VMCS_INDEX_##name) ? 0 : UINT64_MAX,
#include "cpu/vmx/vmcs_fields.def"
#undef V
};

/* Rules about RIP, and those that look at memory, which changes without the VMCS. */
static const enum vmx_rule_id asked[] = {
    VMX_RULE_guest_rip_low, VMX_RULE_guest_rip_high, VMX_RULE_tpr_threshold_vtpr, VMX_RULE_link_pointer_revision,
    VMX_RULE_link_pointer_shadow, VMX_RULE_guest_pdptes,
};

bool vmx_entry_compares(enum vmcs_index field)
{
    return compared[field] != 0;
}

bool vmx_entry_asks(enum vmx_rule_id rule)
{
    bool asks = false;
    for (size_t i = 0; i < HV_ARRAY_LEN(asked); i++) {
        asks |= asked[i] == rule;
    }
    return asks;
}

static bool asked_hold(const struct vmx_entry *e)
{
    bool hold = true;
    for (size_t i = 0; hold && i < HV_ARRAY_LEN(asked); i++) {
        hold = vmx_rules[asked[i]].holds(e);
    }
    return hold;
}

bool vmx_entry_passes_again(const struct vmx_entry_passed *p, const struct vmx_entry *e)
{
    uint64_t differs = p->current_vmcs ^ e->current_vmcs;
    for (int i = 0; i < VMCS_FIELDS; i++) {
        differs |= (p->fields[i] ^ e->fields[i]) & compared[i];
    }
    return p->valid && differs == 0 && p->host_long_mode == e->host_long_mode && p->smm == e->smm &&
           memcmp(&p->caps, e->caps, sizeof(p->caps)) == 0 && asked_hold(e);
}

void vmx_entry_note_passed(struct vmx_entry_passed *p, const struct vmx_entry *e)
{
    memcpy(p->fields, e->fields, sizeof(p->fields));
    p->current_vmcs = e->current_vmcs;
    p->caps = *e->caps;
    p->host_long_mode = e->host_long_mode;
    p->smm = e->smm;
    p->valid = true;
}
