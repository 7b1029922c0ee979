/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_lint.h"

#include <string.h>

#include "cpu/state.h"
#include "cpu/vmx/vmcs_decode.h"

static bool is_pae(const struct vmx_entry *e)
{
    return (ENTRY_FIELD(e, guest_cr0) & CPU_CR0_PG) != 0 && (ENTRY_FIELD(e, guest_cr4) & CPU_CR4_PAE) != 0 &&
           !ENTRY_ON(e, ENTRY, ia32e_mode_guest);
}

/* Whether a rule would look at memory, or at what the processor has loaded, which a description lacks. */
static bool needs_more(const struct vmx_entry *e, enum vmx_rule_id rule)
{
    switch (rule) {
    case VMX_RULE_tpr_threshold_vtpr:
        return e->memory == NULL && ENTRY_ON(e, PRIMARY, use_tpr_shadow) &&
               !ENTRY_ON(e, SECONDARY, virtualize_apic_accesses) && !ENTRY_ON(e, SECONDARY, virtual_interrupt_delivery);
    case VMX_RULE_link_pointer_revision:
    case VMX_RULE_link_pointer_shadow: return e->memory == NULL && ENTRY_FIELD(e, vmcs_link_pointer) != VMCS_NONE;
    case VMX_RULE_link_pointer_current:
        return e->current_vmcs == VMCS_NONE && ENTRY_FIELD(e, vmcs_link_pointer) != VMCS_NONE;
    case VMX_RULE_guest_pdptes: return e->memory == NULL && is_pae(e) && !ENTRY_ON(e, SECONDARY, enable_ept);
    default: return false;
    }
}

void vmx_lint(struct vmx_lint *l, const struct vmx_entry *e)
{
    memset(l, 0, sizeof(*l));
    l->entry = e;
    for (int i = 0; i < VMX_RULES; i++) {
        enum vmx_rule_id rule = (enum vmx_rule_id)i;
        if (!vmx_rules[i].holds(e)) {
            l->broken[l->count++] = rule;
            l->in_area[vmx_rules[i].area]++;
        } else if (needs_more(e, rule)) {
            l->unchecked[l->unchecked_count++] = rule;
        }
    }
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

static const char *error_words(unsigned number)
{
    switch (number) {
#define R(error, name, words) case error: return words;
#include "cpu/vmx/vmx_errors.def"
#undef R
    }
    HV_ASSERT(false, "VM-instruction error %u", number);
}

void vmx_lint_outcome(enum vmx_area area, char text[VMX_LINT_SENTENCE_BYTES])
{
    static const char exit_words[] = "VM exit, reason 33 (VM-entry failure due to invalid guest state)";
    unsigned error = area == VMX_AREA_CONTROLS ? 7 : 8;
    if (area == VMX_AREA_GUEST) {
        snprintf(text, VMX_LINT_SENTENCE_BYTES, "%s", exit_words);
    } else {
        snprintf(text, VMX_LINT_SENTENCE_BYTES, "VMfailValid, error %u (%s)", error, error_words(error));
    }
}

/* "2 rules of controls and 1 of guest state are broken" */
static void count_broken(const struct vmx_lint *l, char text[VMX_LINT_SENTENCE_BYTES])
{
    size_t used = 0, areas_left = 0;
    for (int area = 0; area < VMX_AREAS; area++) {
        areas_left += l->in_area[area] != 0;
    }
    for (int area = 0; area < VMX_AREAS; area++) {
        if (l->in_area[area] == 0) {
            continue;
        }
        const char *before = used == 0 ? "" : areas_left == 1 ? " and " : ", ";
        const char *rules = used > 0 ? "" : l->in_area[area] == 1 ? " rule" : " rules";
        used += (size_t)snprintf(text + used, VMX_LINT_SENTENCE_BYTES - used, "%s%zu%s of %s", before,
                                 l->in_area[area], rules, vmx_area_names[area]);
        areas_left--;
    }
    snprintf(text + used, VMX_LINT_SENTENCE_BYTES - used, l->count == 1 ? " is broken" : " are broken");
}

void vmx_lint_verdict(const struct vmx_lint *l, char text[VMX_LINT_SENTENCE_BYTES])
{
    if (l->count == 0) {
        snprintf(text, VMX_LINT_SENTENCE_BYTES, "The VM entry would take place: each of the %d rules holds.", VMX_RULES);
        return;
    }
    char counts[VMX_LINT_SENTENCE_BYTES];
    const struct vmx_rule *first = &vmx_rules[l->broken[0]];
    count_broken(l, counts);
    if (first->area == VMX_AREA_GUEST) {
        snprintf(text, VMX_LINT_SENTENCE_BYTES,
                 "The VM entry would end in a VM exit with reason 80000021H and qualification %u: %.200s.",
                 (unsigned)first->qualification, counts);
    } else {
        snprintf(text, VMX_LINT_SENTENCE_BYTES, "The VM entry would end in VMfailValid with error %d: %.200s.",
                 first->area == VMX_AREA_CONTROLS ? 7 : 8, counts);
    }
}

/* --- what a rule about reserved bits wants ------------------------------------------------------------------------ */

static void describe_fixed(enum vmcs_index field, uint64_t missing, uint64_t forbidden, char *text)
{
    char bits[VMCS_DECODE_BYTES];
    size_t used = 0;
    if (missing != 0) {
        vmcs_decode_bits(field, missing, bits);
        used = (size_t)snprintf(text, VMX_LINT_SENTENCE_BYTES, "has to be 1: %.200s", bits);
    }
    if (forbidden != 0) {
        vmcs_decode_bits(field, forbidden, bits);
        snprintf(text + used, VMX_LINT_SENTENCE_BYTES - used, "%shas to be 0: %.200s", used > 0 ? "; " : "", bits);
    }
}

void vmx_lint_hint(const struct vmx_lint *l, enum vmx_rule_id rule, char text[VMX_LINT_SENTENCE_BYTES])
{
    const struct vmx_caps *caps = l->entry->caps;
    enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
    vmx_rule_fields(rule, fields);
    uint64_t value = l->entry->fields[fields[0]], zero = 0, one = UINT64_MAX;
    enum vmx_word word = vmx_word_of(fields[0]);
    bool of_words = rule == VMX_RULE_pin_reserved || rule == VMX_RULE_primary_reserved ||
                    rule == VMX_RULE_secondary_reserved || rule == VMX_RULE_tertiary_reserved ||
                    rule == VMX_RULE_exit_reserved || rule == VMX_RULE_entry_reserved;
    if (of_words) {
        zero = caps->must[word];
        one = caps->may[word];
    } else if (rule == VMX_RULE_host_cr0 || rule == VMX_RULE_guest_cr0) {
        bool chooses = rule == VMX_RULE_guest_cr0 && ENTRY_ON(l->entry, SECONDARY, unrestricted_guest);
        zero = caps->cr0_fixed0 & ~(chooses ? CPU_CR0_PE | CPU_CR0_PG : 0);
        one = caps->cr0_fixed1;
    } else if (rule == VMX_RULE_host_cr4 || rule == VMX_RULE_guest_cr4) {
        zero = caps->cr4_fixed0;
        one = caps->cr4_fixed1;
    }
    text[0] = '\0';
    describe_fixed(fields[0], zero & ~value, value & ~one, text);
}
