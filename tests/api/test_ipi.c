/* SPDX-License-Identifier: MIT */
/* Two processors of a library machine exchange interprocessor interrupts by writes of their guests to the ICR. */
#include "gtest.h"

#include "api/hvsim.h"

enum {
    IPI_CYCLES = 100000, GDT = 0x8000, IDT = 0x9000, STACK = 0x7000, HANDLERS = 0x2000, HANDLER_BYTES = 0x100,
    PROGRAM = 0x1000,
    CODE_SELECTOR = 8, THERE = 0x41, BACK = 0x42, MSR_EOI = 0x80b, MSR_ICR = 0x830,
};

#define WRMSR(index, high, low)                                                                            \
    {.op = HV_OP_mov, .reg = HV_RCX, .value = (index)}, {.op = HV_OP_mov, .reg = HV_RDX, .value = (high)}, \
    {.op = HV_OP_mov, .reg = HV_RAX, .value = (low)}, {.op = HV_OP_wrmsr}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Sends, and halts until the answer. */
static const struct hv_operation sender[] = {
    WRMSR(MSR_ICR, 1, THERE), {.op = HV_OP_vmcall}, {.op = HV_OP_hlt}, {.op = HV_OP_vmcall},
};
static const struct hv_operation receiver[] = {{.op = HV_OP_hlt}, {.op = HV_OP_vmcall}};
static const struct hv_operation answer[] = {
    WRMSR(MSR_EOI, 0, 0), WRMSR(MSR_ICR, 0, BACK), {.op = HV_OP_mov, .reg = HV_R10, .value = THERE},
    {.op = HV_OP_iret},
};
static const struct hv_operation take[] = {
    WRMSR(MSR_EOI, 0, 0), {.op = HV_OP_mov, .reg = HV_R10, .value = BACK}, {.op = HV_OP_iret},
};

/* The guest's GDT and interrupt gates, which both processors use. */
static void write_tables(struct hv_vm *vm)
{
    const uint64_t code_and_data[2] = {0x00af9b000000ffff, 0x00cf93000000ffff};
    assert_true(hv_vm_write(vm, GDT + CODE_SELECTOR, code_and_data, sizeof(code_and_data)));
    for (uint64_t vector = THERE; vector <= BACK; vector++) {
        uint64_t handler = HANDLERS + (vector - THERE) * HANDLER_BYTES;
        uint64_t gate[2] = {handler | (uint64_t)CODE_SELECTOR << 16 | UINT64_C(0x8e) << 40, 0};
        assert_true(hv_vm_write(vm, IDT + 16 * vector, gate, sizeof(gate)));
    }
}

static void clear_bit(struct hv_vcpu *v, uint32_t field, enum hv_control bit)
{
    assert_true(hv_vcpu_set_field(v, field, hv_vcpu_field(v, field) & ~HV_BIT(bit)));
}

/* A virtual processor that takes its interrupts and reaches its APIC without VM exits. */
static struct hv_vcpu *new_vcpu(struct hv_machine *m, struct hv_vm *vm, unsigned cpu)
{
    struct hv_vcpu *v = hv_vcpu_new(vm, hv_machine_cpu(m, cpu));
    assert_non_null(v);
    clear_bit(v, HV_VMCS_pin_based_controls, HV_CONTROL_PIN_external_interrupt_exiting);
    clear_bit(v, HV_VMCS_primary_controls, HV_CONTROL_PRIMARY_hlt_exiting);
    uint64_t primary = hv_vcpu_field(v, HV_VMCS_primary_controls) | HV_BIT(HV_CONTROL_PRIMARY_use_msr_bitmaps);
    assert_true(hv_vcpu_set_field(v, HV_VMCS_primary_controls, primary));
    assert_true(hv_vcpu_set_field(v, HV_VMCS_msr_bitmaps, hv_pages(m, 1))); /* all 0: nothing exits */
    assert_true(hv_vcpu_set_field(v, HV_VMCS_guest_gdtr_base, GDT));
    assert_true(hv_vcpu_set_field(v, HV_VMCS_guest_gdtr_limit, 0xff));
    assert_true(hv_vcpu_set_field(v, HV_VMCS_guest_idtr_base, IDT));
    assert_true(hv_vcpu_set_field(v, HV_VMCS_guest_idtr_limit, 0xfff));
    hv_vcpu_set(v, HV_RSP, STACK - 0x800 * cpu);
    hv_vcpu_set(v, HV_RFLAGS, 0x202);
    hv_vcpu_set(v, HV_RIP, PROGRAM);
    return v;
}

static void run_to_vmcall(struct hv_vcpu *v)
{
    struct hv_vm_exit exit;
    enum hv_end end = hv_vcpu_run(v, &exit);
    if (end != HV_EXITED) {
        fail_msg("%s", hv_end_names[end]);
    }
    assert_string_equal(hv_exit_name(exit.reason), "vmcall");
    hv_vcpu_skip(v);
}

static void ipis_go_there_and_back(void **state)
{
    (void)state;
    char error[HV_ERROR_BYTES] = "";
    const char *settings[] = {"machine.cores=2", "machine.memory=64MiB", "apic.ipi_cycles=100000", NULL};
    struct hv_machine *m = hv_machine_new(NULL, settings, error);
    assert_non_null(m);
    struct hv_vm *vm = hv_vm_new(m);
    assert_true(hv_vm_map(vm, 0, 1 << 20, HV_PROT_ALL));
    assert_true(hv_vm_map_linear(vm, 0, 0, 1 << 20));
    write_tables(vm);
    struct hv_vcpu *a = new_vcpu(m, vm, 0), *b = new_vcpu(m, vm, 1);
    assert_true(hv_vcpu_program(a, PROGRAM, sender, COUNT(sender)));
    assert_true(hv_vcpu_program(a, HANDLERS + HANDLER_BYTES, take, COUNT(take)));
    assert_true(hv_vcpu_program(b, PROGRAM, receiver, COUNT(receiver)));
    assert_true(hv_vcpu_program(b, HANDLERS, answer, COUNT(answer)));

    run_to_vmcall(a);
    assert_true(hv_now(hv_machine_cpu(m, 0)) < IPI_CYCLES);
    run_to_vmcall(b); /* halts until the message arrives */
    assert_int_equal(hv_vcpu_get(b, HV_R10), THERE);
    assert_in_range(hv_now(hv_machine_cpu(m, 1)), IPI_CYCLES, 2 * IPI_CYCLES - 1);
    run_to_vmcall(a);
    assert_int_equal(hv_vcpu_get(a, HV_R10), BACK);
    assert_in_range(hv_now(hv_machine_cpu(m, 0)), 2 * IPI_CYCLES, 3 * IPI_CYCLES - 1);
    hv_vm_free(vm);
    hv_machine_free(m);
}

/* A hypervisor that does not end an interrupt gets no more of its priority; one that does, does. */
static void an_interrupt_waits_for_the_eoi(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {{.op = HV_OP_hlt}};
    char error[HV_ERROR_BYTES] = "";
    struct hv_vm_exit exit;
    struct hv_machine *m = hv_machine_new(NULL, (const char *[]){"machine.memory=64MiB", NULL}, error);
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    struct hv_vm *vm = hv_vm_new(m);
    assert_true(hv_vm_map(vm, 0, 1 << 20, HV_PROT_ALL));
    assert_true(hv_vm_map_linear(vm, 0, 0, 1 << 20));
    struct hv_vcpu *v = hv_vcpu_new(vm, cpu);
    assert_true(hv_vcpu_program(v, PROGRAM, program, 1));
    hv_vcpu_set(v, HV_RIP, PROGRAM);
    hv_interrupt(cpu, THERE);
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_external_interrupt);
    assert_int_equal(exit.interruption & 0xff, THERE);
    hv_interrupt(cpu, THERE);
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_hlt);
    hv_eoi(cpu);
    assert_int_equal(hv_vcpu_run(v, &exit), HV_EXITED);
    assert_int_equal(exit.reason, HV_EXIT_external_interrupt);
    hv_vm_free(vm);
    hv_machine_free(m);
}

GTEST_MAIN("ApiInterrupts", cmocka_unit_test(ipis_go_there_and_back), cmocka_unit_test(an_interrupt_waits_for_the_eoi))
