/* SPDX-License-Identifier: MIT */
/* The small layer of the library: create, map, run. */
#include "rig.h"

static void cpuid_and_hlt_exit(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {
        {.op = HV_OP_mov, .reg = HV_RAX, .value = 0x40000000}, {.op = HV_OP_cpuid}, {.op = HV_OP_hlt},
    };
    struct rig r;
    rig_init(&r);
    rig_program(&r, program, 3);
    struct hv_vm_exit exit = rig_expect(&r, HV_EXIT_cpuid);
    assert_string_equal(hv_exit_name(exit.reason), "cpuid");
    assert_int_equal(exit.length, 2);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_RAX), 0x40000000);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_RIP), hv_program_address(RIG_CODE, program, 1));
    hv_vcpu_skip(r.vcpu);
    rig_expect(&r, HV_EXIT_hlt);
    rig_fini(&r);
}

static void registers_are_the_guests_own(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_vmcall}, {.op = HV_OP_vmcall}};
    struct rig r;
    rig_init(&r);
    rig_program(&r, program, 2);
    hv_set(r.cpu, HV_RBX, 77);
    for (enum hv_register i = HV_RAX; i <= HV_R15; i++) {
        hv_vcpu_set(r.vcpu, i, 1000 + i);
    }
    rig_expect(&r, HV_EXIT_vmcall);
    assert_int_equal(hv_get(r.cpu, HV_RBX), 77);
    for (enum hv_register i = HV_RAX; i <= HV_R15; i++) {
        assert_int_equal(hv_vcpu_get(r.vcpu, i), 1000 + i);
    }
    rig_fini(&r);
}

static void memory_goes_through_ept(void **state)
{
    (void)state;
    struct rig r;
    uint64_t value = UINT64_C(0x1122334455667788), back = 0;
    rig_init(&r);
    assert_true(hv_vm_write(r.vm, 0x1ffc, &value, 8)); /* over two pages */
    assert_true(hv_vm_read(r.vm, 0x1ffc, &back, 8));
    assert_int_equal(back, value);
    assert_true(hv_vm_read(r.vm, RIG_MEMORY - 8, &back, 8));
    assert_false(hv_vm_read(r.vm, RIG_MEMORY - 4, &back, 8));
    assert_false(hv_vm_write(r.vm, RIG_MEMORY - 4, &value, 8));
    assert_false(hv_vm_read(r.vm, UINT64_MAX - 3, &back, 8));
    assert_false(hv_vm_write(r.vm, UINT64_C(1) << 48, &value, 8));
    assert_true(hv_vm_read(r.vm, UINT64_MAX, &back, 0));
    rig_fini(&r);
}

static void map_refuses(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    assert_false(hv_vm_map(r.vm, 1, 4096, HV_PROT_ALL));
    assert_false(hv_vm_map(r.vm, 0, 4097, HV_PROT_ALL));
    assert_false(hv_vm_map(r.vm, 0, 4096, 8));
    assert_false(hv_vm_map(r.vm, UINT64_C(1) << 48, 4096, HV_PROT_ALL));
    assert_false(hv_vm_map(r.vm, UINT64_MAX - 4095, 8192, HV_PROT_ALL));
    assert_false(hv_vm_map(r.vm, 0, UINT64_C(1) << 30, HV_PROT_ALL)); /* more than the machine has */
    assert_false(hv_vm_map_linear(r.vm, 5, 0, 4096));
    assert_false(hv_vm_map_linear(r.vm, 0, 5, 4096));
    assert_false(hv_vm_map_linear(r.vm, 0, 0, 5));
    rig_fini(&r);
}

/* Without the right to write, a store is an EPT violation that says so; with it, the store is done. */
static void protection_exits(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {
        {.op = HV_OP_store, .reg = HV_RAX, .address = 0x5008, .size = 8}, {.op = HV_OP_hlt},
    };
    struct rig r;
    uint64_t value = 0;
    rig_init(&r);
    assert_true(hv_vm_map(r.vm, 0x5000, 4096, HV_PROT_READ));
    rig_program(&r, program, 2);
    hv_vcpu_set(r.vcpu, HV_RAX, 99);
    struct hv_vm_exit exit = rig_expect(&r, HV_EXIT_ept_violation);
    assert_int_equal(exit.gpa, 0x5008);
    assert_int_equal(exit.gva, 0x5008);
    assert_int_equal(exit.qualification & 2, 2);       /* a write */
    assert_int_equal(exit.qualification >> 3 & 7, 1); /* of what could be read only */
    assert_true(hv_vm_map(r.vm, 0x5000, 4096, HV_PROT_ALL));
    rig_expect(&r, HV_EXIT_hlt);
    assert_true(hv_vm_read(r.vm, 0x5008, &value, 8));
    assert_int_equal(value, 99);
    rig_fini(&r);
}

/* A VM has nothing: the first access is an EPT violation, of the guest's page tables. */
static void a_vm_without_memory(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_load, .address = 0x5000, .size = 8}};
    struct rig r;
    struct hv_vm_exit exit;
    rig_init(&r);
    struct hv_vm *empty = hv_vm_new(r.machine);
    struct hv_vcpu *v = hv_vcpu_new(empty, r.cpu);
    assert_true(hv_vcpu_program(v, RIG_CODE, program, 1));
    hv_vcpu_set(v, HV_RIP, RIG_CODE);
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_ept_violation);
    hv_vm_free(empty);
    rig_fini(&r);
}

/* Each of many VMs on one processor sees its own memory and its own registers. */
static void many_vms_on_a_processor(void **state)
{
    (void)state;
    enum { VMS = 20 };
    static const struct hv_operation program[] = {
        {.op = HV_OP_load, .reg = HV_RBX, .address = 0x3000, .size = 8}, {.op = HV_OP_vmcall},
        {.op = HV_OP_load, .reg = HV_RCX, .address = 0x3000, .size = 8}, {.op = HV_OP_hlt},
    };
    struct hv_machine *m = rig_machine();
    struct hv_vm *vms[VMS];
    struct hv_vcpu *v[VMS];
    struct hv_vm_exit exit;
    for (uint64_t i = 0; i < VMS; i++) {
        uint64_t value = 500 + i;
        vms[i] = hv_vm_new(m);
        assert_true(hv_vm_map(vms[i], 0, 0x4000, HV_PROT_ALL) && hv_vm_map_linear(vms[i], 0, 0, 0x4000));
        assert_true(hv_vm_write(vms[i], 0x3000, &value, 8));
        v[i] = hv_vcpu_new(vms[i], hv_machine_cpu(m, i % 2));
        assert_non_null(v[i]);
        assert_true(hv_vcpu_program(v[i], RIG_CODE, program, 4));
        hv_vcpu_set(v[i], HV_RIP, RIG_CODE);
    }
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < VMS; i++) {
            assert_int_equal(hv_vcpu_run(v[i], &exit), HV_EXITED);
            assert_int_equal(exit.reason, round == 0 ? HV_EXIT_vmcall : HV_EXIT_hlt);
            assert_int_equal(hv_vcpu_get(v[i], round == 0 ? HV_RBX : HV_RCX), 500 + i);
            hv_vcpu_skip(v[i]);
        }
    }
    for (unsigned i = 0; i < VMS; i++) {
        hv_vm_free(vms[i]);
    }
    hv_machine_free(m);
}

/* The VM's page tables are there from the first run on, but for a CR3 that the user or the guest chose. */
static void cr3_is_kept(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_vmcall}, {.op = HV_OP_vmcall}};
    struct rig r;
    rig_init(&r);
    rig_program(&r, program, 2);
    rig_expect(&r, HV_EXIT_vmcall);
    assert_int_not_equal(hv_vcpu_field(r.vcpu, HV_VMCS_guest_cr3), 0);
    assert_true(hv_vcpu_set_field(r.vcpu, HV_VMCS_guest_cr3, 0x7000));
    hv_vcpu_skip(r.vcpu);
    rig_expect(&r, HV_EXIT_vmcall);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_CR3), 0x7000);
    assert_false(hv_vcpu_set_field(r.vcpu, 0xffff, 1));
    assert_int_equal(hv_vcpu_field(r.vcpu, 0xffff), 0);
    rig_fini(&r);
}

/* HLT without an exit: nothing will wake the guest, until an interrupt comes, which exits. */
static void an_idle_guest_goes_on(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_hlt}, {.op = HV_OP_vmcall}};
    struct rig r;
    struct hv_vm_exit exit;
    rig_init(&r);
    rig_program(&r, program, 2);
    uint64_t controls = hv_vcpu_field(r.vcpu, HV_VMCS_primary_controls);
    hv_vcpu_set_field(r.vcpu, HV_VMCS_primary_controls, controls & ~HV_BIT(HV_CONTROL_PRIMARY_hlt_exiting));
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_IDLE);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_RIP), hv_program_address(RIG_CODE, program, 1));
    hv_interrupt(r.cpu, 0x40);
    exit = rig_expect(&r, HV_EXIT_external_interrupt);
    assert_int_equal(exit.interruption & 255, 0x40);
    hv_vcpu_set_field(r.vcpu, HV_VMCS_guest_activity_state, 0);
    rig_expect(&r, HV_EXIT_vmcall);
    rig_fini(&r);
}

static void a_program_that_is_over(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_nop}, {.op = HV_OP_nop}};
    struct rig r;
    struct hv_vm_exit exit;
    rig_init(&r);
    rig_program(&r, program, 2);
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_PROGRAM_OVER);
    assert_int_equal(hv_vcpu_get(r.vcpu, HV_RIP), hv_program_address(RIG_CODE, program, 2));
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_PROGRAM_OVER); /* and again */
    hv_vcpu_set(r.vcpu, HV_RIP, 0xdead);
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_PROGRAM_OVER);
    hv_vcpu_set(r.vcpu, HV_RIP, RIG_CODE + 1); /* in the list, or behind what is one byte long */
    hv_vcpu_run(r.vcpu, &exit);
    rig_fini(&r);
}

static void what_is_missing_is_refused(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r);
    assert_null(hv_vcpu_new(r.vm, hv_machine_cpu(r.machine, 2)));
    assert_null(hv_vcpu_new(NULL, r.cpu));
    while (hv_pages(r.machine, 1) != HV_NO_MEMORY) {
    }
    assert_null(hv_vm_new(r.machine));
    assert_null(hv_vcpu_new(r.vm, r.cpu));
    assert_false(hv_vm_map(r.vm, UINT64_C(1) << 30, 4096, HV_PROT_ALL));
    hv_vm_free(NULL);
    rig_fini(&r);
}

GTEST_MAIN("SmallLayer", cmocka_unit_test(cpuid_and_hlt_exit), cmocka_unit_test(registers_are_the_guests_own),
           cmocka_unit_test(memory_goes_through_ept), cmocka_unit_test(map_refuses),
           cmocka_unit_test(protection_exits),
           cmocka_unit_test(a_vm_without_memory), cmocka_unit_test(many_vms_on_a_processor),
           cmocka_unit_test(cr3_is_kept), cmocka_unit_test(an_idle_guest_goes_on),
           cmocka_unit_test(a_program_that_is_over), cmocka_unit_test(what_is_missing_is_refused))
