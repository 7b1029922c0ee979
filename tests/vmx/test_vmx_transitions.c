/* SPDX-License-Identifier: MIT */
/*
 * What VM entries and VM exits do beside moving registers: events, blocking, MSR areas, failures, aborts, the
 * VMX-preemption timer, time and counts. SDM Vol. 3C chapters 27 and 28 (26 and 27 in editions before 2022).
 */
#include "gtest.h"

#include <string.h>

#include "machine.h"

enum { LIST_AT = 0xe0000, STORE_AT = 0xe1000 };

/* In root operation with the valid VMCS of a baseline. */
static struct machine *machine_before(enum baseline base)
{
    struct machine *m = machine_new(NULL);
    struct vmx_entry e;
    struct vmx_caps caps;
    baseline_init(base, &e, &caps);
    machine_root(m);
    machine_load_entry(&m->p, VMCS_AT, &e);
    return m;
}

#define SET(m, name, value) VMCS_SET(&(m)->p.vmx.current, name, value)
#define GET(m, name) VMCS_GET(&(m)->p.vmx.current, name)

static int launch(struct machine *m)
{
    return machine_do(&m->p, CPU_OP_vmlaunch, 0);
}

static void list_entry(struct machine *m, unsigned i, uint64_t index, uint64_t value)
{
    physmem_write64(&m->memory, (hv_hpa){LIST_AT + 16 * i}, index);
    physmem_write64(&m->memory, (hv_hpa){LIST_AT + 16 * i + 8}, value);
}

/* --- information ------------------------------------------------------------------------------------------------- */

static void an_exit_records_what_happened(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    const struct vmx_exit exit = {
        .reason = VMX_EXIT_ept_violation, .qualification = 0x181, .guest_linear = 0x1111, .guest_physical = 0x2222,
        .interruption = 0x80000b0e, .interruption_error = 2, .vectoring = 0x80000020, .vectoring_error = 3, .length = 5,
        .information = 0x4444,
    };
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(vmx_exit(&m->p, &exit), CPU_EXITED);
    assert_int_equal(GET(m, exit_reason), 48);
    assert_int_equal(GET(m, exit_qualification), 0x181);
    assert_int_equal(GET(m, guest_linear_address), 0x1111);
    assert_int_equal(GET(m, guest_physical_address), 0x2222);
    assert_int_equal(GET(m, exit_interruption_information), 0x80000b0e);
    assert_int_equal(GET(m, exit_interruption_error_code), 2);
    assert_int_equal(GET(m, idt_vectoring_information), 0x80000020);
    assert_int_equal(GET(m, idt_vectoring_error_code), 3);
    assert_int_equal(GET(m, exit_instruction_length), 5);
    assert_int_equal(GET(m, exit_instruction_information), 0x4444);
    assert_memory_equal(&m->p.vmx.exit, &exit, sizeof(exit));
    machine_free(m);
}

/* SDM "Updating VM-Entry Control Fields" in 28.2 (27.2): the event is injected once. */
static void an_exit_ends_the_injection(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, entry_interruption_information, 0x80000700); /* a pending MTF VM exit */
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_true(m->p.vmx.mtf_pending);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(GET(m, entry_interruption_information), 0x700);
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_false(m->p.vmx.mtf_pending);
    machine_free(m);
}

/* --- non-register state ------------------------------------------------------------------------------------------ */

static void activity_and_blocking_are_the_guests(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, guest_activity_state, 1);
    SET(m, guest_pending_debug_exceptions, 0x1001);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.state.activity, CPU_HALTED);
    assert_int_equal(m->p.state.pending_debug, 0x1001);
    m->p.state.activity = CPU_ACTIVE;
    m->p.state.interruptibility = CPU_BLOCKED_BY_STI;
    m->p.state.pending_debug = 0x4000;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(GET(m, guest_activity_state), 0);
    assert_int_equal(GET(m, guest_interruptibility_state), 1);
    assert_int_equal(GET(m, guest_pending_debug_exceptions), 0x4000);
    assert_int_equal(m->p.state.interruptibility | m->p.state.pending_debug, 0);
    machine_free(m);
}

/* With virtual NMIs, bit 3 of the interruptibility state is of them, and physical NMIs are not blocked. */
static void virtual_nmis_are_blocked_apart(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, guest_interruptibility_state, 8);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_true(m->p.vmx.virtual_nmi_blocking);
    assert_int_equal(m->p.state.interruptibility & CPU_BLOCKED_BY_NMI, 0);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(GET(m, guest_interruptibility_state), 8);
    assert_int_equal(m->p.state.interruptibility, 0);
    machine_free(m);
}

static void blocking_by_nmi_outlives_an_exit(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, pin_based_controls, 0x17); /* external interrupts alone */
    SET(m, guest_interruptibility_state, 8);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.state.interruptibility, CPU_BLOCKED_BY_NMI);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(GET(m, guest_interruptibility_state), 8);
    assert_int_equal(m->p.state.interruptibility, CPU_BLOCKED_BY_NMI);
    machine_free(m);
}

static void an_nmi_that_exits_blocks_nmis(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    const struct vmx_exit nmi = {.reason = VMX_EXIT_exception_or_nmi, .interruption = 0x80000202};
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(vmx_exit(&m->p, &nmi), CPU_EXITED);
    assert_int_equal(m->p.state.interruptibility, CPU_BLOCKED_BY_NMI);
    assert_int_equal(GET(m, guest_interruptibility_state), 0);
    machine_free(m);
}

/* --- injection ------------------------------------------------------------------------------------------------- */

enum { GDT_AT = 0xe8000, IDT_AT = 0xe9000, HANDLER_AT = 0x9000, STACK_AT = 0x8000 };

/* A 64-bit code segment, and an interrupt gate to it. */
#define DESCRIPTOR_CODE UINT64_C(0x00af9b000000ffff)
#define GATE (HANDLER_AT | UINT64_C(8) << 16 | UINT64_C(0x8e00) << 32)

/* A guest whose events can be delivered: descriptor tables and a stack in memory that its page tables map. */
static struct machine *machine_with_handlers(uint32_t interruption)
{
    struct machine *m = machine_before(BASE_LONG);
    physmem_write64(&m->memory, (hv_hpa){GDT_AT + 8}, DESCRIPTOR_CODE);
    for (uint64_t vector = 0; vector < 64; vector++) {
        physmem_write64(&m->memory, (hv_hpa){IDT_AT + 16 * vector}, GATE);
    }
    SET(m, guest_cr3, TABLES_AT);
    SET(m, guest_rsp, STACK_AT);
    SET(m, guest_gdtr_base, GDT_AT);
    SET(m, guest_idtr_base, IDT_AT);
    SET(m, entry_interruption_information, interruption);
    SET(m, entry_instruction_length, 2);
    return m;
}

/* SDM 27.7.1 to 27.7.3 (26.7): active, nothing blocked but NMIs, no debug exception pending. */
static void an_injected_nmi_wakes_and_blocks_nmis(void **state)
{
    (void)state;
    struct machine *m = machine_with_handlers(0x80000202);
    SET(m, guest_activity_state, 1);
    SET(m, guest_pending_debug_exceptions, 0x1001);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.state.activity, CPU_ACTIVE);
    assert_true(m->p.vmx.virtual_nmi_blocking);
    assert_int_equal(m->p.state.interruptibility, 0);
    assert_int_equal(m->p.state.pending_debug, 0);
    machine_free(m);
}

static void an_injected_nmi_without_virtual_nmis(void **state)
{
    (void)state;
    struct machine *m = machine_with_handlers(0x80000202);
    SET(m, pin_based_controls, 0x1f);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_false(m->p.vmx.virtual_nmi_blocking);
    assert_int_equal(m->p.state.interruptibility, CPU_BLOCKED_BY_NMI);
    machine_free(m);
}

/* A software interrupt with blocking by MOV SS leaves debug exceptions pending; an exception does not. */
static void pending_debug_exceptions_outlive_some_injections(void **state)
{
    (void)state;
    const uint32_t interruption[] = {0x80000420, 0x80000306};
    for (size_t i = 0; i < HV_ARRAY_LEN(interruption); i++) {
        struct machine *m = machine_with_handlers(interruption[i]);
        SET(m, guest_interruptibility_state, 2);
        SET(m, guest_pending_debug_exceptions, 0x1001);
        assert_int_equal(launch(m), CPU_ENTERED);
        assert_int_equal(m->p.state.interruptibility, 0);
        assert_int_equal(m->p.state.pending_debug, i == 0 ? 0x1001 : 0);
        machine_free(m);
    }
}

/* --- MSR areas --------------------------------------------------------------------------------------------------- */

static void msr_areas_are_loaded_and_stored(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    list_entry(m, 0, 0xc0000081, 0x123400000000); /* IA32_STAR */
    list_entry(m, 1, 0xc0000102, 0x7000);         /* IA32_KERNEL_GS_BASE */
    SET(m, entry_msr_load_address, LIST_AT);
    SET(m, entry_msr_load_count, 2);
    physmem_write64(&m->memory, (hv_hpa){STORE_AT}, 0xc0000102);
    SET(m, exit_msr_store_address, STORE_AT);
    SET(m, exit_msr_store_count, 1);
    SET(m, exit_msr_load_address, LIST_AT);
    SET(m, exit_msr_load_count, 1);
    hv_cycles before = m->p.now;
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.now - before, COST_ENTRY + 2 * COST_MSR);
    assert_int_equal(m->p.state.msrs.star, 0x123400000000);
    assert_int_equal(m->p.state.msrs.kernel_gs_base, 0x7000);
    m->p.state.msrs.kernel_gs_base = 0x8000;
    m->p.state.msrs.star = 0;
    before = m->p.now;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(m->p.now - before, COST_EXIT + 2 * COST_MSR);
    assert_int_equal(physmem_read64(&m->memory, (hv_hpa){STORE_AT + 8}), 0x8000);
    assert_int_equal(m->p.state.msrs.kernel_gs_base, 0x8000);
    assert_int_equal(m->p.state.msrs.star, 0x123400000000);
    machine_free(m);
}

struct bad_msr {
    const char *name;
    uint64_t index, value;
};

/* SDM 27.4 (26.4), each reason, and some of WRMSR's. */
static const struct bad_msr bad_msrs[] = {
    {"fs_base", 0xc0000100, 0},
    {"gs_base", 0xc0000101, 0},
    {"x2apic_first", 0x800, 0},
    {"x2apic_last", 0x8ff, 0},
    {"smm_monitor_ctl", 0x9b, 0},
    {"microcode_update", 0x79, 0},
    {"reserved_bits", UINT64_C(0x1c0000081), 0},
    {"no_such_msr", 0x12345678, 0},
    {"capability", 0x480, 0},
    {"pat_type", 0x277, 2},
    {"efer_reserved", 0xc0000080, 0x2d01},
    {"efer_lme_with_paging", 0xc0000080, 0x801},
    {"lstar_not_canonical", 0xc0000082, UINT64_C(1) << 47},
    {"tsc_aux_wide", 0xc0000103, UINT64_C(1) << 32},
    {"debugctl_reserved", 0x1d9, 0x8},
};

/* The third entry fails: reason 34, which entry it was, and the host is back. */
static void an_entry_does_not_load_it(void **state)
{
    const struct bad_msr *row = *state;
    struct machine *m = machine_before(BASE_LONG);
    list_entry(m, 0, 0xc0000081, 5);
    list_entry(m, 1, 0xc0000083, 6);
    list_entry(m, 2, row->index, row->value);
    SET(m, entry_msr_load_address, LIST_AT);
    SET(m, entry_msr_load_count, 4);
    m->p.state.interruptibility = CPU_BLOCKED_BY_NMI;
    assert_int_equal(launch(m), CPU_EXITED);
    assert_int_equal(GET(m, exit_reason), 0x80000022);
    assert_int_equal(GET(m, exit_qualification), 3);
    assert_int_equal(m->p.state.rip, GET(m, host_rip));
    assert_int_equal(m->p.state.interruptibility, CPU_BLOCKED_BY_NMI);
    assert_int_equal(m->p.state.msrs.star, 5);
    assert_int_equal(vmcs_launch_state(&m->p.vmx.current), VMCS_CLEAR);
    assert_int_equal(m->p.vmx.stats.entry_failures, 1);
    assert_int_equal(m->p.vmx.stats.entries, 0);
    machine_free(m);
}

static void a_list_without_end_ends(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    for (unsigned i = 0; i < 513; i++) {
        list_entry(m, i, 0xc0000081, i);
    }
    SET(m, entry_msr_load_address, LIST_AT);
    SET(m, entry_msr_load_count, UINT32_MAX);
    assert_int_equal(launch(m), CPU_EXITED);
    assert_int_equal(GET(m, exit_qualification), 513);
    machine_free(m);
}

/* --- failures and aborts ----------------------------------------------------------------------------------------- */

/* SDM 27.8 (26.8): two exit fields change and no other field does; the injection is still to be done. */
static void a_failed_entry_saves_nothing(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    uint64_t before[VMCS_FIELDS];
    SET(m, guest_rflags, 0);
    SET(m, entry_interruption_information, 0x80000306);
    for (int i = 0; i < VMCS_FIELDS; i++) {
        before[i] = vmcs_get(&m->p.vmx.current, (enum vmcs_index)i);
    }
    assert_int_equal(launch(m), CPU_EXITED);
    for (int i = 0; i < VMCS_FIELDS; i++) {
        if (i != VMCS_INDEX_exit_reason && i != VMCS_INDEX_exit_qualification) {
            assert_int_equal(vmcs_get(&m->p.vmx.current, (enum vmcs_index)i), before[i]);
        }
    }
    assert_int_equal(m->p.state.rip, GET(m, host_rip));
    assert_int_equal(m->p.state.cr3, GET(m, host_cr3));
    SET(m, guest_rflags, 2);
    SET(m, entry_interruption_information, 0);
    assert_int_equal(launch(m), CPU_ENTERED); /* the launch state is still clear */
    machine_free(m);
}

static void a_machine_check_fails_the_entry(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    processor_signal(&m->p, CPU_SIGNAL_MACHINE_CHECK, 0);
    assert_int_equal(launch(m), CPU_EXITED);
    assert_int_equal(GET(m, exit_reason), 0x80000029);
    assert_int_equal(m->p.signals, 0);
    machine_free(m);
}

static void check_abort(struct machine *m, int end, uint32_t indicator)
{
    assert_int_equal(end, CPU_STOPPED);
    assert_int_equal(m->p.state.activity, CPU_SHUTDOWN);
    assert_int_equal(physmem_read64(&m->memory, (hv_hpa){VMCS_AT}) >> 32, indicator);
}

static void msrs_that_cannot_be_stored_abort(void **state)
{
    (void)state;
    const uint64_t bad[] = {0x800, 0x9e, 0x12345678, UINT64_C(0x100000010)};
    for (size_t i = 0; i < HV_ARRAY_LEN(bad); i++) {
        struct machine *m = machine_before(BASE_LONG);
        list_entry(m, 0, bad[i], 0);
        SET(m, exit_msr_store_address, LIST_AT);
        SET(m, exit_msr_store_count, 1);
        assert_int_equal(launch(m), CPU_ENTERED);
        check_abort(m, machine_exit(&m->p), 1);
        machine_free(m);
    }
}

static void reserved_bits_of_the_hosts_pdptes_abort(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_32_BIT_HOST);
    physmem_write64(&m->memory, (hv_hpa){0x6018}, 0x7003);
    SET(m, host_cr3, 0x6000);
    check_abort(m, machine_exit(&m->p), 2);
    machine_free(m);
}

static void a_corrupt_vmcs_aborts(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    assert_int_equal(launch(m), CPU_ENTERED);
    vmcs_set_revision(&m->p.vmx.current, 0);
    check_abort(m, machine_exit(&m->p), 3);
    machine_free(m);
}

static void msrs_of_the_host_that_cannot_be_loaded_abort(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    list_entry(m, 0, 0xc0000100, 0);
    SET(m, exit_msr_load_address, LIST_AT);
    SET(m, exit_msr_load_count, 1);
    assert_int_equal(launch(m), CPU_ENTERED);
    check_abort(m, machine_exit(&m->p), 4);
    machine_free(m);
}

static void a_32_bit_host_of_a_guest_in_long_mode_aborts(void **state)
{
    (void)state;
    struct machine *m = machine_new(NULL);
    machine_launch(m, BASE_32_BIT_HOST);
    m->p.state.msrs.efer |= CPU_EFER_LMA;
    check_abort(m, machine_exit(&m->p), 6);
    machine_free(m);
}

/* --- the VMX-preemption timer: one step each 32 cycles of the TSC ------------------------------------------------ */

static void the_timer_counts_every_32_cycles(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, pin_based_controls, 0x7f);
    SET(m, exit_controls, 0x36fff | 1u << 22);
    SET(m, vmx_preemption_timer_value, 10);
    m->p.now = 1000 - COST_ENTRY; /* 1000 is 31 * 32 + 8 */
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.vmx.preemption_deadline, 41 * 32);
    m->p.now = 34 * 32;
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    assert_int_equal(GET(m, vmx_preemption_timer_value), 7);
    assert_int_equal(m->p.vmx.preemption_deadline, UINT64_MAX);
    machine_free(m);
}

static void a_timer_of_0_is_over_at_once(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, pin_based_controls, 0x7f);
    m->p.now = 1000;
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.vmx.preemption_deadline, m->p.now);
    machine_free(m);
}

static void without_the_control_there_is_no_timer(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    SET(m, vmx_preemption_timer_value, 10);
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.vmx.preemption_deadline, UINT64_MAX);
    machine_free(m);
}

/* --- time and counts --------------------------------------------------------------------------------------------- */

static void round_trips_are_counted_by_reason(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    assert_int_equal(launch(m), CPU_ENTERED);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(machine_exit(&m->p), CPU_EXITED);
        m->p.now += 500;
        assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
        m->p.now += 70000;
    }
    assert_int_equal(m->p.vmx.stats.reasons[VMX_EXIT_cpuid].count, 3);
    assert_int_equal(m->p.vmx.stats.reasons[VMX_EXIT_cpuid].cycles, 3 * (COST_EXIT + 500 + COST_ENTRY));
    assert_int_equal(m->p.vmx.stats.entries, 4);
    machine_free(m);
}

static void a_control_that_was_written_costs_the_next_entry(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    hv_cycles before = m->p.now;
    assert_int_equal(launch(m), CPU_ENTERED);
    assert_int_equal(m->p.now - before, COST_ENTRY);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    before = m->p.now;
    machine_vmwrite(&m->p, VMCS_exception_bitmap, 0x40);
    assert_int_equal(m->p.now - before, COST_VMWRITE);
    (void)machine_vmread(&m->p, VMCS_exception_bitmap);
    assert_int_equal(m->p.now - before, COST_VMWRITE + COST_VMREAD);
    before = m->p.now;
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_int_equal(m->p.now - before, COST_ENTRY + COST_CONTROL);
    assert_int_equal(m->p.vmx.exception_bitmap, 0x40);
    assert_int_equal(machine_exit(&m->p), CPU_EXITED);
    machine_vmwrite(&m->p, VMCS_guest_rip, 0x1000);
    before = m->p.now;
    assert_int_equal(machine_do(&m->p, CPU_OP_vmresume, 0), CPU_ENTERED);
    assert_int_equal(m->p.now - before, COST_ENTRY);
    machine_free(m);
}

/* The region of an active VMCS is not read while the guest runs: its controls were copied. */
static void stores_do_not_reach_a_running_guest(void **state)
{
    (void)state;
    struct machine *m = machine_before(BASE_LONG);
    assert_int_equal(launch(m), CPU_ENTERED);
    SET(m, primary_controls, 0xffffffff);
    assert_false(VMX_ON(&m->p, PRIMARY, hlt_exiting));
    assert_true(VMX_ON(&m->p, PRIMARY, use_msr_bitmaps));
    machine_free(m);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(an_exit_records_what_happened),
        cmocka_unit_test(an_exit_ends_the_injection),
        cmocka_unit_test(activity_and_blocking_are_the_guests),
        cmocka_unit_test(virtual_nmis_are_blocked_apart),
        cmocka_unit_test(blocking_by_nmi_outlives_an_exit),
        cmocka_unit_test(an_nmi_that_exits_blocks_nmis),
        cmocka_unit_test(an_injected_nmi_wakes_and_blocks_nmis),
        cmocka_unit_test(an_injected_nmi_without_virtual_nmis),
        cmocka_unit_test(pending_debug_exceptions_outlive_some_injections),
        cmocka_unit_test(msr_areas_are_loaded_and_stored),
        cmocka_unit_test(a_list_without_end_ends),
        cmocka_unit_test(a_failed_entry_saves_nothing),
        cmocka_unit_test(a_machine_check_fails_the_entry),
        cmocka_unit_test(msrs_that_cannot_be_stored_abort),
        cmocka_unit_test(reserved_bits_of_the_hosts_pdptes_abort),
        cmocka_unit_test(a_corrupt_vmcs_aborts),
        cmocka_unit_test(msrs_of_the_host_that_cannot_be_loaded_abort),
        cmocka_unit_test(a_32_bit_host_of_a_guest_in_long_mode_aborts),
        cmocka_unit_test(the_timer_counts_every_32_cycles),
        cmocka_unit_test(a_timer_of_0_is_over_at_once),
        cmocka_unit_test(without_the_control_there_is_no_timer),
        cmocka_unit_test(round_trips_are_counted_by_reason),
        cmocka_unit_test(a_control_that_was_written_costs_the_next_entry),
        cmocka_unit_test(stores_do_not_reach_a_running_guest),
    };
    struct CMUnitTest bad[HV_ARRAY_LEN(bad_msrs)];
    gtest_rows(bad, an_entry_does_not_load_it, bad_msrs, sizeof(bad_msrs[0]), HV_ARRAY_LEN(bad_msrs));
    const struct gtest_suite suites[] = {GTEST_SUITE("VmxTransitions", plain), GTEST_SUITE("VmxMsrFails", bad)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
