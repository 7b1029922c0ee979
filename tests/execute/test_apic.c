/* SPDX-License-Identifier: MIT */
/* A guest with its virtual APIC, and the local APIC behind it, by the instructions of the guest. */
#include "gtest.h"

#include "lab.h"

#include "apic/apic_bus.h"

enum {
    TPR = 0x80, PPR = 0xa0, ISR_64 = 0x120, IRR_64 = 0x220, VERSION = 0x30,
    MSR_TPR = 0x808, MSR_EOI = 0x80b, MSR_ICR = 0x830, MSR_SELF_IPI = 0x83f, MSR_SVR = 0x80f, MSR_LVT_TIMER = 0x832,
    MSR_INITIAL_COUNT = 0x838, MSR_DIVIDE = 0x83e,
    VECTOR = 0x51, LOWER = 0x41, NOTIFICATION = 0xf2, DESCRIPTOR = LAB_DATA + 0x40, CONTROL = 32, IPI_CYCLES = 500,
};

/* The processor of the lab with a local APIC, and another APIC on the bus. */
struct rig {
    struct lab *l;
    struct apic_params params;
    struct apic_bus bus;
    struct apic local, other;
};

static void init_apic(struct rig *r, struct apic *a, uint32_t id)
{
    struct apic_identity identity = {.processor = id, .id = id, .bootstrap = id == 0, .physical_bits = 46};
    struct apic_output output = id == 0 ? cpu_apic_output(&r->l->p) : (struct apic_output){.raise = NULL};
    apic_init(a, &r->params, &identity, &output);
    apic_bus_add(&r->bus, a);
    assert_true(apic_write_msr(a, APIC_BASE_MSR, a->base | APIC_BASE_X2APIC, 0));
    assert_true(apic_write_msr(a, MSR_SVR, 0x1ff, 0));
}

static int set_up(void **state)
{
    struct rig *r = test_calloc(1, sizeof(*r));
    r->l = lab_new();
    r->params = (struct apic_params){.x2apic = true, .timer_cycles = 1, .ipi_cycles = IPI_CYCLES, .eoi_cycles = 1};
    apic_bus_init(&r->bus, &r->params);
    init_apic(r, &r->local, 0);
    init_apic(r, &r->other, 1);
    cpu_apic_connect(&r->l->apic, &r->l->p, &r->local, &r->l->wires);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    lab_free(r->l);
    test_free(r);
    return 0;
}

/* All of APICv for x2APIC mode. */
static void apicv(struct lab *l)
{
    LAB_ON(l, PRIMARY, use_tpr_shadow);
    LAB_ON(l, SECONDARY, virtualize_x2apic_mode);
    LAB_ON(l, SECONDARY, apic_register_virtualization);
    LAB_ON(l, SECONDARY, virtual_interrupt_delivery);
    LAB_ON(l, PIN, external_interrupt_exiting);
    LAB_SET(l, guest_rflags, 0x202);
}

static void posting(struct lab *l)
{
    apicv(l);
    LAB_ON(l, PIN, process_posted_interrupts);
    LAB_ON(l, EXIT, acknowledge_interrupt_on_exit);
    LAB_SET(l, posted_interrupt_notification_vector, NOTIFICATION);
    LAB_SET(l, posted_interrupt_descriptor_address, DESCRIPTOR);
    lab_write(l, DESCRIPTOR + CONTROL, 8, (uint64_t)NOTIFICATION << 16);
}

static enum cpu_end wrmsr(struct lab *l, uint32_t index, uint64_t value)
{
    l->p.state.registers[CPU_RCX] = index;
    l->p.state.registers[CPU_RAX] = (uint32_t)value;
    l->p.state.registers[CPU_RDX] = value >> 32;
    return LAB_DO(l, wrmsr, 0);
}

static void assert_handler(const struct lab *l, unsigned vector)
{
    assert_int_equal(l->p.state.rip, LAB_HANDLERS + 16 * vector);
}

static uint32_t virtual_isr_64(const struct lab *l)
{
    return (uint32_t)lab_read(l, LAB_VAPIC + ISR_64, 4);
}

/* --- virtual interrupts ------------------------------------------------------------------------------------------ */

/* RVI at the entry, delivery at the boundary, EOI by MSR: no VM exit, and the status in the VMCS follows. */
static void an_interrupt_is_delivered_and_ended_without_an_exit(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    apicv(l);
    LAB_SET(l, guest_interrupt_status, VECTOR);
    lab_write(l, LAB_VAPIC + IRR_64, 4, 1u << (VECTOR - 64));
    lab_launch(l);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_handler(l, VECTOR);
    assert_int_equal(LAB_GET(l, guest_interrupt_status), VECTOR << 8);
    assert_int_equal(virtual_isr_64(l), 1u << (VECTOR - 64));
    assert_int_equal(wrmsr(l, MSR_EOI, 0), CPU_COMPLETED);
    assert_int_equal(LAB_GET(l, guest_interrupt_status), 0);
    assert_int_equal(virtual_isr_64(l), 0);
    assert_int_equal(l->p.vmx.stats.entries, 1);
}

/* Priority class 5 holds back vector 51H until CR8 is 4. */
static void a_lower_priority_lets_the_interrupt_through(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    apicv(l);
    lab_write(l, LAB_VAPIC + TPR, 4, 0x50);
    LAB_SET(l, guest_interrupt_status, VECTOR);
    lab_launch(l);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(l->p.state.rip, LAB_CODE);
    l->p.state.registers[CPU_RBX] = 4;
    assert_int_equal(LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = 8), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_handler(l, VECTOR);
    assert_int_equal(lab_read(l, LAB_VAPIC + PPR, 1), 0x50); /* the class in service */
}

/* While 51H is in service a self-IPI of 41H waits; the EOI lets it through. */
static void a_self_ipi_waits_for_the_eoi(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    apicv(l);
    LAB_SET(l, guest_interrupt_status, VECTOR);
    lab_launch(l);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    l->p.state.rflags |= CPU_RFLAGS_IF; /* the gate has cleared it */
    assert_int_equal(wrmsr(l, MSR_SELF_IPI, LOWER), CPU_COMPLETED);
    uint64_t rip = l->p.state.rip;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(l->p.state.rip, rip);
    assert_int_equal(wrmsr(l, MSR_EOI, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_handler(l, LOWER);
}

/* 30.5: bits 63:8 of the TPR are reserved. */
static void a_reserved_bit_raises_gp(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    apicv(l);
    lab_launch(l);
    assert_int_equal(wrmsr(l, MSR_TPR, 0x100), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
    assert_int_equal(wrmsr(l, MSR_TPR, 0x20), CPU_COMPLETED);
    assert_int_equal(LAB_DO(l, rdmsr, 0), CPU_COMPLETED);
    assert_int_equal(l->p.state.registers[CPU_RAX], 0x20);
    assert_int_equal(lab_read(l, LAB_VAPIC + TPR, 4), 0x20);
}

/* --- posted interrupts, IPIs ------------------------------------------------------------------------------------- */

static void receive(struct rig *r, uint8_t vector)
{
    struct interrupt_message message = {.vector = vector, .mode = INTERRUPT_FIXED};
    apic_receive(&r->local, &message, r->l->p.now);
}

static void a_posted_interrupt_reaches_its_handler_at_once(void **state)
{
    struct rig *r = *state;
    struct lab *l = r->l;
    posting(l);
    lab_launch(l);
    struct posted_notification n = posted_post(&l->memory, (hv_hpa){DESCRIPTOR}, VECTOR, POSTED_NORMAL);
    assert_true(n.send);
    assert_int_equal(n.vector, NOTIFICATION);
    receive(r, n.vector);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_handler(l, VECTOR);
    assert_true(l->p.vmx.non_root);
    assert_int_equal(vector_set_count(&r->local.isr), 0); /* the processor has written the EOI */
    assert_int_equal(lab_read(l, DESCRIPTOR + CONTROL, 1) & POSTED_ON, 0);
    assert_int_equal(lab_read(l, DESCRIPTOR + VECTOR / 8, 1), 0);
}

/* Any other vector exits, and stays in service until the hypervisor ends it. */
static void another_vector_exits(void **state)
{
    struct rig *r = *state;
    posting(r->l);
    lab_launch(r->l);
    receive(r, VECTOR);
    assert_int_equal(cpu_between(&r->l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(r->l, exit_reason), VMX_EXIT_external_interrupt);
    assert_int_equal(LAB_GET(r->l, exit_interruption_information), 0x80000000u | VECTOR);
    assert_true(vector_set_has(&r->local.isr, VECTOR));
}

/* WRMSR of the ICR posts into the descriptor of virtual processor 1 and notifies the processor of its NDST. */
static void an_ipi_is_posted_and_notified(void **state)
{
    struct rig *r = *state;
    struct lab *l = r->l;
    enum { TABLE = LAB_DATA + 0x800, OTHER = LAB_DATA + 0x100 };
    apicv(l);
    LAB_ON(l, PRIMARY, activate_tertiary_controls);
    LAB_ON(l, TERTIARY, ipi_virtualization);
    LAB_SET(l, pid_pointer_table_address, TABLE);
    LAB_SET(l, last_pid_pointer_index, 1);
    lab_write(l, TABLE + 8, 8, OTHER | 1);
    lab_write(l, OTHER + CONTROL, 8, (uint64_t)NOTIFICATION << 16 | UINT64_C(1) << 32); /* to APIC ID 1 */
    lab_launch(l);
    assert_int_equal(wrmsr(l, MSR_ICR, UINT64_C(1) << 32 | VECTOR), CPU_COMPLETED);
    assert_int_equal(lab_read(l, OTHER + VECTOR / 8, 1), 1u << VECTOR % 8);
    assert_int_equal(apic_bus_next(&r->bus), l->p.now + IPI_CYCLES);
    apic_bus_advance(&r->bus, l->p.now + IPI_CYCLES);
    assert_true(vector_set_has(&r->other.irr, NOTIFICATION));
}

/* --- the local APIC ---------------------------------------------------------------------------------------------- */

/* Without APIC virtualization and with its MSRs let through the guest owns the physical APIC, as with ELI. */
static void a_guest_ends_its_interrupt_itself(void **state)
{
    struct rig *r = *state;
    LAB_SET(r->l, guest_rflags, 0x202);
    lab_launch(r->l);
    receive(r, VECTOR);
    assert_int_equal(cpu_between(&r->l->p), CPU_COMPLETED);
    assert_handler(r->l, VECTOR);
    assert_true(vector_set_has(&r->local.isr, VECTOR));
    assert_int_equal(wrmsr(r->l, MSR_EOI, 0), CPU_COMPLETED);
    assert_false(vector_set_has(&r->local.isr, VECTOR));
}

/* 100 counts of 2 cycles (divide configuration 0), each a timer clock of 1 cycle. */
static void a_halted_guest_wakes_for_the_timer(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    LAB_SET(l, guest_rflags, 0x202);
    lab_launch(l);
    assert_int_equal(wrmsr(l, MSR_DIVIDE, 0), CPU_COMPLETED);
    assert_int_equal(wrmsr(l, MSR_LVT_TIMER, VECTOR), CPU_COMPLETED);
    assert_int_equal(wrmsr(l, MSR_INITIAL_COUNT, 100), CPU_COMPLETED);
    hv_cycles due = l->p.now + 200;
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(cpu_next_event(&l->p), due);
    l->p.now = due;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_handler(l, VECTOR);
}

/* A periodic timer that the guest will not take interrupts from wakes nobody a second time. */
static void a_timer_nobody_takes_comes_once(void **state)
{
    struct lab *l = ((struct rig *)*state)->l;
    lab_launch(l); /* RFLAGS.IF is 0 */
    assert_int_equal(wrmsr(l, MSR_LVT_TIMER, 1 << 17 | VECTOR), CPU_COMPLETED);
    assert_int_equal(wrmsr(l, MSR_INITIAL_COUNT, 100), CPU_COMPLETED);
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_COMPLETED);
    l->p.now = cpu_next_event(&l->p);
    assert_int_equal(cpu_next_event(&l->p), UINT64_MAX);
}

/* In xAPIC mode the registers answer at FEE00000H, to which the data page is mapped here. */
static void the_xapic_page_answers(void **state)
{
    struct rig *r = *state;
    struct lab *l = r->l;
    uint32_t version = 0;
    assert_true(apic_write_msr(&r->local, APIC_BASE_MSR, APIC_BASE_DEFAULT, 0));
    assert_true(apic_write_msr(&r->local, APIC_BASE_MSR, APIC_BASE_DEFAULT | APIC_BASE_ENABLE, 0));
    lab_write(l, LAB_PT + 8 * (LAB_DATA >> 12), 8, APIC_BASE_DEFAULT | 0x67);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_DATA + VERSION)), CPU_COMPLETED);
    version = (uint32_t)l->p.state.registers[CPU_RBX];
    assert_int_equal(version, apic_read(&r->local, VERSION, 4, l->p.now));
    assert_int_not_equal(version & 0xff, 0);
    l->p.state.registers[CPU_RBX] = 0x30;
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_DATA + TPR)), CPU_COMPLETED);
    assert_int_equal(apic_read_cr8(&r->local), 3);
}

static void an_init_message_exits(void **state)
{
    struct rig *r = *state;
    struct interrupt_message init = {.mode = INTERRUPT_INIT}, startup = {.mode = INTERRUPT_STARTUP, .vector = 9};
    lab_launch(r->l);
    apic_receive(&r->local, &init, 0);
    assert_int_equal(cpu_between(&r->l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(r->l, exit_reason), VMX_EXIT_init_signal);
    LAB_SET(r->l, guest_activity_state, CPU_WAIT_FOR_SIPI);
    assert_int_equal(LAB_DO(r->l, vmresume, 0), CPU_ENTERED);
    apic_receive(&r->local, &startup, 0);
    assert_int_equal(cpu_between(&r->l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(r->l, exit_reason), VMX_EXIT_sipi);
    assert_int_equal(LAB_GET(r->l, exit_qualification), 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

GTEST_MAIN("ProcessorApic", TEST(an_interrupt_is_delivered_and_ended_without_an_exit),
           TEST(a_lower_priority_lets_the_interrupt_through), TEST(a_self_ipi_waits_for_the_eoi),
           TEST(a_reserved_bit_raises_gp), TEST(a_posted_interrupt_reaches_its_handler_at_once),
           TEST(another_vector_exits), TEST(an_ipi_is_posted_and_notified), TEST(a_guest_ends_its_interrupt_itself),
           TEST(a_halted_guest_wakes_for_the_timer), TEST(a_timer_nobody_takes_comes_once),
           TEST(the_xapic_page_answers), TEST(an_init_message_exits))
