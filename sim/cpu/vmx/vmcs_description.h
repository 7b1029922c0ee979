/* SPDX-License-Identifier: MIT */
/*
 * A VMCS as people write it down, for `hvsim lint`.
 *
 * Three forms are read. A file whose name ends in .yaml or .yml is a YAML map of fields to numbers; a control word may
 * instead be a list of its controls, which stands for these and the reserved bits that have to be 1. Any other file is
 * text with a field a line, `NAME = 0x...`, `NAME: 0x...` or `0x681e 0x...`, or the kernel log of KVM or the console
 * of Xen with the dump of a VMCS in it. A field goes by its name in vmcs_fields.def or in Linux (vmcs_aliases.def), in
 * either case, or by its encoding; that of the high half of a 64-bit field sets this half.
 */
#ifndef HV_CPU_VMX_VMCS_DESCRIPTION_H
#define HV_CPU_VMX_VMCS_DESCRIPTION_H

#include "base/err.h"
#include "cpu/vmx/vmcs_field.h"

struct vmcs_description {
    uint64_t fields[VMCS_FIELDS];
    unsigned given[VMCS_FIELDS];      /* the line of the file that gives the field, or 0 */
    unsigned given_high[VMCS_FIELDS]; /* the same of its high half alone */
};

/* All fields are 0 and none is given. */
void vmcs_description_init(struct vmcs_description *d);

/*
 * Reads a file over what is there, which then counts as not given. After a failure the description is of no use.
 */
bool vmcs_description_load(struct vmcs_description *d, const char *path, struct hv_err *err);

/* The same from memory; the form goes by the name. */
bool vmcs_description_read(struct vmcs_description *d, const char *name, const char *data, size_t size,
                           struct hv_err *err);

/* How many fields are given. */
size_t vmcs_description_given(const struct vmcs_description *d);

/* --- for the readers --------------------------------------------------------------------------------------------- */

/* The encoding that a text names; false, with a sentence, when it is no field. */
bool vmcs_description_find(const char *text, const struct hv_where *where, uint32_t *encoding, struct hv_err *err);

/* Gives a field, or half of it, a value: false, with a sentence, when it does not fit or is given twice. */
bool vmcs_description_give(struct vmcs_description *d, uint32_t encoding, uint64_t value,
                           const struct hv_where *where, struct hv_err *err);

/* The same with the number as text. */
bool vmcs_description_give_text(struct vmcs_description *d, uint32_t encoding, const char *text,
                                const struct hv_where *where, struct hv_err *err);

bool vmcs_read_yaml(struct vmcs_description *d, const char *name, const char *data, size_t size, struct hv_err *err);
bool vmcs_read_lines(struct vmcs_description *d, const char *name, char *text, struct hv_err *err);
bool vmcs_read_kernel_log(struct vmcs_description *d, const char *name, char *text, struct hv_err *err);

/* Whether a text holds the dump of a VMCS as KVM and Xen print it. */
bool vmcs_is_kernel_log(const char *text);

#endif
