/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_reference.h"

#include "base/print_table.h"
#include "cpu/vmx/entry_check.h"

static void fill_field(size_t index, struct print_row *row)
{
    const struct vmcs_field *f = &vmcs_fields[index];
    PRINT_CELL(0, "0x%04x", f->encoding);
    PRINT_CELL(1, "%s", f->name);
    PRINT_CELL(2, "%s", vmcs_type_names[vmcs_encoding_type(f->encoding)]);
    PRINT_CELL(3, "%s", vmcs_width_names[vmcs_encoding_width(f->encoding)]);
    PRINT_CELL(4, "%s", f->help);
}

static void fill_control(size_t index, struct print_row *row)
{
    const struct vmx_control *c = &vmx_controls[index];
    PRINT_CELL(0, "%s.%s", vmx_word_prefixes[c->word], c->name);
    PRINT_CELL(1, "%u", c->bit);
    PRINT_CELL(2, "%s", c->help);
}

static const struct exit_reason {
    unsigned number;
    const char *name, *words;
} exit_reasons[] = {
#define X(number, name, words) {number, #name, words},
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
};

static void fill_exit(size_t index, struct print_row *row)
{
    PRINT_CELL(0, "%u", exit_reasons[index].number);
    PRINT_CELL(1, "%s", exit_reasons[index].name);
    PRINT_CELL(2, "%s", exit_reasons[index].words);
}

/* "error 7", "error 8", "exit 33", and behind a slash a qualification that is not 0. */
static void fill_rule(size_t index, struct print_row *row)
{
    const struct vmx_rule *r = &vmx_rules[index];
    PRINT_CELL(0, "%s", r->section);
    PRINT_CELL(1, "%s", r->id);
    if (r->area != VMX_AREA_GUEST) {
        PRINT_CELL(2, "error %d", r->area == VMX_AREA_CONTROLS ? 7 : 8);
    } else if (r->qualification == 0) {
        PRINT_CELL(2, "exit 33");
    } else {
        PRINT_CELL(2, "exit 33/%u", (unsigned)r->qualification);
    }
    PRINT_CELL(3, "%s", r->rule);
}

void vmx_print_fields(enum print_format format, FILE *out)
{
    static const struct print_table table = {{"encoding", "name", "type", "width", "help"}, VMCS_FIELDS, fill_field};
    print_table(&table, format, out);
}

void vmx_print_controls(enum print_format format, FILE *out)
{
    const struct print_table table = {{"name", "bit", "help"}, vmx_control_count, fill_control};
    print_table(&table, format, out);
}

void vmx_print_exits(enum print_format format, FILE *out)
{
    static const struct print_table table = {{"number", "name", "help"}, HV_ARRAY_LEN(exit_reasons), fill_exit};
    print_table(&table, format, out);
}

void vmx_print_rules(enum print_format format, FILE *out)
{
    static const struct print_table table = {{"section", "name", "outcome", "help"}, VMX_RULES, fill_rule};
    print_table(&table, format, out);
}
