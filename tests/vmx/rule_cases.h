/* SPDX-License-Identifier: MIT */
/* The rows of entry_rule_cases.def: changes to a baseline, and the rules that they break. */
#ifndef HV_TESTS_VMX_RULE_CASES_H
#define HV_TESTS_VMX_RULE_CASES_H

#include "baseline.h"

enum { CHANGES_MAX = 12, RIG_MEMORY_BYTES = 1 << 20 };

enum operation {
    OP_NONE, OP_SET, OP_SET_BITS, OP_CLEAR_BITS, OP_WITHOUT, OP_EPT_WITHOUT, OP_MISC_WITHOUT, OP_LA57, OP_SMM,
    OP_OUTSIDE_IA32E, OP_CURRENT, OP_MEMORY
};

struct change {
    enum operation operation;
    int where; /* a field, a control word, or an address of memory */
    uint64_t value;
};

struct rule_case {
    const char *name;
    enum baseline base;
    struct change changes[CHANGES_MAX];
    enum vmx_rule_id broken[2];
    size_t broken_count;
};

extern const struct rule_case rule_breaking[], rule_holding[];
extern const size_t rule_breaking_count, rule_holding_count;

/* An entry with all that it points to. */
struct rig {
    struct vmx_entry entry;
    struct vmx_caps caps;
    struct physmem memory;
};

void rig_init(struct rig *r, const struct rule_case *row);
void rig_fini(struct rig *r);

/* Whether one of the changes is of a kind. */
bool rule_case_has(const struct rule_case *row, enum operation operation);

#endif
