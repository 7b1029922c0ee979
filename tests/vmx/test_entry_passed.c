/* SPDX-License-Identifier: MIT */
/*
 * Rules that are not asked again at a VM entry, because the last one passed with the same inputs: whatever was changed
 * in between, by VMWRITE, by ordinary stores to the region or to memory that fields point to, an entry ends as all
 * rules say.
 */
#include "gtest.h"

#include <string.h>

#include "base/rng.h"
#include "machine.h"
#include "rule_cases.h"

enum { ROUNDS = 30000, VALUES = 40 };

static bool all_rules_hold(const struct vmx_entry *e)
{
    for (int rule = 0; rule < VMX_RULES; rule++) {
        if (!vmx_rules[rule].holds(e)) {
            return false;
        }
    }
    return true;
}

static uint64_t mask_of(enum vmcs_index field)
{
    return vmcs_width_mask(vmcs_encoding_width(vmcs_fields[field].encoding));
}

/* Bits, small numbers, and anything. */
static uint64_t some_value(struct hv_rng *rng, uint64_t old)
{
    switch (rng_below(rng, 4)) {
    case 0: return old ^ UINT64_C(1) << rng_below(rng, 64);
    case 1: return rng_below(rng, 16);
    case 2: return UINT64_MAX << rng_below(rng, 64);
    default: return rng_next(rng);
    }
}

/* ---- What is left out ------------------------------------------------------------------------------------------- */

/* The cases of the rules' own tests: the baselines, and each rule broken and nearly so. */
static const struct rule_case *case_at(size_t i)
{
    return i < rule_breaking_count ? &rule_breaking[i] : &rule_holding[i - rule_breaking_count];
}

static void check_same(const struct vmx_entry *before, const struct vmx_entry *after, const char *what)
{
    for (int rule = 0; rule < VMX_RULES; rule++) {
        if (!vmx_entry_asks((enum vmx_rule_id)rule) && vmx_rules[rule].holds(before) != vmx_rules[rule].holds(after)) {
            fail_msg("%s looks at %s", vmx_rules[rule].id, what);
        }
    }
}

/* No rule that is not asked each time looks at a field that is not compared. */
static void fields_that_are_not_compared_decide_nothing(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 3);
    for (size_t i = 0; i < rule_breaking_count + rule_holding_count; i++) {
        struct rig r;
        rig_init(&r, case_at(i));
        for (int field = 0; field < VMCS_FIELDS; field++) {
            for (int n = 0; n < VALUES && !vmx_entry_compares((enum vmcs_index)field); n++) {
                struct vmx_entry other = r.entry;
                other.fields[field] = some_value(&rng, other.fields[field]) & mask_of((enum vmcs_index)field);
                check_same(&r.entry, &other, vmcs_fields[field].name);
            }
        }
        rig_fini(&r);
    }
}

/* The same of memory: what rules find where fields point to may have changed since the last entry. */
static void memory_decides_only_what_is_asked(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 0x20, 0x01};
    struct hv_err err = {""};
    struct physmem zeros, others;
    assert_true(physmem_init(&zeros, RIG_MEMORY_BYTES, &err) && physmem_init(&others, RIG_MEMORY_BYTES, &err));
    for (size_t n = 0; n < HV_ARRAY_LEN(bytes); n++) {
        memset(others.bytes, bytes[n], RIG_MEMORY_BYTES);
        for (size_t i = 0; i < rule_breaking_count + rule_holding_count; i++) {
            struct rig r;
            rig_init(&r, case_at(i));
            struct vmx_entry before = r.entry, after = r.entry;
            before.memory = &zeros;
            after.memory = &others;
            check_same(&before, &after, "memory");
            rig_fini(&r);
        }
    }
    physmem_fini(&zeros);
    physmem_fini(&others);
}

/* ---- Random changes --------------------------------------------------------------------------------------------- */

/* A VMWRITE of any field, an ordinary store to the region, or one to the page where the virtual APIC may be. */
static void change_something(struct machine *m, struct hv_rng *rng)
{
    enum vmcs_index field = (enum vmcs_index)rng_below(rng, VMCS_FIELDS);
    const struct vmcs *v = &m->p.vmx.current;
    switch (rng_below(rng, 8)) {
    case 0: physmem_write64(&m->memory, (hv_hpa){v->address + 16 + 8 * (uint64_t)field}, rng_next(rng)); break;
    case 1: physmem_write64(&m->memory, (hv_hpa){OTHER_AT + 0x80}, rng_below(rng, 256)); break;
    default: machine_vmwrite(&m->p, vmcs_fields[field].encoding, some_value(rng, vmcs_get(v, field))); break;
    }
}

/* Brings the fields back to where they were, all but a few of those that change anyway. */
static void restore(struct machine *m, const struct vmx_entry *e, struct hv_rng *rng)
{
    for (int field = 0; field < VMCS_FIELDS; field++) {
        if (vmx_entry_compares((enum vmcs_index)field) || rng_below(rng, 2) == 0) {
            vmcs_set(&m->p.vmx.current, (enum vmcs_index)field, e->fields[field]);
        }
    }
}

static struct vmx_entry entry_of(struct machine *m)
{
    struct vmx_entry e = {
        .caps = &m->p.vmx.caps, .memory = &m->memory, .current_vmcs = m->p.vmx.current.address,
        .host_long_mode = cpu_long_mode(&m->p.state),
    };
    vmx_entry_read(&e, &m->p.vmx.current);
    return e;
}

/* Which error VMRESUME ends with, or 0 for an entry or a failure after the checks, is what the rules say. */
static void check_resume(struct machine *m)
{
    struct vmx_entry e = entry_of(m);
    bool controls = vmx_entry_check(&e, VMX_AREA_CONTROLS) == NULL, host = vmx_entry_check(&e, VMX_AREA_HOST) == NULL;
    bool guest = vmx_entry_check(&e, VMX_AREA_GUEST) == NULL;
    int end = machine_do(&m->p, CPU_OP_vmresume, 0);
    if (!controls || !host) {
        assert_int_equal(end, CPU_COMPLETED);
        assert_int_equal(VMCS_GET(&m->p.vmx.current, vm_instruction_error),
                         controls ? VMX_ERROR_entry_invalid_host_state : VMX_ERROR_entry_invalid_controls);
    } else if (!guest) {
        assert_true(end == CPU_EXITED || end == CPU_STOPPED); /* the host's MSR list may be bad: a VMX abort */
        assert_int_equal(m->p.vmx.exit.reason & UINT16_MAX, VMX_EXIT_entry_failure_guest_state);
    } else {
        assert_true(end == CPU_ENTERED || end == CPU_EXITED || end == CPU_STOPPED);
        assert_true(m->p.vmx.non_root || (m->p.vmx.exit.reason & UINT16_MAX) != VMX_EXIT_entry_failure_guest_state);
    }
}

/* In root operation after an entry that has passed, with a virtual APIC whose priority the threshold depends on. */
static struct machine *machine_after(enum baseline base, struct vmx_entry *e)
{
    struct machine *m = machine_new(NULL);
    struct vmx_caps caps;
    baseline_init(base, e, &caps);
    e->fields[VMCS_INDEX_primary_controls] |= VMX_CONTROL(PRIMARY, use_tpr_shadow);
    e->fields[VMCS_INDEX_virtual_apic_address] = OTHER_AT;
    machine_root(m);
    if (!e->host_long_mode) {
        machine_ready_32_bit(&m->p);
    }
    machine_load_entry(&m->p, VMCS_AT, e);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    *e = entry_of(m);
    return m;
}

/*
 * An entry that the last one stands for breaks no rule, and the processor ends each as the rules say. The changes of a
 * round are taken back afterwards, so that most rounds begin with an entry that has passed.
 */
static void random_changes_are_found(void **state)
{
    const char *const *name = *state;
    enum baseline base = (enum baseline)(name - baseline_names);
    struct hv_rng rng;
    struct vmx_entry passed;
    struct machine *m = machine_after(base, &passed);
    unsigned again = 0, broken = 0;
    rng_init(&rng, base);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint64_t changes = rng_below(&rng, 3); changes > 0; changes--) {
            change_something(m, &rng);
        }
        struct vmx_entry e = entry_of(m);
        bool holds = all_rules_hold(&e);
        if (vmx_entry_passes_again(&m->p.vmx.passed, &e)) {
            assert_true(holds);
            again++;
        }
        broken += !holds;
        struct processor before = m->p;
        check_resume(m);
        struct vmx_entry_passed noted = m->p.vmx.passed;
        m->p = before; /* also from a VM exit, a shutdown, a guest */
        m->p.vmx.passed = noted;
        restore(m, &passed, &rng);
        vmcs_set_launch_state(&m->p.vmx.current, VMCS_LAUNCHED);
        physmem_write64(&m->memory, (hv_hpa){OTHER_AT + 0x80}, 0);
    }
    assert_true(again > ROUNDS / 10);
    assert_true(broken > ROUNDS / 10);
    machine_free(m);
}

/* ---- One change of each kind ------------------------------------------------------------------------------------ */

static void check_error(struct machine *m, uint64_t error)
{
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_COMPLETED);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, vm_instruction_error), error);
}

static void check_enters(struct machine *m)
{
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
}

static void each_change_is_found_at_once(void **state)
{
    (void)state;
    struct vmx_entry e;
    struct machine *m = machine_after(BASE_LONG, &e);
    check_enters(m);
    machine_vmwrite(&m->p, VMCS_host_cs_selector, 1);
    check_error(m, VMX_ERROR_entry_invalid_host_state);
    machine_vmwrite(&m->p, VMCS_host_cs_selector, e.fields[VMCS_INDEX_host_cs_selector]);
    check_enters(m);
    VMCS_SET(&m->p.vmx.current, cr3_target_count, 99); /* an ordinary store */
    check_error(m, VMX_ERROR_entry_invalid_controls);
    VMCS_SET(&m->p.vmx.current, cr3_target_count, 0);
    check_enters(m);
    machine_vmwrite(&m->p, VMCS_tpr_threshold, 1); /* above the priority in memory, 0 */
    check_error(m, VMX_ERROR_entry_invalid_controls);
    physmem_write64(&m->memory, (hv_hpa){OTHER_AT + 0x80}, 0x20);
    check_enters(m);
    physmem_write64(&m->memory, (hv_hpa){OTHER_AT + 0x80}, 0);
    check_error(m, VMX_ERROR_entry_invalid_controls);
    machine_vmwrite(&m->p, VMCS_tpr_threshold, 0);
    check_enters(m);
    machine_vmwrite(&m->p, VMCS_guest_rip, UINT64_C(1) << 60);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_EXITED);
    assert_int_equal(VMCS_GET(&m->p.vmx.current, exit_reason) & UINT16_MAX, VMX_EXIT_entry_failure_guest_state);
    machine_free(m);
}

/* A capability that is gone since the last entry, which no silicon has: the processor is an input, too. */
static void a_processor_that_has_changed_is_found(void **state)
{
    (void)state;
    struct vmx_entry e;
    struct machine *m = machine_after(BASE_LONG, &e);
    check_enters(m);
    m->p.vmx.caps.may[VMX_PRIMARY] &= ~VMX_CONTROL(PRIMARY, use_tpr_shadow);
    check_error(m, VMX_ERROR_entry_invalid_controls);
    machine_free(m);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(fields_that_are_not_compared_decide_nothing),
        cmocka_unit_test(memory_decides_only_what_is_asked),
        cmocka_unit_test(each_change_is_found_at_once),
        cmocka_unit_test(a_processor_that_has_changed_is_found),
    };
    static struct CMUnitTest random[BASE_32_BIT_HOST]; /* that one's first exit is a VMX abort: its PDPTEs are none */
    for (int base = 0; base < BASE_32_BIT_HOST; base++) {
        random[base] = (struct CMUnitTest){
            .name = baseline_names[base], .test_func = random_changes_are_found,
            .initial_state = (void *)(uintptr_t)&baseline_names[base],
        };
    }
    const struct gtest_suite suites[] = {GTEST_SUITE("EntryPassed", plain), GTEST_SUITE("EntryPassedRandom", random)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
