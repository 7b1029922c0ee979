/* SPDX-License-Identifier: MIT */
/*
 * The fields of a VMCS: names, encodings and what an encoding says about its field.
 *
 * SDM Vol. 3C "VMREAD, VMWRITE, and Encodings of VMCS Fields" (25.11.2; 24.11.2 in editions before 2022):
 *
 *     bit 0       access: 0 full, 1 the high 32 bits of a 64-bit field
 *     bits 9:1    index
 *     bits 11:10  type: 0 control, 1 read-only data, 2 guest state, 3 host state
 *     bit 12      reserved, 0
 *     bits 14:13  width: 0 16 bits, 1 64 bits, 2 32 bits, 3 natural width
 */
#ifndef HV_CPU_VMX_VMCS_FIELD_H
#define HV_CPU_VMX_VMCS_FIELD_H

#include "base/types.h"

/* The encoding of each field under its name: VMCS_guest_rip. */
enum vmcs_encoding {
#define V(encoding, name, help) VMCS_##name = encoding,
#include "cpu/vmx/vmcs_fields.def"
#undef V
};

/* The fields numbered without gaps, in the same order: VMCS_INDEX_guest_rip. */
enum vmcs_index {
#define V(encoding, name, help) VMCS_INDEX_##name,
#include "cpu/vmx/vmcs_fields.def"
#undef V
    VMCS_FIELDS
};

enum vmcs_width { VMCS_16_BITS, VMCS_64_BITS, VMCS_32_BITS, VMCS_NATURAL };
enum vmcs_type { VMCS_CONTROL, VMCS_READ_ONLY, VMCS_GUEST, VMCS_HOST };

extern const char *const vmcs_width_names[]; /* "16 bits", ... in the order of the enum */
extern const char *const vmcs_type_names[];  /* "control", ... */

struct vmcs_field {
    uint32_t encoding; /* full access */
    const char *name, *help;
};

extern const struct vmcs_field vmcs_fields[VMCS_FIELDS];

#define VMCS_FIELD_NONE (-1)

static inline enum vmcs_width vmcs_encoding_width(uint32_t encoding)
{
    return (enum vmcs_width)(encoding >> 13 & 3);
}

static inline enum vmcs_type vmcs_encoding_type(uint32_t encoding)
{
    return (enum vmcs_type)(encoding >> 10 & 3);
}

/* Whether the encoding is of the high half of a 64-bit field. */
static inline bool vmcs_encoding_high(uint32_t encoding)
{
    return (encoding & 1) != 0;
}

/* The bits that a field holds, as hvsim's processors all have 64-bit mode. */
static inline uint64_t vmcs_width_mask(enum vmcs_width width)
{
    return width == VMCS_16_BITS ? UINT16_MAX : width == VMCS_32_BITS ? UINT32_MAX : UINT64_MAX;
}

/* The index of an encoding, of either access; VMCS_FIELD_NONE when no field has it. */
int vmcs_field_find(uint64_t encoding);

/* The index of a name, or VMCS_FIELD_NONE. */
int vmcs_field_named(const char *name);

#endif
