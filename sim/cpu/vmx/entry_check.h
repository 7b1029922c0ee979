/* SPDX-License-Identifier: MIT */
/*
 * What a VM entry checks before and while it loads the guest: SDM Vol. 3C chapter 27 "VM Entries" (26 in editions
 * before 2022), each check one row of entry_rules.def and one predicate.
 *
 * The same rows answer a processor, which stops at the first area with a violation, and `hvsim lint`, which lists all.
 *
 * MODEL: the order in which silicon makes the checks of one area is not architectural; here it is that of the manual,
 * which decides the exit qualification when guest state breaks several rules.
 */
#ifndef HV_CPU_VMX_ENTRY_CHECK_H
#define HV_CPU_VMX_ENTRY_CHECK_H

#include "cpu/vmx/vmcs.h"
#include "cpu/vmx/vmx_caps.h"

/* What the rules look at. */
struct vmx_entry {
    uint64_t fields[VMCS_FIELDS];
    const struct vmx_caps *caps;
    const struct physmem *memory; /* NULL when there is only a description: rules about memory hold */
    uint64_t current_vmcs;        /* VMCS_NONE when unknown */
    bool host_long_mode;          /* the processor is in IA-32e mode */
    bool smm;                     /* the entry is from SMM */
};

/* Reads all fields of a VMCS. The other members are the caller's. */
void vmx_entry_read(struct vmx_entry *e, const struct vmcs *v);

enum vmx_area { VMX_AREA_CONTROLS, VMX_AREA_HOST, VMX_AREA_GUEST, VMX_AREAS };

extern const char *const vmx_area_names[]; /* "controls", "host state", "guest state" */

enum vmx_rule_id {
#define RULE(id, area, qualification, section, rule) VMX_RULE_##id,
#include "cpu/vmx/entry_rules.def"
#undef RULE
    VMX_RULES
};

enum { VMX_RULE_MAX_FIELDS = 12 };

struct vmx_rule {
    const char *id;
    enum vmx_area area;
    uint64_t qualification; /* of the VM exit, for the guest's */
    const char *section, *rule;
    bool (*holds)(const struct vmx_entry *e);
};

extern const struct vmx_rule vmx_rules[VMX_RULES];

/* The first rule of an area that does not hold, or NULL. */
const struct vmx_rule *vmx_entry_check(const struct vmx_entry *e, enum vmx_area area);

/* The fields that a rule is about, first those to look at first; returns how many, at least 1. */
size_t vmx_rule_fields(enum vmx_rule_id rule, enum vmcs_index fields[VMX_RULE_MAX_FIELDS]);

/* Of these, the ones that break the rule, when it says the same of each; otherwise all of them. */
size_t vmx_rule_culprits(enum vmx_rule_id rule, const struct vmx_entry *e,
                         enum vmcs_index fields[VMX_RULE_MAX_FIELDS]);

/* A field's value by name, and whether a control is 1; a word that is not activated counts as 0. */
#define ENTRY_FIELD(e, name) ((e)->fields[VMCS_INDEX_##name])
#define ENTRY_ON(e, word, name) ((vmx_entry_word(e, VMX_##word) & VMX_CONTROL(word, name)) != 0)

uint64_t vmx_entry_word(const struct vmx_entry *e, enum vmx_word word);

/* The event to inject: SDM Vol. 3C "VM-Entry Controls for Event Injection" (25.8.3; 24.8.3 before 2022). */
enum vmx_event_type {
    VMX_EVENT_EXTERNAL, VMX_EVENT_RESERVED, VMX_EVENT_NMI, VMX_EVENT_HARDWARE_EXCEPTION, VMX_EVENT_SOFTWARE_INTERRUPT,
    VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, VMX_EVENT_SOFTWARE_EXCEPTION, VMX_EVENT_OTHER
};

static inline bool vmx_event_valid(const struct vmx_entry *e)
{
    return (ENTRY_FIELD(e, entry_interruption_information) >> 31 & 1) != 0;
}

static inline enum vmx_event_type vmx_event_type(const struct vmx_entry *e)
{
    return (enum vmx_event_type)(ENTRY_FIELD(e, entry_interruption_information) >> 8 & 7);
}

static inline bool vmx_event_has_error_code(const struct vmx_entry *e)
{
    return (ENTRY_FIELD(e, entry_interruption_information) >> 11 & 1) != 0;
}

static inline unsigned vmx_event_vector(const struct vmx_entry *e)
{
    return (unsigned)(ENTRY_FIELD(e, entry_interruption_information) & 255);
}

/* Whether an event of a type is injected. */
static inline bool vmx_injects(const struct vmx_entry *e, enum vmx_event_type type)
{
    return vmx_event_valid(e) && vmx_event_type(e) == type;
}

#endif
