/* SPDX-License-Identifier: MIT */
/* Between instructions: what comes first, what blocks what, and what wakes a processor that waits. */
#include "checks.h"

enum { VIRTUAL_VECTOR = 0x66 };

static void assert_exit(struct lab *l, enum vmx_exit_reason reason)
{
    assert_int_equal(cpu_between(&l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), reason);
}

/* --- order ------------------------------------------------------------------------------------------------------- */

/* All at once; each VM entry finds the next, in the order of table 6-2 with the exits of 26.2 among them. */
static void everything_comes_in_its_order(void **state)
{
    struct lab *l = *state;
    static const struct {
        enum vmx_exit_reason reason;
        uint32_t vector;
    } order[] = {
        {VMX_EXIT_exception_or_nmi, CPU_MC}, {VMX_EXIT_init_signal, 0}, {VMX_EXIT_monitor_trap_flag, 0},
        {VMX_EXIT_exception_or_nmi, CPU_DB}, {VMX_EXIT_preemption_timer, 0}, {VMX_EXIT_exception_or_nmi, CPU_NMI},
        {VMX_EXIT_nmi_window, 0}, {VMX_EXIT_interrupt_window, 0}, {VMX_EXIT_external_interrupt, 0},
    };
    LAB_SET(l, exception_bitmap, 1 << CPU_MC | 1 << CPU_DB);
    LAB_ON(l, PIN, external_interrupt_exiting);
    LAB_ON(l, PIN, nmi_exiting);
    LAB_ON(l, PIN, virtual_nmis);
    LAB_ON(l, PIN, activate_preemption_timer);
    LAB_ON(l, PRIMARY, interrupt_window_exiting);
    LAB_ON(l, PRIMARY, nmi_window_exiting);
    LAB_SET(l, guest_rflags, 0x202);
    lab_launch(l);
    l->p.vmx.mtf_pending = true;
    STATE(l).pending_debug = 1 << 14;
    l->interrupt = 0x40;
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
    processor_signal(&l->p, CPU_SIGNAL_INIT, 0);
    processor_signal(&l->p, CPU_SIGNAL_MACHINE_CHECK, 0);
    for (size_t o = 0; o < HV_ARRAY_LEN(order); o++) {
        assert_exit(l, order[o].reason);
        assert_int_equal(LAB_GET(l, exit_interruption_information) & 0xff, order[o].vector);
        if (order[o].reason == VMX_EXIT_preemption_timer) {
            lab_control(l, VMX_PIN, VMX_CONTROL(PIN, activate_preemption_timer), false);
        } else if (order[o].reason == VMX_EXIT_nmi_window) {
            lab_control(l, VMX_PRIMARY, VMX_CONTROL(PRIMARY, nmi_window_exiting), false);
        } else if (order[o].reason == VMX_EXIT_interrupt_window) {
            lab_control(l, VMX_PRIMARY, VMX_CONTROL(PRIMARY, interrupt_window_exiting), false);
        } else if (order[o].reason == VMX_EXIT_init_signal) {
            /* The entry forgets a pending MTF exit unless it injects one: type 7, vector 0. */
            LAB_SET(l, entry_interruption_information, 0x80000000u | 7 << 8);
        }
        assert_int_equal(LAB_DO(l, vmresume, 0), CPU_ENTERED);
    }
}

/* --- blocking ---------------------------------------------------------------------------------------------------- */

static void sti_blocks_interrupts_for_one_instruction(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    l->interrupt = 0x31;
    assert_int_equal(LAB_DO(l, sti, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).interruptibility, CPU_BLOCKED_BY_STI);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE + 1);
    assert_int_equal(LAB_DO(l, nop, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, 0x31);
}

static void mov_ss_blocks_nmis_and_debug_traps(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).registers[CPU_RBX] = LAB_DATA_0;
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
    assert_int_equal(LAB_DO(l, mov_ss, .reg1 = CPU_RBX), CPU_COMPLETED);
    STATE(l).pending_debug = 1 << 14;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE + 2);
    assert_int_equal(LAB_DO(l, nop, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_DB);
    assert_int_equal(STATE(l).dr6 & 1 << 14, 1 << 14);
}

static void iret_ends_blocking_by_nmi(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_NMI);
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_NMI);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_NMI);
}

/* With virtual NMIs an injected NMI blocks virtual ones until IRET, and the window opens then. */
static void iret_opens_the_nmi_window(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, nmi_exiting);
    LAB_ON(l, PIN, virtual_nmis);
    LAB_ON(l, PRIMARY, nmi_window_exiting);
    LAB_SET(l, entry_interruption_information, 0x80000000u | VMX_EVENT_NMI << 8 | CPU_NMI);
    lab_launch(l);
    handler_of(l, CPU_NMI);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_COMPLETED);
    assert_exit(l, VMX_EXIT_nmi_window);
}

/* Physical NMIs exit whatever the virtual blocking is. */
static void virtual_blocking_does_not_block_physical_nmis(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, nmi_exiting);
    LAB_ON(l, PIN, virtual_nmis);
    LAB_SET(l, guest_interruptibility_state, CPU_BLOCKED_BY_NMI);
    lab_launch(l);
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
    assert_exit(l, VMX_EXIT_exception_or_nmi);
    assert_int_equal(LAB_GET(l, guest_interruptibility_state), CPU_BLOCKED_BY_NMI);
    assert_int_equal(STATE(l).interruptibility, CPU_BLOCKED_BY_NMI); /* of the host, by the NMI itself */
}

/* Bit 12 of the information: the IRET that faulted has ended the blocking all the same. */
static void a_fault_of_iret_reports_the_unblocking(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, nmi_exiting);
    LAB_ON(l, PIN, virtual_nmis);
    LAB_SET(l, guest_interruptibility_state, CPU_BLOCKED_BY_NMI);
    LAB_SET(l, exception_bitmap, 1 << CPU_PF);
    lab_launch(l);
    lab_write(l, LAB_PT + 8 * (LAB_STACK >> 12), 8, 0);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_interruption_information), 0x80000000u | 1 << 12 | 1 << 11 | 3 << 8 | CPU_PF);
    assert_int_equal(LAB_GET(l, guest_interruptibility_state), 0);
}

/* --- the interrupt controller ------------------------------------------------------------------------------------ */

static void without_acknowledgement_the_interrupt_stays(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, external_interrupt_exiting);
    lab_launch(l);
    l->interrupt = 0x31;
    assert_exit(l, VMX_EXIT_external_interrupt);
    assert_int_equal(LAB_GET(l, exit_interruption_information), 0);
    assert_int_equal(l->interrupt, 0x31);
}

static void acknowledgement_gives_the_vector(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, external_interrupt_exiting);
    LAB_ON(l, EXIT, acknowledge_interrupt_on_exit);
    lab_launch(l);
    l->interrupt = 0x31;
    assert_exit(l, VMX_EXIT_external_interrupt);
    assert_int_equal(LAB_GET(l, exit_interruption_information), 0x80000031u);
    assert_int_equal(l->interrupt, -1);
}

static void count_posting(void *ctx)
{
    struct lab *l = ctx;
    l->interrupt = -2; /* seen */
}

static void a_posted_interrupt_does_not_exit(void **state)
{
    struct lab *l = *state;
    l->wires.posted = count_posting;
    LAB_ON(l, PRIMARY, use_tpr_shadow);
    LAB_ON(l, SECONDARY, virtual_interrupt_delivery);
    LAB_ON(l, PIN, external_interrupt_exiting);
    LAB_ON(l, PIN, process_posted_interrupts);
    LAB_ON(l, EXIT, acknowledge_interrupt_on_exit);
    LAB_SET(l, posted_interrupt_notification_vector, 0xf2);
    LAB_SET(l, posted_interrupt_descriptor_address, LAB_DATA);
    lab_launch(l);
    l->interrupt = 0xf2;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(l->interrupt, -2);
    assert_true(l->p.vmx.non_root);
}

static int virtual_interrupt(void *ctx)
{
    (void)ctx;
    return VIRTUAL_VECTOR;
}

static void a_virtual_interrupt_is_delivered_without_an_exit(void **state)
{
    struct lab *l = *state;
    l->wires.virtual_pending = l->wires.virtual_acknowledge = virtual_interrupt;
    LAB_ON(l, PRIMARY, use_tpr_shadow);
    LAB_ON(l, SECONDARY, virtual_interrupt_delivery);
    LAB_ON(l, PIN, external_interrupt_exiting);
    lab_launch(l);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED); /* RFLAGS.IF is 0 */
    assert_int_equal(STATE(l).rip, LAB_CODE);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    handler_of(l, VIRTUAL_VECTOR);
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static void a_halted_guest_wakes_for_its_interrupt(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).activity, CPU_HALTED);
    assert_int_equal(cpu_next_event(&l->p), UINT64_MAX);
    l->interrupt = 0x31;
    assert_int_equal(cpu_next_event(&l->p), l->p.now);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).activity, CPU_ACTIVE);
    handler_of(l, 0x31);
    assert_int_equal(lab_read(l, LAB_STACK - 40, 8), LAB_CODE + 1); /* behind the HLT */
}

/* The activity state that is saved is that before the event. */
static void an_exit_from_hlt_saves_hlt(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, external_interrupt_exiting);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_COMPLETED);
    l->interrupt = 0x31;
    assert_exit(l, VMX_EXIT_external_interrupt);
    assert_int_equal(LAB_GET(l, guest_activity_state), CPU_HALTED);
    assert_int_equal(STATE(l).activity, CPU_ACTIVE);
}

/* 7 changes of TSC bit 5 from time 0 on: at cycle 224. */
static void the_preemption_timer_is_the_next_event(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PIN, activate_preemption_timer);
    LAB_SET(l, vmx_preemption_timer_value, 7);
    l->p.now = 0;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_COMPLETED);
    assert_int_equal(cpu_next_event(&l->p), 224);
    l->p.now = 223;
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    l->p.now = 224;
    assert_exit(l, VMX_EXIT_preemption_timer);
}

/* INIT and SIPI outside of VMX operation: 9AH is the page of the first instruction. */
static void init_and_sipi_start_a_processor(void **state)
{
    struct lab *l = *state;
    processor_signal(&l->p, CPU_SIGNAL_INIT, 0);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED); /* root operation blocks it */
    assert_int_equal(STATE(l).activity, CPU_ACTIVE);
    assert_int_equal(LAB_DO(l, vmxoff, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).activity, CPU_WAIT_FOR_SIPI);
    processor_signal(&l->p, CPU_SIGNAL_SIPI, 0x9a);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).activity, CPU_ACTIVE);
    assert_int_equal(STATE(l).segments[CPU_CS].base, 0x9a000);
    assert_int_equal(STATE(l).rip, 0);
}

GTEST_MAIN("Events", TEST(everything_comes_in_its_order), TEST(sti_blocks_interrupts_for_one_instruction),
           TEST(mov_ss_blocks_nmis_and_debug_traps), TEST(iret_ends_blocking_by_nmi), TEST(iret_opens_the_nmi_window),
           TEST(virtual_blocking_does_not_block_physical_nmis), TEST(a_fault_of_iret_reports_the_unblocking),
           TEST(without_acknowledgement_the_interrupt_stays), TEST(acknowledgement_gives_the_vector),
           TEST(a_posted_interrupt_does_not_exit), TEST(a_virtual_interrupt_is_delivered_without_an_exit),
           TEST(a_halted_guest_wakes_for_its_interrupt), TEST(an_exit_from_hlt_saves_hlt),
           TEST(the_preemption_timer_is_the_next_event), TEST(init_and_sipi_start_a_processor))
