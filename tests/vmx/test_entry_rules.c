/* SPDX-License-Identifier: MIT */
/*
 * Every rule of a VM entry: it holds on valid descriptions, a change breaks it and no other, and the change next to it
 * does not. The table of changes is entry_rule_cases.def; a rule without one fails a test.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_cases.h"

static bool expects(const struct rule_case *row, enum vmx_rule_id rule)
{
    for (size_t i = 0; i < row->broken_count; i++) {
        if (row->broken[i] == rule) {
            return true;
        }
    }
    return false;
}

/* Exactly the expected rules are broken, and what a processor finds first in each area is one of them. */
static void check_rules(const struct rule_case *row, const struct vmx_entry *e)
{
    const struct vmx_rule *first[VMX_AREAS] = {NULL};
    unsigned wrong = 0;
    for (int i = 0; i < VMX_RULES; i++) {
        bool holds = vmx_rules[i].holds(e);
        if (holds == expects(row, (enum vmx_rule_id)i)) {
            print_message("%s %s\n", vmx_rules[i].id, holds ? "holds" : "is broken");
            wrong++;
        }
        if (!holds && first[vmx_rules[i].area] == NULL) {
            first[vmx_rules[i].area] = &vmx_rules[i];
        }
    }
    assert_int_equal(wrong, 0);
    for (int area = 0; area < VMX_AREAS; area++) {
        assert_ptr_equal(vmx_entry_check(e, (enum vmx_area)area), first[area]);
    }
}

static bool is_of_a_field(const struct change *c)
{
    return c->operation == OP_SET || c->operation == OP_SET_BITS || c->operation == OP_CLEAR_BITS;
}

static bool changes_field(const struct rule_case *row, enum vmcs_index field)
{
    bool changes = false;
    for (const struct change *c = row->changes; c < row->changes + CHANGES_MAX; c++) {
        changes |= is_of_a_field(c) && c->where == (int)field;
    }
    return changes;
}

static bool changes_processor(const struct rule_case *row)
{
    bool changes = false;
    for (const struct change *c = row->changes; c < row->changes + CHANGES_MAX; c++) {
        changes |= c->operation != OP_NONE && !is_of_a_field(c);
    }
    return changes;
}

/* A user who is shown a broken rule is shown a field that was changed, unless the processor is what was changed. */
static void check_shown(const struct rule_case *row, const struct vmx_entry *e)
{
    for (size_t i = 0; i < row->broken_count; i++) {
        enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
        size_t count = vmx_rule_culprits(row->broken[i], e, fields);
        bool touched = changes_processor(row);
        assert_in_range(count, 1, VMX_RULE_MAX_FIELDS);
        for (size_t f = 0; f < count; f++) {
            touched |= changes_field(row, fields[f]);
        }
        if (!touched) {
            fail_msg("%s shows none of the fields that were changed", vmx_rules[row->broken[i]].id);
        }
    }
}

static void breaks(void **state)
{
    const struct rule_case *row = *state;
    struct rig r;
    rig_init(&r, row);
    check_rules(row, &r.entry);
    check_shown(row, &r.entry);
    rig_fini(&r);
}

static void holds(void **state)
{
    const struct rule_case *row = *state;
    struct rig r;
    rig_init(&r, row);
    check_rules(row, &r.entry);
    rig_fini(&r);
}

/* ---- The table as a whole ---- */

static void every_rule_holds_on_the_baselines(void **state)
{
    (void)state;
    for (int base = 0; base < BASELINES; base++) {
        const struct rule_case row = {baseline_names[base], (enum baseline)base, {{OP_NONE, 0, 0}}, {0}, 0};
        struct rig r;
        rig_init(&r, &row);
        print_message("%s\n", row.name);
        check_rules(&row, &r.entry);
    }
}

static void every_rule_is_broken_alone(void **state)
{
    (void)state;
    unsigned missing = 0;
    for (int rule = 0; rule < VMX_RULES; rule++) {
        bool found = false;
        for (size_t i = 0; i < rule_breaking_count; i++) {
            found |= rule_breaking[i].broken_count == 1 && rule_breaking[i].broken[0] == (enum vmx_rule_id)rule;
        }
        if (!found) {
            print_message("entry_rule_cases.def has no case of %s\n", vmx_rules[rule].id);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

/* A violation that nobody can act on is no help: fields, a section and a sentence. */
static void every_rule_can_be_shown(void **state)
{
    (void)state;
    for (int rule = 0; rule < VMX_RULES; rule++) {
        enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
        size_t count = vmx_rule_fields((enum vmx_rule_id)rule, fields);
        assert_in_range(count, 1, VMX_RULE_MAX_FIELDS);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < i; j++) {
                assert_int_not_equal(fields[i], fields[j]);
            }
        }
        assert_int_equal(strncmp(vmx_rules[rule].section, "27.", 3), 0);
        assert_true(strlen(vmx_rules[rule].rule) > 10);
    }
}

/* Areas and sections do not interleave: 27.2.1 is of controls, 27.2.2 to 27.2.4 of the host, 27.3 of the guest. */
static void the_order_is_the_manuals(void **state)
{
    (void)state;
    for (int rule = 0; rule < VMX_RULES; rule++) {
        const struct vmx_rule *r = &vmx_rules[rule];
        enum vmx_area area = strncmp(r->section, "27.2.1", 6) == 0 ? VMX_AREA_CONTROLS :
                             strncmp(r->section, "27.2.", 5) == 0 ? VMX_AREA_HOST : VMX_AREA_GUEST;
        assert_int_equal(r->area, area);
        assert_true(rule == 0 || strcmp(vmx_rules[rule - 1].section, r->section) <= 0);
        assert_true(r->qualification == 0 || area == VMX_AREA_GUEST);
    }
}

/* SDM 27.8: 2 for PDPTEs, 3 for an NMI with blocking by STI, 4 for the link pointer. */
static void qualifications_are_the_manuals(void **state)
{
    (void)state;
    for (int rule = 0; rule < VMX_RULES; rule++) {
        uint64_t expected = rule == VMX_RULE_guest_pdptes ? 2 : rule == VMX_RULE_interruptibility_nmi_sti ? 3 :
                            strncmp(vmx_rules[rule].id, "link_pointer_", 13) == 0 ? 4 : 0;
        assert_int_equal(vmx_rules[rule].qualification, expected);
    }
}

/* Of a rule that says the same of several fields, only those that break it are blamed. */
static void culprits_are_told_apart(void **state)
{
    (void)state;
    struct vmx_entry e;
    struct vmx_caps caps;
    enum vmcs_index fields[VMX_RULE_MAX_FIELDS];
    baseline_init(BASE_LONG, &e, &caps);
    e.fields[VMCS_INDEX_guest_ds_limit] = 0x12345;
    assert_int_equal(vmx_rule_culprits(VMX_RULE_guest_segment_g, &e, fields), 2);
    assert_int_equal(fields[0], VMCS_INDEX_guest_ds_access_rights);
    assert_int_equal(fields[1], VMCS_INDEX_guest_ds_limit);
    e.fields[VMCS_INDEX_host_gs_selector] = 3;
    e.fields[VMCS_INDEX_host_ds_selector] = 4;
    assert_int_equal(vmx_rule_culprits(VMX_RULE_host_selector_rpl, &e, fields), 2);
    assert_int_equal(fields[0], VMCS_INDEX_host_ds_selector);
    assert_int_equal(fields[1], VMCS_INDEX_host_gs_selector);
}

/* Whatever is in the fields, each rule has an answer, with memory and without. */
static void any_bits_have_an_answer(void **state)
{
    (void)state;
    struct rig r;
    const struct rule_case row = {"any", BASE_LONG, {{OP_MEMORY, 0, 0}}, {0}, 0};
    uint64_t random = 1;
    unsigned entered = 0;
    rig_init(&r, &row);
    for (unsigned run = 0; run < 2000; run++) {
        for (int i = 0; i < VMCS_FIELDS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            r.entry.fields[i] = random >> (run % 64) & vmcs_width_mask(vmcs_encoding_width(vmcs_fields[i].encoding));
        }
        r.entry.memory = run % 2 == 0 ? &r.memory : NULL;
        r.entry.smm = run % 3 == 0;
        bool ok = true;
        for (int area = 0; area < VMX_AREAS; area++) {
            ok = vmx_entry_check(&r.entry, (enum vmx_area)area) == NULL && ok;
        }
        entered += ok;
    }
    rig_fini(&r);
    assert_int_equal(entered, 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(every_rule_holds_on_the_baselines), cmocka_unit_test(every_rule_is_broken_alone),
        cmocka_unit_test(every_rule_can_be_shown),           cmocka_unit_test(the_order_is_the_manuals),
        cmocka_unit_test(qualifications_are_the_manuals),    cmocka_unit_test(culprits_are_told_apart),
        cmocka_unit_test(any_bits_have_an_answer),
    };
    struct CMUnitTest *broken = calloc(rule_breaking_count, sizeof(*broken));
    struct CMUnitTest *held = calloc(rule_holding_count, sizeof(*held));
    gtest_rows(broken, breaks, rule_breaking, sizeof(rule_breaking[0]), rule_breaking_count);
    gtest_rows(held, holds, rule_holding, sizeof(rule_holding[0]), rule_holding_count);
    const struct gtest_suite suites[] = {
        GTEST_SUITE("EntryRules", plain),
        {.name = "EntryRuleBreaks", .tests = broken, .count = rule_breaking_count},
        {.name = "EntryRuleHolds", .tests = held, .count = rule_holding_count},
    };
    int result = gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
    free(held);
    free(broken);
    return result;
}
