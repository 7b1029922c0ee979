/* SPDX-License-Identifier: MIT */
/*
 * Which rules of a VM entry a VMCS breaks, all of them, for those who write hypervisors: hardware says "error 7" and not
 * which of the checks failed.
 */
#ifndef HV_CPU_VMX_VMX_LINT_H
#define HV_CPU_VMX_VMX_LINT_H

#include <jansson.h>
#include <stdio.h>

#include "cpu/vmx/entry_check.h"

struct vmx_lint {
    const struct vmx_entry *entry;
    enum vmx_rule_id broken[VMX_RULES]; /* in the order of the manual */
    size_t count;
    size_t in_area[VMX_AREAS];
    enum vmx_rule_id unchecked[VMX_RULES]; /* those whose answer lies in memory that the description does not have */
    size_t unchecked_count;
};

/* Judges an entry, which has to outlive the result. */
void vmx_lint(struct vmx_lint *l, const struct vmx_entry *e);

/* Where the fields came from, for the head of a report. */
struct vmx_lint_source {
    const char *file;
    size_t given;     /* fields that the file gives */
    const char *base; /* what gives the others, or NULL when they are 0 */
};

void vmx_lint_write_text(const struct vmx_lint *l, const struct vmx_lint_source *source, FILE *out);

/* A new object. */
json_t *vmx_lint_to_json(const struct vmx_lint *l, const struct vmx_lint_source *source);

/* --- shared by the two forms of the report ------------------------------------------------------------------------ */

enum { VMX_LINT_SENTENCE_BYTES = 512 };

/* What such an entry would do, in one sentence. */
void vmx_lint_verdict(const struct vmx_lint *l, char text[VMX_LINT_SENTENCE_BYTES]);

/* What a violation in an area comes to: "VMfailValid, error 7 (VM entry with invalid control field(s))". */
void vmx_lint_outcome(enum vmx_area area, char text[VMX_LINT_SENTENCE_BYTES]);

/* What a reserved-bits rule wants of a field: "bit 26 has to be 1"; empty for other rules. */
void vmx_lint_hint(const struct vmx_lint *l, enum vmx_rule_id rule, char text[VMX_LINT_SENTENCE_BYTES]);

#endif
