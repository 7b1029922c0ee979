/* SPDX-License-Identifier: MIT */
/* The local APIC: its tables, its reset and its modes. */
#include "apic/apic.h"

#include <string.h>

#include "apic/apic_parts.h"

const struct param_row apic_param_rows[] = {
#define P(...) PARAM_ROW(struct apic_params, __VA_ARGS__)
#include "apic/apic_params.def"
#undef P
};
const size_t apic_param_count = HV_ARRAY_LEN(apic_param_rows);

const struct stat_row apic_stat_rows[] = {
#define S(...) STAT_ROW(struct apic_stats, __VA_ARGS__)
#include "apic/apic_stats.def"
#undef S
};
const size_t apic_stat_count = HV_ARRAY_LEN(apic_stat_rows);

const struct apic_register apic_registers[APIC_REGISTERS] = {
#define ROW(text, reset, xapic, x2apic, writable, read_only) \
    {text, reset, APIC_##xapic, APIC_##x2apic, writable, read_only}
#define R(offset, name, ...) [(offset) >> 4] = ROW(__VA_ARGS__),
#define R8(offset, name, ...) [(offset) >> 4 ... ((offset) >> 4) + 7] = ROW(__VA_ARGS__),
#include "apic/apic_regs.def"
#undef ROW
#undef R
#undef R8
};

/* SDM 11.12.10.2 (10.12.10.2): the cluster is the upper part of the ID, and the place in it its low four bits. */
static uint32_t x2apic_logical_id(uint32_t id)
{
    return (id >> 4) << 16 | UINT32_C(1) << (id & 15);
}

/* The registers that tell who this is, for the mode it is in. */
static void set_identity(struct apic *a)
{
    uint32_t id = a->identity.id;
    if (apic_mode(a) == APIC_MODE_X2APIC) {
        *apic_register_at(a, APIC_ID) = id;
        *apic_register_at(a, APIC_LDR) = x2apic_logical_id(id);
    } else {
        *apic_register_at(a, APIC_ID) = id << 24;
    }
}

static void reset_registers(struct apic *a)
{
    for (size_t i = 0; i < APIC_REGISTERS; i++) {
        a->registers[i] = apic_registers[i].reset;
    }
    *apic_register_at(a, APIC_VERSION) |= a->params->eoi_suppression ? APIC_VERSION_EOI_SUPPRESSION : 0;
    a->stats.dropped += vector_set_count(&a->irr);
    a->irr = a->isr = a->tmr = (struct vector_set){{0}};
    a->errors = 0;
    a->external_pin = a->external_message = a->raised = false;
    a->icr_pending_until = 0;
    apic_timer_stop(a);
    set_identity(a);
}

void apic_init(struct apic *a, const struct apic_params *params, const struct apic_identity *identity,
               const struct apic_output *output)
{
    memset(a, 0, sizeof(*a));
    a->params = params;
    a->identity = *identity;
    a->output = *output;
    a->base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (identity->bootstrap ? APIC_BASE_BSP : 0);
    reset_registers(a);
}

void apic_reset_by_init(struct apic *a)
{
    uint32_t id = apic_get(a, APIC_ID);
    reset_registers(a);
    *apic_register_at(a, APIC_ID) = id;
}

enum apic_mode apic_mode(const struct apic *a)
{
    if ((a->base & APIC_BASE_ENABLE) == 0) {
        return APIC_MODE_DISABLED;
    }
    return (a->base & APIC_BASE_X2APIC) != 0 ? APIC_MODE_X2APIC : APIC_MODE_XAPIC;
}

/*
 * The transitions of SDM figure 11-27, "Local x2APIC State Transitions" (10-27): x2APIC mode is entered from xAPIC
 * mode alone, and left for the disabled state alone.
 */
static bool transition_allowed(enum apic_mode from, uint64_t base)
{
    bool enable = (base & APIC_BASE_ENABLE) != 0, x2apic = (base & APIC_BASE_X2APIC) != 0;
    if (!enable) {
        return !x2apic;
    }
    return x2apic ? from != APIC_MODE_DISABLED : from != APIC_MODE_X2APIC;
}

static bool base_legal(const struct apic *a, uint64_t base)
{
    uint64_t address = ((UINT64_C(1) << a->identity.physical_bits) - 1) & ~(HV_PAGE_BYTES - 1);
    uint64_t flags = APIC_BASE_BSP | APIC_BASE_ENABLE | (a->params->x2apic ? APIC_BASE_X2APIC : 0);
    return (base & ~(address | flags)) == 0 && transition_allowed(apic_mode(a), base);
}

/*
 * MODEL: disabling the APIC resets it, which the SDM allows ("may be lost", 11.4.3; 10.4.3) and which in x2APIC mode
 * it requires (11.12.5.1; 10.12.5.1).
 */
static bool write_base(struct apic *a, uint64_t base)
{
    if (!base_legal(a, base)) {
        return false;
    }
    enum apic_mode before = apic_mode(a);
    a->base = base;
    enum apic_mode after = apic_mode(a);
    if (after != before && after == APIC_MODE_DISABLED) {
        reset_registers(a);
    } else if (after != before && after == APIC_MODE_X2APIC) {
        set_identity(a);
    }
    return true;
}

bool apic_owns_msr(uint32_t index)
{
    return index == APIC_BASE_MSR || index == APIC_TSC_DEADLINE_MSR ||
           (index >= APIC_MSR_FIRST && index <= APIC_MSR_LAST);
}

/* The row of an x2APIC MSR that the mode and the table make accessible, or NULL. */
static const struct apic_register *x2apic_register(const struct apic *a, uint32_t index, enum apic_access access)
{
    if (apic_mode(a) != APIC_MODE_X2APIC || index - APIC_MSR_FIRST >= APIC_REGISTERS) {
        return NULL;
    }
    const struct apic_register *row = &apic_registers[index - APIC_MSR_FIRST];
    return (row->x2apic & access) != 0 ? row : NULL;
}

static enum apic_offset offset_of_msr(uint32_t index)
{
    return (enum apic_offset)((index - APIC_MSR_FIRST) << 4);
}

bool apic_read_msr(struct apic *a, uint32_t index, uint64_t *value, hv_cycles now)
{
    if (index == APIC_BASE_MSR) {
        *value = a->base;
        return true;
    }
    apic_advance(a, now);
    if (index == APIC_TSC_DEADLINE_MSR) {
        *value = a->timer.deadline;
        return a->params->tsc_deadline;
    }
    if (x2apic_register(a, index, APIC_RO) == NULL) {
        return false;
    }
    *value = apic_register_value(a, offset_of_msr(index), now);
    if (offset_of_msr(index) == APIC_ICR) {
        *value = (*value & ~(uint64_t)APIC_PENDING) | (uint64_t)apic_get(a, APIC_ICR_HIGH) << 32;
    }
    return true;
}

/* The reserved bits of a 64-bit value. SDM 11.12.1.3 (10.12.1.3): all above 31, but in the ICR. */
static bool reserved_bits_clear(const struct apic *a, enum apic_offset offset, uint64_t value)
{
    uint64_t known = apic_writable_bits(a, offset) | apic_registers[offset >> 4].read_only;
    if (offset == APIC_ICR) {
        known |= UINT64_C(0xffffffff) << 32;
    }
    return (value & ~known) == 0;
}

static bool write_x2apic(struct apic *a, uint32_t index, uint64_t value, hv_cycles now)
{
    if (x2apic_register(a, index, APIC_WO) == NULL || !reserved_bits_clear(a, offset_of_msr(index), value)) {
        return false;
    }
    if (offset_of_msr(index) == APIC_ICR) {
        *apic_register_at(a, APIC_ICR_HIGH) = (uint32_t)(value >> 32);
    }
    apic_register_store(a, offset_of_msr(index), (uint32_t)value, now);
    return true;
}

bool apic_write_msr(struct apic *a, uint32_t index, uint64_t value, hv_cycles now)
{
    apic_advance(a, now);
    if (index == APIC_BASE_MSR) {
        return write_base(a, value);
    }
    if (index == APIC_TSC_DEADLINE_MSR) {
        if (a->params->tsc_deadline) {
            apic_timer_write_deadline(a, value, now);
        }
        return a->params->tsc_deadline;
    }
    return write_x2apic(a, index, value, now);
}
