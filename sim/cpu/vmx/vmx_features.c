/* SPDX-License-Identifier: MIT */
/* Which controls and which fields of a VMCS a processor has, by its capabilities. */
#include "cpu/vmx/vmx_caps.h"

struct need {
    enum vmcs_index field;
    enum vmx_word word;
    uint64_t control;
};

/* In the order of the fields, so that those of one are found by halving. */
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

/* The first need of a field, or of a later one, or their number. */
static size_t first_need(enum vmcs_index field)
{
    size_t low = 0, end = HV_ARRAY_LEN(needs);
    while (low < end) {
        size_t middle = (low + end) / 2;
        if (needs[middle].field < field) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

bool vmx_caps_has_field(const struct vmx_caps *c, enum vmcs_index field)
{
    size_t first = first_need(field), i = first;
    for (; i < HV_ARRAY_LEN(needs) && needs[i].field == field; i++) {
        if (vmx_caps_has(c, needs[i].word, needs[i].control)) {
            return true;
        }
    }
    return i == first && !is_missing_target(c, field);
}
