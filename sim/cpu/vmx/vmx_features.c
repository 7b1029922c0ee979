/* SPDX-License-Identifier: MIT */
/* Which controls and which fields of a VMCS a processor has, by its capabilities. */
#include "cpu/vmx/vmx_caps.h"

struct need {
    enum vmcs_index field;
    enum vmx_word word;
    uint64_t control;
};

static const struct need needs[] = {
#define NEEDS(name, of_word, of_control) {VMCS_INDEX_##name, VMX_##of_word, VMX_CONTROL(of_word, of_control)},
#define NEVER(name) {VMCS_INDEX_##name, VMX_PIN, 0},
#include "cpu/vmx/vmcs_field_needs.def"
#undef NEVER
#undef NEEDS
};

bool vmx_caps_has(const struct vmx_caps *c, enum vmx_word word, uint64_t control)
{
    uint64_t primary = c->may[VMX_PRIMARY];
    bool reachable = word == VMX_SECONDARY  ? (primary & VMX_CONTROL(PRIMARY, activate_secondary_controls)) != 0
                     : word == VMX_TERTIARY ? (primary & VMX_CONTROL(PRIMARY, activate_tertiary_controls)) != 0
                                            : true;
    return reachable && (c->may[word] & control) != 0;
}

/* The CR3-target values that IA32_VMX_MISC counts. */
static bool is_missing_target(const struct vmx_caps *c, enum vmcs_index field)
{
    uint64_t count = c->misc >> VMX_MISC_CR3_TARGETS_SHIFT & 511;
    return field >= VMCS_INDEX_cr3_target_value_0 && field <= VMCS_INDEX_cr3_target_value_3 &&
           field - VMCS_INDEX_cr3_target_value_0 >= count;
}

bool vmx_caps_has_field(const struct vmx_caps *c, enum vmcs_index field)
{
    bool conditional = false;
    for (size_t i = 0; i < HV_ARRAY_LEN(needs); i++) {
        if (needs[i].field == field) {
            conditional = true;
            if (vmx_caps_has(c, needs[i].word, needs[i].control)) {
                return true;
            }
        }
    }
    return !conditional && !is_missing_target(c, field);
}
