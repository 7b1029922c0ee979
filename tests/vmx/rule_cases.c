/* SPDX-License-Identifier: MIT */
#include "rule_cases.h"

#include <string.h>

#define FIELD_PIN VMCS_INDEX_pin_based_controls
#define FIELD_PRIMARY VMCS_INDEX_primary_controls
#define FIELD_SECONDARY VMCS_INDEX_secondary_controls
#define FIELD_TERTIARY VMCS_INDEX_tertiary_controls
#define FIELD_EXIT VMCS_INDEX_exit_controls
#define FIELD_ENTRY VMCS_INDEX_entry_controls

#define SET(field, number) {OP_SET, VMCS_INDEX_##field, number}
#define ON(word, name) {OP_SET_BITS, FIELD_##word, VMX_CONTROL(word, name)}
#define OFF(word, name) {OP_CLEAR_BITS, FIELD_##word, VMX_CONTROL(word, name)}
#define WITHOUT(word, name) {OP_WITHOUT, VMX_##word, VMX_CONTROL(word, name)}
#define EPT_WITHOUT(bits) {OP_EPT_WITHOUT, 0, bits}
#define MISC_WITHOUT(bits) {OP_MISC_WITHOUT, 0, bits}
#define LA57 {OP_LA57, 0, 0}
#define IN_SMM {OP_SMM, 0, 0}
#define OUTSIDE_IA32E {OP_OUTSIDE_IA32E, 0, 0}
#define CURRENT(address) {OP_CURRENT, 0, address}
#define MEMORY(address, word) {OP_MEMORY, address, word}

const struct rule_case rule_breaking[] = {
#define BREAKS(rule, variant, on, ...) {#rule "/" #variant, BASE_##on, {__VA_ARGS__}, {VMX_RULE_##rule}, 1},
#define BOTH(rule, other, variant, on, ...) \
    {#rule "/" #variant, BASE_##on, {__VA_ARGS__}, {VMX_RULE_##rule, VMX_RULE_##other}, 2},
#define HOLDS(rule, variant, on, ...)
#include "entry_rule_cases.def"
#undef HOLDS
#undef BOTH
#undef BREAKS
};

const struct rule_case rule_holding[] = {
#define BREAKS(rule, variant, on, ...)
#define BOTH(rule, other, variant, on, ...)
#define HOLDS(rule, variant, on, ...) {#rule "/" #variant, BASE_##on, {__VA_ARGS__}, {0}, 0},
#include "entry_rule_cases.def"
#undef HOLDS
#undef BOTH
#undef BREAKS
};

const size_t rule_breaking_count = HV_ARRAY_LEN(rule_breaking), rule_holding_count = HV_ARRAY_LEN(rule_holding);

static void write_memory(struct rig *r, uint64_t address, uint64_t word)
{
    struct hv_err err = {""};
    if (r->memory.bytes == NULL && !physmem_init(&r->memory, RIG_MEMORY_BYTES, &err)) {
        HV_ASSERT(false, "%s", err.text);
    }
    r->entry.memory = &r->memory;
    physmem_write64(&r->memory, (hv_hpa){address}, word);
}

static void apply(struct rig *r, const struct change *c)
{
    switch (c->operation) {
    case OP_NONE: break;
    case OP_SET: r->entry.fields[c->where] = c->value; break;
    case OP_SET_BITS: r->entry.fields[c->where] |= c->value; break;
    case OP_CLEAR_BITS: r->entry.fields[c->where] &= ~c->value; break;
    case OP_WITHOUT: r->caps.may[c->where] &= ~c->value; break;
    case OP_EPT_WITHOUT: r->caps.ept_vpid &= ~c->value; break;
    case OP_MISC_WITHOUT: r->caps.misc &= ~c->value; break;
    case OP_LA57: vmx_caps_init(&r->caps, BASE_PHYSICAL_BITS, true); break;
    case OP_SMM: r->entry.smm = true; break;
    case OP_OUTSIDE_IA32E: r->entry.host_long_mode = false; break;
    case OP_CURRENT: r->entry.current_vmcs = c->value; break;
    case OP_MEMORY: write_memory(r, (uint64_t)c->where, c->value); break;
    }
}

void rig_init(struct rig *r, const struct rule_case *row)
{
    memset(r, 0, sizeof(*r));
    baseline_init(row->base, &r->entry, &r->caps);
    for (size_t i = 0; i < CHANGES_MAX; i++) {
        apply(r, &row->changes[i]);
    }
}

void rig_fini(struct rig *r)
{
    if (r->memory.bytes != NULL) {
        physmem_fini(&r->memory);
    }
}

bool rule_case_has(const struct rule_case *row, enum operation operation)
{
    for (const struct change *c = row->changes; c < row->changes + CHANGES_MAX; c++) {
        if (c->operation == operation) {
            return true;
        }
    }
    return false;
}
