/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmcs_field.h"

#include <string.h>

const char *const vmcs_width_names[] = {"16 bits", "64 bits", "32 bits", "natural width", NULL};
const char *const vmcs_type_names[] = {"control", "read-only data", "guest state", "host state", NULL};

const struct vmcs_field vmcs_fields[VMCS_FIELDS] = {
#define V(encoding_number, field_name, help_text) {encoding_number, #field_name, help_text},
#include "cpu/vmx/vmcs_fields.def"
#undef V
};

/* Bits 9:1 of every encoding stay below 64; bits 0, 12 and those above 14 are 0. */
#define V(encoding, name, help) \
    _Static_assert(((encoding) & ~0x6c7e) == 0, "bits of the encoding of " #name " that no field has");
#include "cpu/vmx/vmcs_fields.def"
#undef V

int vmcs_field_find(uint64_t encoding)
{
    bool high = (encoding & 1) != 0;
    if (encoding > UINT16_MAX || (high && vmcs_encoding_width((uint32_t)encoding) != VMCS_64_BITS)) {
        return VMCS_FIELD_NONE;
    }
    uint32_t full = (uint32_t)encoding & ~1u;
    int low = 0, end = VMCS_FIELDS;
    while (low < end) {
        int middle = (low + end) / 2;
        if (vmcs_fields[middle].encoding < full) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low < VMCS_FIELDS && vmcs_fields[low].encoding == full ? low : VMCS_FIELD_NONE;
}

int vmcs_field_named(const char *name)
{
    for (int i = 0; i < VMCS_FIELDS; i++) {
        if (strcmp(vmcs_fields[i].name, name) == 0) {
            return i;
        }
    }
    return VMCS_FIELD_NONE;
}
