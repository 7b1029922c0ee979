/* SPDX-License-Identifier: MIT */
/*
 * The explanation of a translation as JSON. Addresses and bit patterns are text in hexadecimal, because many readers
 * of JSON keep only 53 bits of a number.
 */
#include "base/print.h"
#include "machine/explain.h"

static json_t *hex(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
    return json_string(text);
}

static json_t *cell_name(unsigned guest_step, unsigned host_level)
{
    char name[EXPLAIN_CELL_BYTES];
    explain_cell_name(guest_step, host_level, name);
    return json_string(name);
}

static json_t *entry_to_json(const struct explain_entry *e)
{
    static const char *const meanings[] = {
        [RADIX_TABLE] = "table", [RADIX_LEAF] = "page", [RADIX_NOT_PRESENT] = "not present",
        [RADIX_RESERVED] = "reserved",
    };
    json_t *object = json_pack("{s:o, s:s, s:b, s:b, s:b, s:b, s:b, s:b}", "value", hex(e->value), "meaning",
                               meanings[e->meaning], "readable", e->readable, "writable", e->writable, "executable",
                               e->executable, "user", e->user, "accessed", e->accessed, "dirty", e->dirty);
    if (e->meaning == RADIX_TABLE || e->meaning == RADIX_LEAF) {
        json_object_set_new(object, "frame", hex(e->frame));
    }
    if (e->has_memory_type) {
        json_object_set_new(object, "memory_type", json_string(explain_memory_type_names[e->memory_type]));
    }
    return object;
}

/* "51:12", or "63" of a single bit. */
static json_t *fields_to_json(const struct explain *x, const struct explain_step *step)
{
    bool host = step->host_level != 0;
    enum radix_format format = !host ? RADIX_IA32E : x->npt ? RADIX_NPT : RADIX_EPT;
    struct explain_field fields[EXPLAIN_MAX_FIELDS];
    unsigned count = explain_fields(&step->entry, format, host ? step->host_level : step->guest_step, fields);
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++) {
        const struct explain_field *field = &fields[i];
        char bits[16];
        snprintf(bits, sizeof(bits), field->high == field->low ? "%u" : "%u:%u", field->high, field->low);
        json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:s}", "bits", bits, "name", field->name, "value",
                                               hex(field->value), "meaning", field->meaning));
    }
    return array;
}

static json_t *reference_to_json(const struct explain *x, const struct explain_step *step)
{
    json_t *object = json_pack("{s:i, s:o, s:s, s:i, s:i, s:o}", "number", step->number, "cell",
                               cell_name(step->guest_step, step->host_level), "dimension",
                               step->host_level != 0 ? "host" : "guest", "level",
                               step->host_level != 0 ? step->host_level : step->guest_step, "index", step->index, "hpa",
                               hex(step->address));
    const struct explain_cell *cell = &x->cells[step->guest_step][step->host_level];
    if (cell->planned && cell->gpa.v != HV_GPA_UNKNOWN) {
        json_object_set_new(object, step->host_level != 0 ? "translates_gpa" : "gpa", hex(cell->gpa.v));
    }
    json_object_set_new(object, "entry", entry_to_json(&step->entry));
    json_object_set_new(object, "fields", fields_to_json(x, step));
    json_object_set_new(object, "answered_by", json_string(explain_source_names[step->source]));
    json_object_set_new(object, "start_cycle", print_whole(step->start));
    json_object_set_new(object, "cycles", print_whole(step->cycles));
    if (step->update != 0) {
        json_object_set_new(object, "flags_set", hex(step->update));
        json_object_set_new(object, "flags_cycles", print_whole(step->update_cycles));
    }
    return object;
}

static json_t *lookup_to_json(const struct explain_step *step)
{
    static const char *const structures[] = {
        [EXPLAIN_GUEST_PWC_HIT] = "guest PWC", [EXPLAIN_HOST_PWC_HIT] = "host PWC",
        [EXPLAIN_NESTED_HIT] = "nested TLB", [EXPLAIN_NESTED_MISS] = "nested TLB",
    };
    bool of_gpa = step->kind == EXPLAIN_NESTED_HIT || step->kind == EXPLAIN_NESTED_MISS;
    return json_pack("{s:s, s:b, s:o, s:o, s:i, s:o, s:o}", "structure", structures[step->kind], "hit",
                     step->kind != EXPLAIN_NESTED_MISS, "cell", cell_name(step->guest_step, step->host_level),
                     of_gpa ? "gpa" : "table_hpa", hex(step->address), "saved", step->saved, "start_cycle",
                     print_whole(step->start), "cycles", print_whole(step->cycles));
}

static json_t *tlbs_to_json(const struct explain *x)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < x->tlb_count; i++) {
        json_array_append_new(array, json_pack("{s:s, s:b}", "level", tlb_level_names[x->tlb[i].level], "hit",
                                               x->tlb[i].hit));
    }
    return array;
}

/* The cells that a cache saved, and which. */
static json_t *saved_to_json(const struct explain *x)
{
    json_t *object = json_object();
    for (unsigned step = MMU_GRID; step-- > 0;) {
        for (unsigned level = MMU_GRID; level-- > 0;) {
            const char *saver = explain_saver_names[x->cells[step][level].fate];
            if (saver != NULL) {
                char name[EXPLAIN_CELL_BYTES];
                explain_cell_name(step, level, name);
                json_object_set_new(object, name, json_string(saver));
            }
        }
    }
    return object;
}

static json_t *result_to_json(const struct explain *x)
{
    json_t *object = json_pack("{s:o, s:s, s:s, s:b, s:b, s:b}", "hpa", hex(x->reply.hpa.v), "page_size",
                               hv_page_size_names[x->size], "guest_page_size", hv_page_size_names[x->guest_size],
                               "writable", (x->payload & TLB_GUEST_W) != 0 && (x->payload & TLB_HOST_W) != 0,
                               "executable", (x->payload & TLB_GUEST_X) != 0 && (x->payload & TLB_HOST_X) != 0,
                               "user", (x->payload & TLB_GUEST_U) != 0);
    if (x->nested) {
        json_object_set_new(object, "host_page_size", json_string(hv_page_size_names[x->host_size]));
    }
    if (x->nested && !x->npt) {
        const char *type = explain_memory_type_names[x->payload >> TLB_MEMORY_TYPE_SHIFT & 7];
        json_object_set_new(object, "memory_type", json_string(type));
    }
    return object;
}

static json_t *fault_to_json(const struct explain *x)
{
    const struct hv_fault *fault = &x->reply.fault;
    size_t count;
    const struct explain_bit *bits = explain_fault_bits(fault, &count);
    json_t *object = json_pack("{s:s, s:s, s:i, s:o}", "kind", hv_fault_names[fault->kind], "dimension",
                               fault->dimension == HV_HOST ? "host" : "guest", "level", fault->level, "error_code",
                               hex(fault->error_code));
    if (fault->dimension == HV_HOST) {
        json_object_set_new(object, "gpa", hex(fault->gpa.v));
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        bool set = (fault->error_code & bits[i].mask) != 0;
        json_array_append_new(array, json_pack("{s:s, s:b, s:s}", "name", bits[i].name, "set", set, "meaning",
                                               bits[i].meaning[set]));
    }
    json_object_set_new(object, "bits", array);
    if (x->handler != NULL) {
        json_object_set_new(object, "resolved_by", json_string(x->handler));
        json_object_set_new(object, "resolved_cycles", print_whole(x->handling_cycles));
    }
    return object;
}

static json_t *totals_to_json(const struct explain *x)
{
    hv_cycles walk = x->reply.walk_guest_cycles + x->reply.walk_host_cycles;
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "references",
                     (int)(x->references[HV_GUEST] + x->references[HV_HOST]), "guest_references",
                     (int)x->references[HV_GUEST], "host_references", (int)x->references[HV_HOST], "saved",
                     (int)x->saved, "without_caches", (int)explain_planned(x), "cycles", print_whole(x->total_cycles),
                     "reference_cycles", print_whole(x->reference_cycles), "lookup_cycles",
                     print_whole(walk - x->reference_cycles), "walk_cycles", print_whole(walk), "tlb_cycles",
                     print_whole(x->reply.tlb_cycles), "queue_cycles", print_whole(x->reply.queue_cycles));
}

static const char *mode_name(const struct explain *x)
{
    const char *const shadow = x->nested ? "agile" : "shadow", *const own = x->nested ? "nested" : "native";
    return x->shadow ? shadow : own;
}

json_t *explain_to_json(const struct explain *x)
{
    json_t *references = json_array(), *lookups = json_array();
    for (unsigned i = 0; i < x->step_count; i++) {
        if (x->steps[i].kind == EXPLAIN_REFERENCE) {
            json_array_append_new(references, reference_to_json(x, &x->steps[i]));
        } else {
            json_array_append_new(lookups, lookup_to_json(&x->steps[i]));
        }
    }
    json_t *object = json_pack("{s:o, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "gva", hex(x->gva.v), "access",
                               explain_access_names[x->access], "mode", mode_name(x),
                               "guest_levels", (int)x->guest_levels, "start_cycle", print_whole(x->start), "tlb",
                               tlbs_to_json(x), "references", references, "lookups", lookups, "saved",
                               saved_to_json(x));
    if (x->nested) {
        json_object_set_new(object, "own_level", json_integer((json_int_t)x->own_level));
        json_object_set_new(object, "host_levels", json_integer((json_int_t)x->host_levels));
        json_object_set_new(object, "host_format", json_string(x->npt ? "npt" : "ept"));
    }
    json_object_set_new(object, x->ok ? "result" : "fault", x->ok ? result_to_json(x) : fault_to_json(x));
    json_object_set_new(object, "totals", totals_to_json(x));
    return object;
}
