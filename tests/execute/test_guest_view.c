/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees, and what it cannot see: a guest at ring 0 believes to own the processor. SDM Vol. 3C 26.1 lists
 * what exits, and what is not in the list does not; 26.3 says what a guest reads of registers that the host owns.
 */
#include "checks.h"

static void resume(struct lab *l)
{
    assert_int_equal(LAB_DO(l, vmresume, 0), CPU_ENTERED);
}

/* --- ring aliasing ----------------------------------------------------------------------------------------------- */

static void sgdt_shows_the_guests_own_table(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, sgdt, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    assert_int_equal(lab_read(l, LAB_DATA, 2), 0x3f);
    assert_int_equal(lab_read(l, LAB_DATA + 2, 8), LAB_GDT);
}

static void str_shows_the_guests_own_task(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, str, .reg1 = CPU_RBX), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), LAB_TR);
}

/* A kernel moved to ring 1 by ring compression would read 1 in the two lowest bits of CS. */
static void cs_says_ring_0_to_a_guest_at_ring_0(void **state)
{
    struct lab *l = *state;
    lab_gate(l, 0x80, 0x8e, 0);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, int_n, .value = 0x80), CPU_COMPLETED);
    assert_int_equal(lab_read(l, LAB_STACK - 32, 8) & 3, 0); /* CS in the frame: SS, RSP, RFLAGS, CS, RIP */
    assert_int_equal(cpu_cpl(&STATE(l)), 0);
}

/* The host's mask has CR4.VMXE, which VMX operation needs and the guest did not set. */
static void cr4_hides_vmx_operation(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, cr4_guest_host_mask, CPU_CR4_VMXE);
    LAB_SET(l, cr4_read_shadow, 0);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, mov_from_cr, .reg1 = CPU_RBX, .reg2 = 4), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), STATE(l).cr4 & ~CPU_CR4_VMXE);
    assert_true((STATE(l).cr4 & CPU_CR4_VMXE) != 0);
}

static void smsw_reads_the_shadow_too(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, cr0_guest_host_mask, CPU_CR0_TS);
    LAB_SET(l, cr0_read_shadow, CPU_CR0_TS);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, smsw, .reg1 = CPU_RBX, .size = 8), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 0x80050033 | 8);
    assert_int_equal(STATE(l).cr0, 0x80050033);
}

/* Bits that it does not own keep their values when the guest writes what it reads. */
static void a_write_of_what_was_read_does_not_exit(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, cr0_guest_host_mask, CPU_CR0_NE);
    LAB_SET(l, cr0_read_shadow, 0);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, mov_from_cr, .reg1 = CPU_RBX, .reg2 = 0), CPU_COMPLETED);
    REG(l, RBX) |= CPU_CR0_TS;
    assert_int_equal(LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).cr0, 0x80050033 | 8);
}

/* --- rings without exits ----------------------------------------------------------------------------------------- */

static void system_calls_do_not_exit(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, guest_sysenter_cs, LAB_CODE_0);
    LAB_SET(l, guest_sysenter_eip, LAB_CODE + 0x100);
    LAB_SET(l, guest_sysenter_esp, LAB_STACK_0);
    lab_launch(l);
    lab_user(l);
    assert_int_equal(LAB_DO(l, sysenter, 0), CPU_COMPLETED);
    assert_int_equal(cpu_cpl(&STATE(l)), 0);
    assert_int_equal(STATE(l).rip, LAB_CODE + 0x100);
    assert_int_equal(REG(l, RSP), LAB_STACK_0);
    REG(l, RDX) = LAB_CODE;
    REG(l, RCX) = LAB_STACK;
    assert_int_equal(LAB_DO(l, sysexit, .size = 8), CPU_COMPLETED);
    assert_int_equal(cpu_cpl(&STATE(l)), 3);
    assert_int_equal(STATE(l).segments[CPU_CS].selector, (LAB_CODE_0 + 32) | 3);
    assert_int_equal(STATE(l).segments[CPU_SS].selector, (LAB_CODE_0 + 40) | 3);
    assert_int_equal(l->p.vmx.stats.reasons[VMX_EXIT_exception_or_nmi].count, 0);
}

static void syscall_and_sysret_do_not_exit(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).msrs.star = UINT64_C(0x0008) << 32 | UINT64_C(0x0013) << 48;
    STATE(l).msrs.lstar = LAB_CODE + 0x200;
    STATE(l).msrs.fmask = CPU_RFLAGS_IF;
    lab_user(l);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(LAB_DO(l, syscall, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE + 0x200);
    assert_int_equal(REG(l, RCX), LAB_CODE + 2);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, 0);
    assert_int_equal(LAB_DO(l, sysret, .size = 8), CPU_COMPLETED);
    assert_int_equal(cpu_cpl(&STATE(l)), 3);
    assert_int_equal(STATE(l).rip, LAB_CODE + 2);
    assert_int_equal(STATE(l).rflags & CPU_RFLAGS_IF, CPU_RFLAGS_IF);
    assert_int_equal(STATE(l).segments[CPU_CS].selector, 0x23);
}

/* --- hidden state ------------------------------------------------------------------------------------------------ */

/* The GDT changes in memory behind a loaded register; exit and entry bring back the register, not the table. */
static void segment_caches_survive_exit_and_entry(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).segments[CPU_FS].base = 0x123456789000;
    STATE(l).segments[CPU_DS].limit = 0x12345fff;
    lab_write(l, LAB_GDT + LAB_DATA_0, 8, 0);
    assert_int_equal(LAB_DO(l, cpuid, 0), CPU_EXITED);
    assert_int_not_equal(STATE(l).segments[CPU_FS].base, 0x123456789000);
    resume(l);
    assert_int_equal(STATE(l).segments[CPU_FS].base, 0x123456789000);
    assert_int_equal(STATE(l).segments[CPU_DS].limit, 0x12345fff);
    assert_int_equal(STATE(l).segments[CPU_DS].selector, LAB_DATA_0);
}

/* The guest's address 59000H is another page than the host's, before and after. */
static void exit_and_entry_switch_the_address_space(void **state)
{
    struct lab *l = *state;
    uint64_t value = 0;
    enum cpu_end end;
    for (uint64_t table = 0; table < 4; table++) { /* a copy of the tables at 60000H, where page 59H is 61 */
        for (uint64_t entry = 0; entry < 512; entry++) {
            uint64_t old = lab_read(l, 0x10000 + table * 0x1000 + 8 * entry, 8);
            uint64_t moved = table < 3 && old != 0 ? old + 0x60000 : old;
            lab_write(l, 0x70000 + table * 0x1000 + 8 * entry, 8, moved);
        }
    }
    lab_write(l, 0x73000 + 8 * 0x59, 8, 0x61007);
    lab_write(l, LAB_DATA, 8, 111);
    lab_write(l, 0x61000, 8, 222);
    LAB_SET(l, guest_cr3, 0x70000);
    lab_launch(l);
    assert_true(cpu_access(&l->p, (hv_gva){LAB_DATA}, HV_LOAD, &value, 8, &end));
    assert_int_equal(value, 222);
    assert_int_equal(LAB_DO(l, cpuid, 0), CPU_EXITED);
    assert_true(cpu_access(&l->p, (hv_gva){LAB_DATA}, HV_LOAD, &value, 8, &end));
    assert_int_equal(value, 111);
    resume(l);
    assert_true(cpu_access(&l->p, (hv_gva){LAB_DATA}, HV_LOAD, &value, 8, &end));
    assert_int_equal(value, 222);
}

/* --- priority: 26.1.1 -------------------------------------------------------------------------------------------- */

/* HLT at CPL 3 is #GP(0), although HLT exits. */
static void privilege_comes_before_the_exit(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PRIMARY, hlt_exiting);
    lab_launch(l);
    lab_user(l);
    assert_int_equal(LAB_DO(l, hlt, 0), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
    assert_int_equal(STATE(l).rip, LAB_CODE);
}

/* RDMSR of an MSR that does not exist exits, and is no #GP(0), at CPL 0. */
static void the_exit_comes_before_other_faults(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    REG(l, RCX) = 0x7fffffff;
    assert_int_equal(LAB_DO(l, rdmsr, 0), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_rdmsr);
}

/* Undefined in a guest while their control is 0, whatever else intercepts them. */
static void controls_take_instructions_away(void **state)
{
    struct lab *l = *state;
    static const enum cpu_op ops[] = {CPU_OP_rdtscp, CPU_OP_invpcid, CPU_OP_xsaves, CPU_OP_tpause, CPU_OP_pconfig};
    lab_control(l, VMX_SECONDARY, 0x0c101008, false);
    LAB_ON(l, PRIMARY, rdtsc_exiting);
    LAB_ON(l, PRIMARY, invlpg_exiting);
    lab_launch(l);
    for (size_t o = 0; o < HV_ARRAY_LEN(ops); o++) {
        assert_int_equal(lab_do(l, &(struct cpu_instruction){.op = ops[o], LAB_MEMORY(LAB_DATA)}), CPU_RAISED);
        assert_int_equal(l->p.raised.vector, CPU_UD);
    }
}

/* The I/O permission bitmap of the task lies beyond its TSS, so every port is #GP(0), before the exit. */
static void the_io_bitmap_of_the_task_comes_first(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PRIMARY, unconditional_io_exiting);
    lab_write(l, LAB_TSS + 0x66, 2, 0x68);
    lab_launch(l);
    lab_user(l);
    assert_int_equal(LAB_DO(l, in, .value = 0x80, .size = 1), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
}

GTEST_MAIN("GuestView", TEST(sgdt_shows_the_guests_own_table), TEST(str_shows_the_guests_own_task),
           TEST(cs_says_ring_0_to_a_guest_at_ring_0), TEST(cr4_hides_vmx_operation), TEST(smsw_reads_the_shadow_too),
           TEST(a_write_of_what_was_read_does_not_exit), TEST(system_calls_do_not_exit),
           TEST(syscall_and_sysret_do_not_exit), TEST(segment_caches_survive_exit_and_entry),
           TEST(exit_and_entry_switch_the_address_space), TEST(privilege_comes_before_the_exit),
           TEST(the_exit_comes_before_other_faults), TEST(controls_take_instructions_away),
           TEST(the_io_bitmap_of_the_task_comes_first))
