/* SPDX-License-Identifier: MIT */
/* A device of a library machine interrupts through the I/O APIC: it is programmed, a pin moves, a guest exits. */
#include "rig.h"

enum {
    VECTOR = 0x61, PIN = 5, ENTRY = 0x10 + 2 * PIN, PINS = 24,
    LEVEL = 1 << 15, REMOTE_IRR = 1 << 14, MASKED = 1 << 16, BUS_CYCLES = 1000,
};

static const struct hv_operation sleeper[] = {{.op = HV_OP_hlt}, {.op = HV_OP_vmcall}};

/* Halts in the guest, so that only an interrupt brings it back; HLT itself does not exit. */
static void begin(struct rig *r, uint32_t entry)
{
    rig_init(r);
    rig_program(r, sleeper, RIG_COUNT(sleeper));
    uint64_t primary = hv_vcpu_field(r->vcpu, HV_VMCS_primary_controls);
    assert_true(hv_vcpu_set_field(r->vcpu, HV_VMCS_primary_controls,
                                  primary & ~HV_BIT(HV_CONTROL_PRIMARY_hlt_exiting)));
    hv_ioapic_write(r->cpu, ENTRY + 1, 0); /* to the local APIC 0 */
    hv_ioapic_write(r->cpu, ENTRY, entry);
}

static void expect_interrupt(struct rig *r)
{
    struct hv_vm_exit exit = rig_expect(r, HV_EXIT_external_interrupt);
    assert_int_equal(exit.interruption, UINT32_C(0x80000000) | VECTOR);
}

/* 82093AA: 24 entries, version 20H, all masked after reset. */
static void its_registers_are_there(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    struct hv_cpu *cpu = hv_machine_cpu(m, 1);
    assert_int_equal(hv_ioapic_read(cpu, 1), 0x170020);
    for (unsigned pin = 0; pin < PINS; pin++) {
        assert_int_equal(hv_ioapic_read(cpu, (uint8_t)(0x10 + 2 * pin)), MASKED);
    }
    uint64_t before = hv_now(cpu);
    hv_ioapic_write(cpu, ENTRY, VECTOR);
    assert_int_equal(hv_now(cpu), before + 2); /* the index, the window */
    assert_int_equal(hv_ioapic_read(hv_machine_cpu(m, 0), ENTRY), VECTOR); /* one for all processors */
    assert_true(hv_pin(cpu, PINS - 1, true));
    assert_false(hv_pin(cpu, PINS, true));
    hv_machine_free(m);
}

static void an_edge_exits_once(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, VECTOR);
    uint64_t before = hv_now(r.cpu);
    assert_true(hv_pin(r.cpu, PIN, true));
    expect_interrupt(&r);
    assert_true(hv_now(r.cpu) >= before + 500); /* apic.ioapic_cycles */
    hv_eoi(r.cpu);
    hv_work(r.cpu, BUS_CYCLES);
    struct hv_vm_exit exit;
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_IDLE); /* still high: no edge */
    assert_true(hv_pin(r.cpu, PIN, false));
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_IDLE);
    assert_true(hv_pin(r.cpu, PIN, true));
    expect_interrupt(&r);
    rig_fini(&r);
}

/* A level that stays interrupts again after each EOI, which takes apic.eoi_cycles to the I/O APIC. */
static void a_level_exits_until_it_falls(void **state)
{
    (void)state;
    struct rig r;
    begin(&r, VECTOR | LEVEL);
    assert_true(hv_pin(r.cpu, PIN, true));
    for (int i = 0; i < 3; i++) {
        expect_interrupt(&r);
        assert_int_equal(hv_ioapic_read(r.cpu, ENTRY) & REMOTE_IRR, REMOTE_IRR);
        hv_eoi(r.cpu);
    }
    expect_interrupt(&r);
    assert_true(hv_pin(r.cpu, PIN, false));
    hv_eoi(r.cpu);
    hv_work(r.cpu, BUS_CYCLES);
    assert_int_equal(hv_ioapic_read(r.cpu, ENTRY) & REMOTE_IRR, 0);
    struct hv_vm_exit exit;
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_IDLE);
    rig_fini(&r);
}

static void a_masked_pin_is_silent(void **state)
{
    (void)state;
    struct rig r;
    struct hv_vm_exit exit;
    begin(&r, VECTOR | LEVEL | MASKED);
    assert_true(hv_pin(r.cpu, PIN, true));
    assert_int_equal(hv_vcpu_run(r.vcpu, &exit), HV_IDLE);
    hv_ioapic_write(r.cpu, ENTRY, VECTOR | LEVEL);
    expect_interrupt(&r);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_registers_are_there),
        cmocka_unit_test(an_edge_exits_once),
        cmocka_unit_test(a_level_exits_until_it_falls),
        cmocka_unit_test(a_masked_pin_is_silent),
    };
    return gtest_main(argc, argv, "IoApic", tests, RIG_COUNT(tests));
}
