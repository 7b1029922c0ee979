/* SPDX-License-Identifier: MIT */
/*
 * The last VM entry of a processor that passed all checks. Most entries differ from the one before in RIP alone, and
 * rules that have been found to hold for the same inputs need not be asked again: that decides time on the host, and
 * nothing in the model.
 *
 * The fields are compared with the VMCS in memory at each entry, so it does not matter who changed them: VMWRITE, an
 * ordinary store, a guest with a shadow VMCS, another processor.
 */
#ifndef HV_CPU_VMX_ENTRY_PASSED_H
#define HV_CPU_VMX_ENTRY_PASSED_H

#include "cpu/vmx/entry_check.h"

struct vmx_entry_passed {
    bool valid;
    uint64_t fields[VMCS_FIELDS];
    uint64_t current_vmcs;
    struct vmx_caps caps;
    bool host_long_mode, smm;
};

/* Whether an entry passes all checks, as the last one did. False: it has to be checked. */
bool vmx_entry_passes_again(const struct vmx_entry_passed *p, const struct vmx_entry *e);

/* An entry has passed all checks. */
void vmx_entry_note_passed(struct vmx_entry_passed *p, const struct vmx_entry *e);

/*
 * How it is decided, for the tests: a field is compared, or every rule that looks at it is asked at each entry, as is
 * one that looks at memory.
 */
bool vmx_entry_compares(enum vmcs_index field);
bool vmx_entry_asks(enum vmx_rule_id rule);

#endif
