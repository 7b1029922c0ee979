/* SPDX-License-Identifier: MIT */
/* The report of broken rules for people. */
#include <string.h>

#include "cpu/vmx/vmcs_decode.h"
#include "cpu/vmx/vmx_lint.h"

/* As wide as the longest section, "27.3.1.1". */
enum { INDENT = 10 };

static void write_source(const struct vmx_lint_source *s, FILE *out)
{
    size_t others = VMCS_FIELDS - s->given;
    fprintf(out, "%s: %zu of %d fields are given; ", s->file, s->given, VMCS_FIELDS);
    if (s->base != NULL) {
        fprintf(out, "the other %zu are those of %s.\n", others, s->base);
    } else {
        fprintf(out, "the other %zu count as 0.\n", others);
    }
}

static void write_field(const struct vmx_lint *l, enum vmcs_index field, int width, FILE *out)
{
    static const int digits[] = {4, 16, 8, 16};
    char words[VMCS_DECODE_BYTES];
    uint64_t value = l->entry->fields[field];
    vmcs_decode(field, value, words);
    fprintf(out, "%*s  %-*s = 0x%0*llx%s%s\n", INDENT, "", width, vmcs_fields[field].name,
            digits[vmcs_encoding_width(vmcs_fields[field].encoding)], (unsigned long long)value,
            words[0] != '\0' ? "  " : "", words);
}

static void write_rule(const struct vmx_lint *l, enum vmx_rule_id rule, FILE *out)
{
    enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
    size_t count = vmx_rule_culprits(rule, l->entry, fields);
    char hint[VMX_LINT_SENTENCE_BYTES];
    int width = 0;
    const struct vmx_rule *r = &vmx_rules[rule];
    fprintf(out, "%-*s  %s [%s]", INDENT, r->section, r->rule, r->id);
    if (r->qualification != 0) {
        fprintf(out, ", qualification %u", (unsigned)r->qualification);
    }
    fputc('\n', out);
    for (size_t i = 0; i < count; i++) {
        int length = (int)strlen(vmcs_fields[fields[i]].name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < count; i++) {
        write_field(l, fields[i], width, out);
    }
    vmx_lint_hint(l, rule, hint);
    if (hint[0] != '\0') {
        fprintf(out, "%*s  %s\n", INDENT, "", hint);
    }
}

static void write_area(const struct vmx_lint *l, enum vmx_area area, FILE *out)
{
    char outcome[VMX_LINT_SENTENCE_BYTES];
    vmx_lint_outcome(area, outcome);
    fprintf(out, "\n%s\n", outcome);
    for (size_t i = 0; i < l->count; i++) {
        if (vmx_rules[l->broken[i]].area == area) {
            write_rule(l, l->broken[i], out);
        }
    }
}

void vmx_lint_write_text(const struct vmx_lint *l, const struct vmx_lint_source *source, FILE *out)
{
    char verdict[VMX_LINT_SENTENCE_BYTES];
    write_source(source, out);
    for (int area = 0; area < VMX_AREAS; area++) {
        if (l->in_area[area] != 0) {
            write_area(l, (enum vmx_area)area, out);
        }
    }
    if (l->unchecked_count > 0) {
        fputs("\nNot checked, as the answer is not in a VMCS:\n", out);
    }
    for (size_t i = 0; i < l->unchecked_count; i++) {
        const struct vmx_rule *r = &vmx_rules[l->unchecked[i]];
        fprintf(out, "%-*s  %s [%s]\n", INDENT, r->section, r->rule, r->id);
    }
    vmx_lint_verdict(l, verdict);
    fprintf(out, "\n%s\n", verdict);
}
