/* SPDX-License-Identifier: MIT */
/* What the files with the predicates of entry_rules.def share. Nobody else includes it. */
#ifndef HV_CPU_VMX_ENTRY_PREDICATES_H
#define HV_CPU_VMX_ENTRY_PREDICATES_H

#include "cpu/state.h"
#include "cpu/vmx/entry_check.h"

#define RULE(id, area, qualification, section, rule) bool vmx_rule_##id(const struct vmx_entry *e);
#include "cpu/vmx/entry_rules.def"
#undef RULE

/* Of a rule that says the same of several fields: whether it holds as far as this one or its segment is concerned. */
#define PART(rule, part) bool vmx_part_##part(const struct vmx_entry *e, enum vmcs_index field);
#include "cpu/vmx/entry_rule_parts.def"
#undef PART

#define F(name) ENTRY_FIELD(e, name)
#define ON(word, name) ENTRY_ON(e, word, name)
#define IMPLIES(condition, consequence) (!(condition) || (consequence))

enum { PAGE_LOG2 = 12 };

/* Whether an address is a multiple of 2^align_log2 and within the physical-address width. */
static inline bool address_ok(const struct vmx_entry *e, uint64_t address, unsigned align_log2)
{
    return (address & ((UINT64_C(1) << align_log2) - 1)) == 0 && address >> e->caps->physical_bits == 0;
}

/* Whether bits 63 to `bits` are all the same. */
static inline bool same_above(uint64_t value, unsigned bits)
{
    return value >> bits == 0 || value >> bits == UINT64_MAX >> bits;
}

/*
 * Whether the bits above the linear-address width equal its highest bit.
 *
 * The width is what the processor supports, also when CR4.LA57 is 0 (SDM Vol. 1 3.3.7.1), but for host RIP.
 */
static inline bool canonical(const struct vmx_entry *e, uint64_t address)
{
    return same_above(address, e->caps->linear_bits - 1);
}

#endif
