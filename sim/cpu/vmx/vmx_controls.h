/* SPDX-License-Identifier: MIT */
/*
 * The controls of a VMCS as bits: VMX_PRIMARY_hlt_exiting is the bit of "HLT exiting" in the primary processor-based
 * VM-execution controls. The table is vmx_controls.def.
 */
#ifndef HV_CPU_VMX_VMX_CONTROLS_H
#define HV_CPU_VMX_VMX_CONTROLS_H

#include "cpu/vmx/vmcs_field.h"

/* The words, in the order of the table. */
enum vmx_word { VMX_PIN, VMX_PRIMARY, VMX_SECONDARY, VMX_TERTIARY, VMX_EXIT, VMX_ENTRY, VMX_WORDS };

enum vmx_control_bit {
#define C(word, bit, name, help) VMX_BIT_##word##_##name = bit,
#include "cpu/vmx/vmx_controls.def"
#undef C
};

struct vmx_control {
    enum vmx_word word;
    unsigned bit;
    const char *name, *help;
};

extern const struct vmx_control vmx_controls[];
extern const size_t vmx_control_count;

extern const enum vmcs_index vmx_word_fields[VMX_WORDS]; /* the field that holds each word */
extern const char *const vmx_word_names[VMX_WORDS];      /* "pin-based", "primary processor-based", ... */
extern const char *const vmx_word_prefixes[VMX_WORDS];   /* "pin", "primary", ...: before the dot of a full name */

/* The mask of a control: VMX_CONTROL(PRIMARY, hlt_exiting). */
#define VMX_CONTROL(word, name) (UINT64_C(1) << VMX_BIT_##word##_##name)

/* The word that a field holds, or VMX_WORDS. */
enum vmx_word vmx_word_of(enum vmcs_index field);

/* The control of a word by its name or by its bit, or NULL. */
const struct vmx_control *vmx_control_named(enum vmx_word word, const char *name);
const struct vmx_control *vmx_control_at(enum vmx_word word, unsigned bit);

/* The name of a word's controls that is nearest to a text, or NULL. */
const char *vmx_control_nearest(enum vmx_word word, const char *text);

#endif
