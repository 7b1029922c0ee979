/* SPDX-License-Identifier: MIT */
/* Exits that no instruction causes by itself: exceptions, interrupts, windows, timers, signals. */
#include "checks.h"
#include "exits.h"

static enum cpu_end between(struct lab *l)
{
    return cpu_between(&l->p);
}

/* --- without the control: the handler of a vector, or the next instruction --------------------------------------- */

static void runs_nmi_handler(const struct lab *l)
{
    handler_of(l, 2);
    assert_int_equal(STATE(l).interruptibility, CPU_BLOCKED_BY_NMI);
}

static void runs_interrupt_handler(const struct lab *l)
{
    handler_of(l, 0x31);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, 0);
    assert_int_equal(l->interrupt, -1);
}

static void goes_on(const struct lab *l)
{
    assert_int_equal(STATE(l).rip, LAB_CODE);
}

/* --- causes ------------------------------------------------------------------------------------------------------ */

static void signal_nmi(struct lab *l)
{
    processor_signal(&l->p, CPU_SIGNAL_NMI, 0);
}

static void signal_init(struct lab *l)
{
    processor_signal(&l->p, CPU_SIGNAL_INIT, 0);
}

static void signal_sipi(struct lab *l)
{
    processor_signal(&l->p, CPU_SIGNAL_SIPI, 0x9a);
}

static void wait_for_sipi(struct lab *l)
{
    LAB_SET(l, guest_activity_state, CPU_WAIT_FOR_SIPI);
}

static void signal_machine_check(struct lab *l)
{
    processor_signal(&l->p, CPU_SIGNAL_MACHINE_CHECK, 0);
}

static void intercept_machine_check(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 18);
}

static void interrupt_31(struct lab *l)
{
    l->interrupt = 0x31;
    STATE(l).rflags |= CPU_RFLAGS_IF;
}

/* RFLAGS.IF does not matter when external interrupts exit. */
static void interrupt_31_with_if_0(struct lab *l)
{
    l->interrupt = 0x31;
}

static void acknowledge(struct lab *l)
{
    LAB_ON(l, EXIT, acknowledge_interrupt_on_exit);
}

static void enable_interrupts(struct lab *l)
{
    STATE(l).rflags |= CPU_RFLAGS_IF;
}

static void halt_with_interrupts(struct lab *l)
{
    enable_interrupts(l);
    STATE(l).activity = CPU_HALTED;
}

static void is_halted(const struct lab *l)
{
    assert_int_equal(STATE(l).activity, CPU_HALTED);
}

static void virtual_nmis(struct lab *l)
{
    LAB_ON(l, PIN, nmi_exiting);
    LAB_ON(l, PIN, virtual_nmis);
}

/* Bit 5 of the TSC changes every 32 cycles: 3 changes are over 96 cycles after time 0. */
static void timer_of_3(struct lab *l)
{
    l->p.now = 0;
    LAB_SET(l, vmx_preemption_timer_value, 3);
}

static void let_100_cycles_pass(struct lab *l)
{
    l->p.now += 100;
}

static enum cpu_end step(struct lab *l)
{
    enum cpu_end end = LAB_DO(l, nop, 0);
    STATE(l).rip = LAB_CODE; /* so that RIP is where all rows expect it */
    return end == CPU_COMPLETED ? cpu_between(&l->p) : end;
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

static void intercept_ud(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 6);
}

static void intercept_bp(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 3);
}

static void intercept_db(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 1);
}

static void single_stepped(struct lab *l)
{
    STATE(l).pending_debug = CPU_DEBUGCTL_BTF << 13; /* BS, bit 14 */
}

static void guard_debug_registers(struct lab *l)
{
    STATE(l).dr7 |= 1 << 13;
}

/* Every page fault exits: bit 14, mask and match 0. */
static void intercept_page_faults(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 14);
}

static void unmap_data(struct lab *l)
{
    lab_write(l, LAB_PT + 8 * (LAB_DATA >> 12), 8, 0);
}

/* Writes (bit 1 of the error code) exit and reads do not; and with bit 14 clear the other way round. */
static void intercept_written_pages(struct lab *l)
{
    LAB_SET(l, exception_bitmap, 1 << 14);
    LAB_SET(l, page_fault_error_code_mask, 2);
    LAB_SET(l, page_fault_error_code_match, 2);
}

static void intercept_all_but_written_pages(struct lab *l)
{
    LAB_SET(l, page_fault_error_code_mask, 2);
    LAB_SET(l, page_fault_error_code_match, 2);
}

static void no_idt(struct lab *l)
{
    STATE(l).idtr.limit = 0;
}

static enum cpu_end fault_without_idt(struct lab *l)
{
    assert_int_equal(LAB_DO(l, ud2, 0), CPU_RAISED);
    return cpu_deliver_raised(&l->p);
}

#define LOAD_DATA {.op = CPU_OP_load, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 8)}
#define STORE_DATA {.op = CPU_OP_store, .reg1 = CPU_RBX, LAB_MEMORY(LAB_DATA + 8)}

static const struct exit_row rows[] = {
    {"invalid_opcode", VMX_EXIT_exception_or_nmi, {.op = CPU_OP_ud2}, .prepare = intercept_ud},
    /* software exceptions tell their length */
    {"int3", VMX_EXIT_exception_or_nmi, {.op = CPU_OP_int3}, .prepare = intercept_bp, .length = 1},
    {"int1", VMX_EXIT_exception_or_nmi, {.op = CPU_OP_int1}, .prepare = intercept_db, .length = 1},
    {"single_step", VMX_EXIT_exception_or_nmi, .cause = between, .prepare = intercept_db, .arrange = single_stepped,
     .qualification = 1 << 14},
    {"debug_registers_guarded", VMX_EXIT_exception_or_nmi, {.op = CPU_OP_mov_from_dr, .reg1 = CPU_RBX, .reg2 = 7},
     .prepare = intercept_db, .arrange = guard_debug_registers, .qualification = 1 << 13},
    {"page_fault", VMX_EXIT_exception_or_nmi, LOAD_DATA, .prepare = intercept_page_faults, .arrange = unmap_data,
     .qualification = LAB_DATA + 8},
    {"page_fault_that_matches", VMX_EXIT_exception_or_nmi, STORE_DATA, .prepare = intercept_written_pages,
     .arrange = unmap_data, .qualification = LAB_DATA + 8},
    {"page_fault_inverted", VMX_EXIT_exception_or_nmi, LOAD_DATA, .prepare = intercept_all_but_written_pages,
     .arrange = unmap_data, .qualification = LAB_DATA + 8},
    {"machine_check", VMX_EXIT_exception_or_nmi, .cause = between, .prepare = intercept_machine_check,
     .arrange = signal_machine_check},
    {"nmi", VMX_EXIT_exception_or_nmi, .cause = between, CONTROL(PIN, nmi_exiting), .arrange = signal_nmi,
     .without = runs_nmi_handler},
    {"triple_fault", VMX_EXIT_triple_fault, .cause = fault_without_idt, .arrange = no_idt},
    {"external_interrupt", VMX_EXIT_external_interrupt, .cause = between, CONTROL(PIN, external_interrupt_exiting),
     .arrange = interrupt_31, .without = runs_interrupt_handler},
    {"external_interrupt_acknowledged", VMX_EXIT_external_interrupt, .cause = between, .prepare = acknowledge,
     CONTROL(PIN, external_interrupt_exiting), .arrange = interrupt_31, .without = runs_interrupt_handler},
    {"external_interrupt_with_if_0", VMX_EXIT_external_interrupt, .cause = between,
     CONTROL(PIN, external_interrupt_exiting), .arrange = interrupt_31_with_if_0, .without = goes_on},
    {"init", VMX_EXIT_init_signal, .cause = between, .arrange = signal_init},
    {"sipi", VMX_EXIT_sipi, .cause = between, .prepare = wait_for_sipi, .arrange = signal_sipi, .qualification = 0x9a},
    {"interrupt_window", VMX_EXIT_interrupt_window, .cause = between, CONTROL(PRIMARY, interrupt_window_exiting),
     .arrange = enable_interrupts, .without = goes_on},
    {"interrupt_window_halted", VMX_EXIT_interrupt_window, .cause = between,
     CONTROL(PRIMARY, interrupt_window_exiting), .arrange = halt_with_interrupts, .without = is_halted},
    {"nmi_window", VMX_EXIT_nmi_window, .cause = between, CONTROL(PRIMARY, nmi_window_exiting),
     .prepare = virtual_nmis, .without = goes_on},
    {"monitor_trap", VMX_EXIT_monitor_trap_flag, .cause = step, CONTROL(PRIMARY, monitor_trap_flag),
     .without = goes_on},
    {"preemption_timer", VMX_EXIT_preemption_timer, .cause = between, CONTROL(PIN, activate_preemption_timer),
     .prepare = timer_of_3, .arrange = let_100_cycles_pass, .without = goes_on},
};

const struct exit_rows event_exits = {rows, HV_ARRAY_LEN(rows)};
