/* SPDX-License-Identifier: MIT */
/* check.vmx: mistakes with VMCSs are named, and correct use of them is none. */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* Two processors of one machine that are watched, both in root operation. */
struct pair {
    struct machine *m;
    struct processor second;
    struct vmx_watch *watch;
    struct vmx_entry entry;
};

static void pair_init(struct pair *t)
{
    struct vmx_caps caps;
    struct vmcs region = {NULL, OTHER_AT};
    t->m = machine_new(NULL);
    t->watch = t->m->p.watch = vmx_watch_new();
    region.memory = &t->m->memory;
    baseline_init(BASE_LONG, &t->entry, &caps);
    machine_root(t->m);
    machine_second(t->m, &t->second);
    machine_ready(&t->second);
    vmcs_set_revision(&region, VMCS_REVISION);
    assert_int_equal(machine_do(&t->second, CPU_OP_vmxon, OTHER_AT), CPU_COMPLETED);
    assert_true(t->second.vmx.on);
}

static void pair_fini(struct pair *t)
{
    vmx_watch_free(t->watch);
    machine_free(t->m);
}

/* By VMWRITE, as software should; a wrong field would be the entry's business. */
static void write_fields(struct processor *p, const struct vmx_entry *e)
{
    for (int i = 0; i < VMCS_FIELDS; i++) {
        machine_vmwrite(p, vmcs_fields[i].encoding, e->fields[i]);
    }
}

static void expect(const struct pair *t, enum vmx_mistake mistake, uint64_t count)
{
    for (unsigned i = 0; i < VMX_MISTAKES; i++) {
        print_message("%s\n", vmx_mistake_names[i]);
        assert_int_equal(vmx_watch_count(t->watch, (enum vmx_mistake)i), i == mistake ? count : 0);
    }
}

/* The one sentence has these words. */
static void expect_words(const struct pair *t, const char *words)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(vmx_watch_report(t->watch, out), 1);
    fclose(out);
    print_message("%s", text);
    assert_non_null(strstr(text, words));
    free(text);
}

static void correct_use_is_no_mistake(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    struct processor *p = &t.m->p;
    machine_load_vmcs(p, VMCS_AT);
    write_fields(p, &t.entry);
    assert_int_equal(machine_do(p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    VMCS_SET(&p->vmx.current, pml_index, 17); /* as the processor does when it logs */
    assert_int_equal(machine_exit(p), CPU_EXITED);
    assert_int_equal(machine_do(p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(p), CPU_EXITED);
    assert_int_equal(machine_do(p, CPU_OP_vmclear, VMCS_AT), CPU_COMPLETED);
    machine_load_vmcs(&t.second, VMCS_AT);
    assert_int_equal(machine_do(&t.second, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    assert_int_equal(machine_exit(&t.second), CPU_EXITED);
    assert_int_equal(machine_do(&t.second, CPU_OP_vmclear, VMCS_AT), CPU_COMPLETED);
    assert_int_equal(machine_do(p, CPU_OP_vmxoff, 0), CPU_COMPLETED);
    expect(&t, VMX_MISTAKES, 0);
    pair_fini(&t);
}

static void a_vmcs_on_two_processors(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    assert_int_equal(machine_do(&t.second, CPU_OP_vmptrld, VMCS_AT), CPU_COMPLETED);
    expect(&t, VMX_MISTAKE_ACTIVE_ELSEWHERE, 1);
    expect_words(&t, "processor 1, cycle 100000: VMPTRLD of the VMCS at 0xc1000, which is active on processor 0");
    pair_fini(&t);
}

static void vmclear_on_the_wrong_processor(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    assert_int_equal(machine_do(&t.second, CPU_OP_vmclear, VMCS_AT), CPU_COMPLETED);
    expect(&t, VMX_MISTAKE_ACTIVE_ELSEWHERE, 1);
    pair_fini(&t);
}

static void an_ordinary_store_is_seen(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    write_fields(&t.m->p, &t.entry);
    VMCS_SET(&t.m->p.vmx.current, guest_rip, 0x1234);
    (void)machine_vmread(&t.m->p, VMCS_guest_rsp);
    expect(&t, VMX_MISTAKE_STORED, 1);
    expect_words(&t, "changed by an ordinary store (guest_rip)");
    (void)machine_vmread(&t.m->p, VMCS_guest_rsp); /* told once */
    expect(&t, VMX_MISTAKE_STORED, 1);
    pair_fini(&t);
}

static void a_store_while_the_guest_runs_is_seen(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    write_fields(&t.m->p, &t.entry);
    assert_int_equal(machine_do(&t.m->p, CPU_OP_vmlaunch, 0), CPU_ENTERED);
    VMCS_SET(&t.m->p.vmx.current, exception_bitmap, 2);
    assert_int_equal(machine_exit(&t.m->p), CPU_EXITED);
    expect(&t, VMX_MISTAKE_STORED, 1);
    pair_fini(&t);
}

static void a_store_to_the_header_is_seen(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    vmcs_set_launch_state(&t.m->p.vmx.current, VMCS_LAUNCHED);
    (void)machine_vmread(&t.m->p, VMCS_guest_rsp);
    expect(&t, VMX_MISTAKE_STORED, 1);
    expect_words(&t, "its header");
    pair_fini(&t);
}

static void a_region_that_was_never_cleared(void **state)
{
    (void)state;
    struct pair t;
    struct vmcs region;
    pair_init(&t);
    region = (struct vmcs){&t.m->memory, VMCS_AT};
    vmcs_set_revision(&region, VMCS_REVISION);
    assert_int_equal(machine_do(&t.m->p, CPU_OP_vmptrld, VMCS_AT), CPU_COMPLETED);
    expect(&t, VMX_MISTAKE_NEVER_CLEARED, 1);
    expect_words(&t, "never initialized by VMCLEAR");
    pair_fini(&t);
}

static void vmxoff_with_a_vmcs_left_active(void **state)
{
    (void)state;
    struct pair t;
    pair_init(&t);
    machine_load_vmcs(&t.m->p, VMCS_AT);
    machine_load_vmcs(&t.m->p, SHADOW_AT);
    assert_int_equal(machine_do(&t.m->p, CPU_OP_vmclear, VMCS_AT), CPU_COMPLETED);
    assert_int_equal(machine_do(&t.m->p, CPU_OP_vmxoff, 0), CPU_COMPLETED);
    expect(&t, VMX_MISTAKE_LEFT_ACTIVE, 1);
    expect_words(&t, "VMXOFF while the VMCS at 0xc3000 is active");
    pair_fini(&t);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(correct_use_is_no_mistake),
        cmocka_unit_test(a_vmcs_on_two_processors),
        cmocka_unit_test(vmclear_on_the_wrong_processor),
        cmocka_unit_test(an_ordinary_store_is_seen),
        cmocka_unit_test(a_store_while_the_guest_runs_is_seen),
        cmocka_unit_test(a_store_to_the_header_is_seen),
        cmocka_unit_test(a_region_that_was_never_cleared),
        cmocka_unit_test(vmxoff_with_a_vmcs_left_active),
    };
    return gtest_main(argc, argv, "VmxWatch", tests, HV_ARRAY_LEN(tests));
}
