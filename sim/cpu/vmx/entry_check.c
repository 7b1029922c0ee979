/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/entry_check.h"

#include "cpu/vmx/entry_predicates.h"

const char *const vmx_area_names[] = {"controls", "host state", "guest state", NULL};

const struct vmx_rule vmx_rules[VMX_RULES] = {
#define RULE(rule_id, rule_area, exit_qualification, manual_section, words) \
    {#rule_id, VMX_AREA_##rule_area, exit_qualification, manual_section, words, vmx_rule_##rule_id},
#include "cpu/vmx/entry_rules.def"
#undef RULE
};

/* Index plus 1, so that 0 ends a list. */
#define SHOWS(rule, ...) [VMX_RULE_##rule] = {__VA_ARGS__},
#define X(name) VMCS_INDEX_##name + 1
static const uint8_t shown[VMX_RULES][VMX_RULE_MAX_FIELDS + 1] = {
#include "cpu/vmx/entry_rule_fields.def"
};
#undef X
#undef SHOWS

_Static_assert(VMCS_FIELDS < UINT8_MAX, "an index plus 1 fits an element of the table");

typedef bool vmx_part_fn(const struct vmx_entry *e, enum vmcs_index field);

/* NULL: the rule is about all its fields together. */
static vmx_part_fn *const parts[VMX_RULES] = {
#define PART(rule, part) [VMX_RULE_##rule] = vmx_part_##part,
#include "cpu/vmx/entry_rule_parts.def"
#undef PART
};

static bool each_holds(const struct vmx_entry *e, enum vmx_rule_id rule)
{
    for (const uint8_t *field = shown[rule]; *field != 0; field++) {
        if (!parts[rule](e, (enum vmcs_index)(*field - 1))) {
            return false;
        }
    }
    return true;
}

#define PART(rule, part) \
    bool vmx_rule_##rule(const struct vmx_entry *e) { return each_holds(e, VMX_RULE_##rule); }
#include "cpu/vmx/entry_rule_parts.def"
#undef PART

void vmx_entry_read(struct vmx_entry *e, const struct vmcs *v)
{
    vmcs_get_all(v, e->fields);
}

const struct vmx_rule *vmx_entry_check(const struct vmx_entry *e, enum vmx_area area)
{
    for (int i = 0; i < VMX_RULES; i++) {
        if (vmx_rules[i].area == area && !vmx_rules[i].holds(e)) {
            return &vmx_rules[i];
        }
    }
    return NULL;
}

/* SDM 25.6.2: without the control that activates them, the secondary and tertiary controls are all 0. */
uint64_t vmx_entry_word(const struct vmx_entry *e, enum vmx_word word)
{
    uint64_t primary = ENTRY_FIELD(e, primary_controls);
    if ((word == VMX_SECONDARY && (primary & VMX_CONTROL(PRIMARY, activate_secondary_controls)) == 0) ||
        (word == VMX_TERTIARY && (primary & VMX_CONTROL(PRIMARY, activate_tertiary_controls)) == 0)) {
        return 0;
    }
    return e->fields[vmx_word_fields[word]];
}

size_t vmx_rule_fields(enum vmx_rule_id rule, enum vmcs_index fields[VMX_RULE_MAX_FIELDS])
{
    size_t count = 0;
    for (; shown[rule][count] != 0; count++) {
        fields[count] = (enum vmcs_index)(shown[rule][count] - 1);
    }
    return count;
}

size_t vmx_rule_culprits(enum vmx_rule_id rule, const struct vmx_entry *e,
                         enum vmcs_index fields[VMX_RULE_MAX_FIELDS])
{
    size_t count = vmx_rule_fields(rule, fields), culprits = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[rule] == NULL || !parts[rule](e, fields[i])) {
            fields[culprits++] = fields[i];
        }
    }
    return culprits;
}
