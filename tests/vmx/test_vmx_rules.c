/* SPDX-License-Identifier: MIT */
/*
 * Each rule of a VM entry, broken, leads through VMLAUNCH to what its row says: VMfail with error 7 or 8, or a VM exit
 * with reason 33 and the row's qualification.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "rule_cases.h"

enum { ERROR_CONTROLS = 7, ERROR_HOST = 8 };
#define REASON_GUEST 0x80000021u /* 33, VM-entry failure */

/* What a processor finds first, of the rules that the row breaks: areas in order. */
static const struct vmx_rule *first_broken(const struct rule_case *row)
{
    const struct vmx_rule *first = &vmx_rules[row->broken[0]];
    for (size_t i = 1; i < row->broken_count; i++) {
        const struct vmx_rule *other = &vmx_rules[row->broken[i]];
        first = other->area < first->area ? other : first;
    }
    return first;
}

static void apply_memory(struct machine *m, const struct rule_case *row)
{
    for (const struct change *c = row->changes; c < row->changes + CHANGES_MAX; c++) {
        if (c->operation == OP_MEMORY) {
            physmem_write64(&m->memory, (hv_hpa){(uint64_t)c->where}, c->value);
        }
    }
}

/* A processor that runs the host, with the capabilities and the VMCS of the row; the current VMCS where it says. */
static struct machine *machine_for(const struct rule_case *row)
{
    struct rig r;
    struct machine *m = machine_new(NULL);
    rig_init(&r, row);
    machine_root(m);
    if (!r.entry.host_long_mode) {
        machine_ready_32_bit(&m->p);
    }
    uint64_t at = r.entry.current_vmcs != VMCS_NONE ? r.entry.current_vmcs : VMCS_AT;
    machine_load_entry(&m->p, at, &r.entry);
    m->p.vmx.caps = r.caps;
    apply_memory(m, row);
    rig_fini(&r);
    return m;
}

static void launches_into_its_outcome(void **state)
{
    const struct rule_case *row = *state;
    const struct vmx_rule *rule = first_broken(row);
    if (rule_case_has(row, OP_SMM)) {
        skip(); /* the processor has no SMM */
    }
    struct machine *m = machine_for(row);
    int end = machine_do(&m->p, CPU_OP_vmlaunch, 0);
    const struct vmcs *v = &m->p.vmx.current;
    if (rule->area == VMX_AREA_GUEST) {
        assert_int_equal(end, CPU_EXITED);
        assert_int_equal(VMCS_GET(v, exit_reason), REASON_GUEST);
        assert_int_equal(VMCS_GET(v, exit_qualification), rule->qualification);
        assert_int_equal(m->p.state.rip, VMCS_GET(v, host_rip));
    } else {
        assert_int_equal(end, CPU_COMPLETED);
        assert_int_equal(machine_status(&m->p), STATUS_FAIL_VALID);
        assert_int_equal(VMCS_GET(v, vm_instruction_error),
                         rule->area == VMX_AREA_CONTROLS ? ERROR_CONTROLS : ERROR_HOST);
    }
    assert_false(m->p.vmx.non_root);
    assert_int_equal(vmcs_launch_state(v), VMCS_CLEAR);
    machine_free(m);
}

/* Only those that need SMM have no VMLAUNCH that breaks them. */
static void every_rule_but_those_of_smm_is_launched(void **state)
{
    (void)state;
    unsigned launched = 0, missing = 0;
    for (unsigned rule = 0; rule < VMX_RULES; rule++) {
        bool found = false, smm = false;
        for (size_t i = 0; i < rule_breaking_count; i++) {
            bool of_rule = rule_breaking[i].broken_count == 1 && rule_breaking[i].broken[0] == rule;
            found |= of_rule && !rule_case_has(&rule_breaking[i], OP_SMM);
            smm |= of_rule && rule_case_has(&rule_breaking[i], OP_SMM);
        }
        launched += found;
        missing += !found && !smm;
    }
    printf("coverage: VM-entry rules: %u of %u have a VMLAUNCH that breaks only them (the others need SMM)\n", launched, (unsigned)VMX_RULES);
    assert_int_equal(missing, 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {cmocka_unit_test(every_rule_but_those_of_smm_is_launched)};
    struct CMUnitTest *broken = calloc(rule_breaking_count, sizeof(*broken));
    gtest_rows(broken, launches_into_its_outcome, rule_breaking, sizeof(rule_breaking[0]), rule_breaking_count);
    const struct gtest_suite suites[] = {
        GTEST_SUITE("VmxRules", plain),
        {.name = "VmxRuleOutcomes", .tests = broken, .count = rule_breaking_count},
    };
    int result = gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
    free(broken);
    return result;
}
