/* SPDX-License-Identifier: MIT */
/*
 * The report of broken rules for programs. Values and encodings are text in hexadecimal, because the numbers of JSON do
 * not hold 64 bits.
 */
#include "cpu/vmx/vmcs_decode.h"
#include "cpu/vmx/vmx_lint.h"

static json_t *field_to_json(const struct vmx_lint *l, enum vmcs_index field)
{
    char value[32], encoding[16], words[VMCS_DECODE_BYTES];
    snprintf(value, sizeof(value), "0x%llx", (unsigned long long)l->entry->fields[field]);
    snprintf(encoding, sizeof(encoding), "0x%04x", vmcs_fields[field].encoding);
    vmcs_decode(field, l->entry->fields[field], words);
    json_t *object = json_pack("{s:s, s:s, s:s}", "name", vmcs_fields[field].name, "encoding", encoding, "value", value);
    if (words[0] != '\0') {
        json_object_set_new(object, "meaning", json_string(words));
    }
    return object;
}

static json_t *outcome_to_json(const struct vmx_rule *r)
{
    switch (r->area) {
    case VMX_AREA_CONTROLS: return json_pack("{s:s, s:i}", "kind", "vmfail_valid", "error", 7);
    case VMX_AREA_HOST: return json_pack("{s:s, s:i}", "kind", "vmfail_valid", "error", 8);
    default:
        return json_pack("{s:s, s:i, s:i}", "kind", "vm_exit", "reason", 33, "qualification", (int)r->qualification);
    }
}

static json_t *rule_to_json(const struct vmx_lint *l, enum vmx_rule_id rule)
{
    const struct vmx_rule *r = &vmx_rules[rule];
    enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
    char hint[VMX_LINT_SENTENCE_BYTES];
    json_t *array = json_array();
    size_t count = vmx_rule_culprits(rule, l->entry, fields);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, field_to_json(l, fields[i]));
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "rule", r->id, "area", vmx_area_names[r->area],
                               "section", r->section, "words", r->rule, "outcome", outcome_to_json(r), "fields", array);
    vmx_lint_hint(l, rule, hint);
    if (hint[0] != '\0') {
        json_object_set_new(object, "hint", json_string(hint));
    }
    return object;
}

/* A name of a file need not be text. */
static json_t *name_to_json(const char *name)
{
    json_t *text = json_string(name);
    return text != NULL ? text : json_string("(not UTF-8)");
}

json_t *vmx_lint_to_json(const struct vmx_lint *l, const struct vmx_lint_source *source)
{
    char verdict[VMX_LINT_SENTENCE_BYTES];
    json_t *broken = json_array(), *unchecked = json_array();
    for (size_t i = 0; i < l->count; i++) {
        json_array_append_new(broken, rule_to_json(l, l->broken[i]));
    }
    for (size_t i = 0; i < l->unchecked_count; i++) {
        json_array_append_new(unchecked, json_string(vmx_rules[l->unchecked[i]].id));
    }
    vmx_lint_verdict(l, verdict);
    json_t *outcome = l->count > 0 ? outcome_to_json(&vmx_rules[l->broken[0]]) : json_pack("{s:s}", "kind", "entry");
    json_t *base = source->base != NULL ? name_to_json(source->base) : json_null();
    return json_pack("{s:o, s:o, s:i, s:i, s:b, s:o, s:s, s:o, s:o}", "file", name_to_json(source->file), "base", base,
                     "fields_given", (int)source->given, "fields_not_given", VMCS_FIELDS - (int)source->given, "enters",
                     l->count == 0, "outcome", outcome, "verdict", verdict, "broken", broken, "not_checked", unchecked);
}
