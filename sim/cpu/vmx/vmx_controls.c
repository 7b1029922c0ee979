/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_controls.h"

#include <string.h>

#include "base/param.h"

const struct vmx_control vmx_controls[] = {
#define C(of_word, of_bit, of_name, of_help) {VMX_##of_word, of_bit, #of_name, of_help},
#include "cpu/vmx/vmx_controls.def"
#undef C
};
const size_t vmx_control_count = HV_ARRAY_LEN(vmx_controls);

const enum vmcs_index vmx_word_fields[VMX_WORDS] = {
    [VMX_PIN] = VMCS_INDEX_pin_based_controls,      [VMX_PRIMARY] = VMCS_INDEX_primary_controls,
    [VMX_SECONDARY] = VMCS_INDEX_secondary_controls, [VMX_TERTIARY] = VMCS_INDEX_tertiary_controls,
    [VMX_EXIT] = VMCS_INDEX_exit_controls,          [VMX_ENTRY] = VMCS_INDEX_entry_controls,
};

const char *const vmx_word_names[VMX_WORDS] = {
    [VMX_PIN] = "pin-based", [VMX_PRIMARY] = "primary processor-based", [VMX_SECONDARY] = "secondary processor-based",
    [VMX_TERTIARY] = "tertiary processor-based", [VMX_EXIT] = "VM-exit", [VMX_ENTRY] = "VM-entry",
};

const char *const vmx_word_prefixes[VMX_WORDS] = {
    [VMX_PIN] = "pin", [VMX_PRIMARY] = "primary", [VMX_SECONDARY] = "secondary", [VMX_TERTIARY] = "tertiary",
    [VMX_EXIT] = "exit", [VMX_ENTRY] = "entry",
};

enum vmx_word vmx_word_of(enum vmcs_index field)
{
    enum vmx_word word = 0;
    while (word < VMX_WORDS && vmx_word_fields[word] != field) {
        word++;
    }
    return word;
}

const struct vmx_control *vmx_control_named(enum vmx_word word, const char *name)
{
    for (size_t i = 0; i < vmx_control_count; i++) {
        if (vmx_controls[i].word == word && strcmp(vmx_controls[i].name, name) == 0) {
            return &vmx_controls[i];
        }
    }
    return NULL;
}

const struct vmx_control *vmx_control_at(enum vmx_word word, unsigned bit)
{
    for (size_t i = 0; i < vmx_control_count; i++) {
        if (vmx_controls[i].word == word && vmx_controls[i].bit == bit) {
            return &vmx_controls[i];
        }
    }
    return NULL;
}

const char *vmx_control_nearest(enum vmx_word word, const char *text)
{
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < vmx_control_count; i++) {
        if (vmx_controls[i].word == word) {
            names[count++] = vmx_controls[i].name;
        }
    }
    return nearest_name(text, names, count);
}
