/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmcs.h"

#include "base/err.h"

/* Offsets in the region; what follows the first two is hvsim's own format. */
enum { OFFSET_REVISION = 0, OFFSET_ABORT = 4, OFFSET_LAUNCH_STATE = 8, OFFSET_SESSION = 12, OFFSET_FIELDS = 16,
       FIELD_BYTES = 8 };

_Static_assert(OFFSET_FIELDS + VMCS_FIELDS * FIELD_BYTES <= VMCS_REGION_BYTES, "the fields fit the region");

bool vmcs_region_valid(const struct physmem *memory, uint64_t address, unsigned physical_bits)
{
    bool wide = physical_bits < 64 && address >> physical_bits != 0;
    return address % VMCS_REGION_BYTES == 0 && !wide &&
           physmem_pointer(memory, (hv_hpa){address}, VMCS_REGION_BYTES) != NULL;
}

static uint32_t *word_at(const struct vmcs *v, uint64_t offset)
{
    uint32_t *word = physmem_pointer(v->memory, (hv_hpa){v->address + offset}, sizeof(*word));
    HV_ASSERT(word != NULL, "a VMCS region at %#llx", (unsigned long long)v->address);
    return word;
}

uint32_t vmcs_revision(const struct vmcs *v)
{
    return *word_at(v, OFFSET_REVISION);
}

void vmcs_set_revision(const struct vmcs *v, uint32_t revision)
{
    *word_at(v, OFFSET_REVISION) = revision;
}

void vmcs_set_abort(const struct vmcs *v, uint32_t indicator)
{
    *word_at(v, OFFSET_ABORT) = indicator;
}

enum vmcs_launch_state vmcs_launch_state(const struct vmcs *v)
{
    return *word_at(v, OFFSET_LAUNCH_STATE) == VMCS_LAUNCHED ? VMCS_LAUNCHED : VMCS_CLEAR;
}

void vmcs_set_launch_state(const struct vmcs *v, enum vmcs_launch_state state)
{
    *word_at(v, OFFSET_LAUNCH_STATE) = state;
}

uint32_t vmcs_launch_session(const struct vmcs *v)
{
    return *word_at(v, OFFSET_SESSION);
}

void vmcs_set_launch_session(const struct vmcs *v, uint32_t session)
{
    *word_at(v, OFFSET_SESSION) = session;
}

static hv_hpa field_address(const struct vmcs *v, int field)
{
    return (hv_hpa){v->address + OFFSET_FIELDS + (uint64_t)field * FIELD_BYTES};
}

static uint64_t mask_of(int field)
{
    return vmcs_width_mask(vmcs_encoding_width(vmcs_fields[field].encoding));
}

uint64_t vmcs_get(const struct vmcs *v, enum vmcs_index field)
{
    return physmem_read64(v->memory, field_address(v, (int)field)) & mask_of((int)field);
}

void vmcs_get_all(const struct vmcs *v, uint64_t fields[VMCS_FIELDS])
{
    static const uint64_t masks[VMCS_FIELDS] = {
#define V(encoding, name, help) \
        ((encoding) >> 13 & 3) == VMCS_16_BITS   ? UINT16_MAX \
        : ((encoding) >> 13 & 3) == VMCS_32_BITS ? UINT32_MAX \
                                                 : UINT64_MAX,
#include "cpu/vmx/vmcs_fields.def"
#undef V
    };
    const uint64_t *words = physmem_pointer(v->memory, field_address(v, 0), VMCS_FIELDS * FIELD_BYTES);
    HV_ASSERT(words != NULL, "a VMCS region at %#llx", (unsigned long long)v->address);
    for (int i = 0; i < VMCS_FIELDS; i++) {
        fields[i] = words[i] & masks[i];
    }
}

void vmcs_set(const struct vmcs *v, enum vmcs_index field, uint64_t value)
{
    physmem_write64(v->memory, field_address(v, (int)field), value & mask_of((int)field));
}

uint64_t vmcs_read(const struct vmcs *v, uint32_t encoding)
{
    int field = vmcs_field_find(encoding);
    HV_ASSERT(field != VMCS_FIELD_NONE, "no field has encoding %#x", encoding);
    uint64_t value = vmcs_get(v, (enum vmcs_index)field);
    return vmcs_encoding_high(encoding) ? value >> 32 : value;
}

void vmcs_write(const struct vmcs *v, uint32_t encoding, uint64_t value)
{
    int field = vmcs_field_find(encoding);
    HV_ASSERT(field != VMCS_FIELD_NONE, "no field has encoding %#x", encoding);
    if (vmcs_encoding_high(encoding)) {
        uint64_t low = vmcs_get(v, (enum vmcs_index)field) & UINT32_MAX;
        value = low | value << 32;
    }
    vmcs_set(v, (enum vmcs_index)field, value);
}
