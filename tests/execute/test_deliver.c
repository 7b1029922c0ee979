/* SPDX-License-Identifier: MIT */
/* Delivery of events through the IDT: frames, checks, double and triple faults, and exits in the middle of it. */
#include "checks.h"

static void page_of(struct lab *l, uint64_t address, uint64_t bits)
{
    lab_write(l, LAB_PT + 8 * (address >> 12), 8, bits == 0 ? 0 : (address & ~UINT64_C(0xfff)) | bits);
}

static const struct cpu_event interrupt_50 = {.vector = 0x50, .type = VMX_EVENT_EXTERNAL};

/* --- frames ------------------------------------------------------------------------------------------------------ */

/* The same ring: RSP is aligned to 16, then SS, RSP, RFLAGS, CS, RIP and an error code. */
static void a_frame_of_the_same_ring(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    REG(l, RSP) = LAB_STACK - 4;
    STATE(l).rflags |= CPU_RFLAGS_IF;
    processor_raise_code(&l->p, CPU_GP, 0x28);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    const uint64_t frame[] = {0x28, LAB_CODE, LAB_CODE_0, 0x10202, LAB_STACK - 4, LAB_DATA_0}; /* RF is set */
    for (unsigned w = 0; w < HV_ARRAY_LEN(frame); w++) {
        assert_int_equal(lab_read(l, LAB_STACK - 16 - 48 + 8 * w, 8), frame[w]);
    }
    handler_of(l, CPU_GP);
    assert_int_equal(REG(l, RSP), LAB_STACK - 16 - 48);
    assert_int_equal(STATE(l).rflags, 2);
}

/* From ring 3: RSP0 of the task-state segment, and a null SS. */
static void a_frame_of_an_inner_ring(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_user(l);
    assert_int_equal(cpu_deliver(&l->p, &interrupt_50), CPU_COMPLETED);
    assert_int_equal(REG(l, RSP), LAB_STACK_0 - 40);
    assert_int_equal(lab_read(l, LAB_STACK_0 - 8, 8), LAB_DATA_3);
    assert_int_equal(lab_read(l, LAB_STACK_0 - 16, 8), LAB_STACK);
    assert_int_equal(lab_read(l, LAB_STACK_0 - 32, 8), LAB_CODE_3);
    assert_int_equal(cpu_cpl(&STATE(l)), 0);
    assert_int_equal(STATE(l).segments[CPU_SS].selector, 0);
    assert_true((STATE(l).segments[CPU_SS].access_rights & CPU_AR_UNUSABLE) != 0);
}

static void iret_goes_back_to_ring_3(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_user(l);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(cpu_deliver(&l->p, &interrupt_50), CPU_COMPLETED);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, 0);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_COMPLETED);
    assert_int_equal(cpu_cpl(&STATE(l)), 3);
    assert_int_equal(STATE(l).rip, LAB_CODE);
    assert_int_equal(REG(l, RSP), LAB_STACK);
    assert_int_equal(STATE(l).segments[CPU_SS].selector, LAB_DATA_3);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, CPU_RFLAGS_IF);
}

static void an_interrupt_stack_is_used(void **state)
{
    struct lab *l = *state;
    lab_gate(l, 0x50, 0x8e, 3);
    lab_write(l, LAB_TSS + 36 + 2 * 8, 8, LAB_DATA + 0x800);
    lab_launch(l);
    assert_int_equal(cpu_deliver(&l->p, &interrupt_50), CPU_COMPLETED);
    assert_int_equal(REG(l, RSP), LAB_DATA + 0x800 - 40);
    assert_int_equal(STATE(l).segments[CPU_SS].selector, LAB_DATA_0);
}

/* The frame of a software interrupt has the RIP behind it; a trap gate leaves interrupts on. */
static void int_n_returns_behind_itself(void **state)
{
    struct lab *l = *state;
    lab_gate(l, 0x80, 0x8f, 0);
    lab_launch(l);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(LAB_DO(l, int_n, .value = 0x80), CPU_COMPLETED);
    assert_int_equal(lab_read(l, LAB_STACK - 40, 8), LAB_CODE + 2);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, CPU_RFLAGS_IF);
}

/* --- checks ------------------------------------------------------------------------------------------------------ */

/* Error code of the #GP: vector * 8, IDT (bit 1), no EXT for INT n. */
static void int_n_may_not_use_a_gate_of_ring_0(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_user(l);
    assert_int_equal(LAB_DO(l, int_n, .value = 0x80), CPU_COMPLETED);
    handler_of(l, CPU_GP);
    assert_int_equal(lab_read(l, LAB_STACK_0 - 48, 8), 0x80 * 8 + 2);
    assert_int_equal(lab_read(l, LAB_STACK_0 - 40, 8), LAB_CODE); /* a fault: RIP is at the INT n */
}

/* With EXT (bit 0), as the event is external. */
static void a_gate_that_is_not_present(void **state)
{
    struct lab *l = *state;
    lab_gate(l, 0x50, 0x0e, 0);
    lab_launch(l);
    assert_int_equal(cpu_deliver(&l->p, &interrupt_50), CPU_COMPLETED);
    handler_of(l, CPU_NP);
    assert_int_equal(lab_read(l, LAB_STACK - 48, 8), 0x50 * 8 + 3);
}

static void a_page_fault_sets_cr2(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    page_of(l, LAB_DATA, 0);
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 3)), CPU_RAISED);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_PF);
    assert_int_equal(STATE(l).cr2, LAB_DATA + 3);
    assert_int_equal(lab_read(l, LAB_STACK - 48, 8), 2); /* a write to a page that is not present */
}

/* A store of 8 bytes over the end of a page changes nothing when the second page refuses it. */
static void a_store_across_pages_is_all_or_nothing(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    page_of(l, LAB_DATA + 0x1000, 0);
    REG(l, RBX) = UINT64_MAX;
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 0xffc)), CPU_RAISED);
    assert_int_equal(l->p.raised.information, LAB_DATA + 0x1000);
    assert_int_equal(lab_read(l, LAB_DATA + 0xffc, 4), 0);
}

static void a_non_canonical_address(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, LAB_MEMORY(UINT64_C(1) << 47)), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
    REG(l, RBP) = UINT64_C(1) << 47;
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .in_memory = true,
                            .memory = {.base = CPU_RBP, .index = CPU_NO_REGISTER, .segment = CPU_SS}), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_SS_FAULT);
}

/* --- table 6-5 --------------------------------------------------------------------------------------------------- */

/* #GP whose gate is not present: contributory after contributory. */
static void two_contributory_exceptions_make_a_double_fault(void **state)
{
    struct lab *l = *state;
    lab_gate(l, CPU_GP, 0x0e, 0);
    lab_launch(l);
    processor_raise_code(&l->p, CPU_GP, 0);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_DF);
    assert_int_equal(lab_read(l, LAB_STACK - 48, 8), 0);
}

/* #UD is benign: the #NP of its gate is delivered instead of it. */
static void a_benign_exception_gives_way(void **state)
{
    struct lab *l = *state;
    lab_gate(l, CPU_UD, 0x0e, 0);
    lab_launch(l);
    processor_raise(&l->p, CPU_UD);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_NP);
}

/* The stack is gone: a page fault in delivering #GP, then again in delivering it; the double fault has a stack. */
static void a_page_fault_after_a_page_fault_makes_a_double_fault(void **state)
{
    struct lab *l = *state;
    lab_gate(l, CPU_DF, 0x8e, 1);
    lab_write(l, LAB_TSS + 36, 8, LAB_DATA + 0x800);
    lab_launch(l);
    page_of(l, LAB_STACK - 1, 0);
    processor_raise_code(&l->p, CPU_GP, 0);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_COMPLETED);
    handler_of(l, CPU_DF);
    assert_int_equal(STATE(l).cr2, LAB_STACK - 48);
}

static void a_third_exception_is_a_triple_fault(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    page_of(l, LAB_STACK - 1, 0);
    processor_raise_code(&l->p, CPU_GP, 0);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_triple_fault);
    assert_int_equal(LAB_GET(l, idt_vectoring_information), 0);
}

static void a_triple_fault_of_the_host_stops_the_processor(void **state)
{
    struct lab *l = *state;
    STATE(l).idtr.limit = 0;
    processor_raise(&l->p, CPU_UD);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_STOPPED);
    assert_int_equal(STATE(l).activity, CPU_SHUTDOWN);
}

/* --- exits in the middle: 28.2.4 --------------------------------------------------------------------------------- */

/* A page fault that exits, met in delivering #GP(28H): valid, error code, hardware exception (3), vector 13. */
static void an_exit_tells_which_event_was_being_delivered(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, exception_bitmap, 1 << CPU_PF);
    lab_launch(l);
    page_of(l, LAB_STACK - 1, 0);
    processor_raise_code(&l->p, CPU_GP, 0x28);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_exception_or_nmi);
    assert_int_equal(LAB_GET(l, exit_interruption_information), 0x80000000u | 1 << 11 | 3 << 8 | CPU_PF);
    assert_int_equal(LAB_GET(l, exit_interruption_error_code), 2);
    assert_int_equal(LAB_GET(l, idt_vectoring_information), 0x80000000u | 1 << 11 | 3 << 8 | CPU_GP);
    assert_int_equal(LAB_GET(l, idt_vectoring_error_code), 0x28);
    assert_int_equal(LAB_GET(l, exit_qualification), LAB_STACK - 48);
}

/* A double fault that exits "directly" interrupts no delivery. */
static void a_double_fault_that_exits_has_no_vectoring(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, exception_bitmap, 1 << CPU_DF);
    lab_gate(l, CPU_GP, 0x0e, 0);
    lab_launch(l);
    processor_raise_code(&l->p, CPU_GP, 0);
    assert_int_equal(cpu_deliver_raised(&l->p), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_interruption_information) & 0xff, CPU_DF);
    assert_int_equal(LAB_GET(l, idt_vectoring_information), 0);
}

/* VM entry injects a software interrupt of length 2; its frame meets an EPT violation. */
static void injection_that_exits_can_be_repeated(void **state)
{
    struct lab *l = *state;
    lab_ept(l);
    lab_write(l, LAB_EPT_PT + 8 * ((LAB_STACK - 1) >> 12), 8, 0);
    LAB_SET(l, entry_interruption_information, 0x80000000u | VMX_EVENT_SOFTWARE_INTERRUPT << 8 | 0x80);
    LAB_SET(l, entry_instruction_length, 2);
    assert_int_equal(LAB_DO(l, vmlaunch, 0), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_ept_violation);
    assert_int_equal(LAB_GET(l, idt_vectoring_information), 0x80000000u | 4 << 8 | 0x80);
    assert_int_equal(LAB_GET(l, exit_instruction_length), 2);
    assert_int_equal(LAB_GET(l, guest_rip), LAB_CODE);
}

GTEST_MAIN("Deliver", TEST(a_frame_of_the_same_ring), TEST(a_frame_of_an_inner_ring), TEST(iret_goes_back_to_ring_3),
           TEST(an_interrupt_stack_is_used), TEST(int_n_returns_behind_itself),
           TEST(int_n_may_not_use_a_gate_of_ring_0), TEST(a_gate_that_is_not_present), TEST(a_page_fault_sets_cr2),
           TEST(a_store_across_pages_is_all_or_nothing), TEST(a_non_canonical_address),
           TEST(two_contributory_exceptions_make_a_double_fault), TEST(a_benign_exception_gives_way),
           TEST(a_page_fault_after_a_page_fault_makes_a_double_fault), TEST(a_third_exception_is_a_triple_fault),
           TEST(a_triple_fault_of_the_host_stops_the_processor), TEST(an_exit_tells_which_event_was_being_delivered),
           TEST(a_double_fault_that_exits_has_no_vectoring), TEST(injection_that_exits_can_be_repeated))
