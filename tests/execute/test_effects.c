/* SPDX-License-Identifier: MIT */
/* What instructions do and refuse when they do not exit. */
#include "checks.h"

static enum cpu_end write_cr(struct lab *l, unsigned number, uint64_t value)
{
    REG(l, RBX) = value;
    return LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = (uint8_t)number);
}

static void refuses(struct lab *l, enum cpu_end end)
{
    assert_int_equal(end, CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
}

static enum cpu_end write_msr(struct lab *l, uint32_t index, uint64_t value)
{
    REG(l, RCX) = index;
    REG(l, RAX) = value & UINT32_MAX;
    REG(l, RDX) = value >> 32;
    return LAB_DO(l, wrmsr, 0);
}

static uint64_t read_msr(struct lab *l, uint32_t index)
{
    REG(l, RCX) = index;
    assert_int_equal(LAB_DO(l, rdmsr, 0), CPU_COMPLETED);
    return REG(l, RDX) << 32 | REG(l, RAX);
}

/* --- control registers ------------------------------------------------------------------------------------------- */

/* NW without CD; paging without protection; WP is needed by nobody; bits 63:32; NE is fixed in VMX operation. */
static void cr0_refuses_what_it_must(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    refuses(l, write_cr(l, 0, 0x80050033 | CPU_CR0_NW));
    refuses(l, write_cr(l, 0, 0x80050033 & ~CPU_CR0_PE));
    refuses(l, write_cr(l, 0, 0x80050033 & ~CPU_CR0_PG));
    refuses(l, write_cr(l, 0, 0x80050033 & ~CPU_CR0_NE));
    refuses(l, write_cr(l, 0, UINT64_C(1) << 32 | 0x80050033));
    assert_int_equal(write_cr(l, 0, 0x80050033 & ~CPU_CR0_WP), CPU_COMPLETED);
    assert_int_equal(STATE(l).cr0, 0x80040033);
}

/* VMXE is fixed in VMX operation, PAE in IA-32e mode; bit 15 is reserved. */
static void cr4_refuses_what_it_must(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    uint64_t cr4 = STATE(l).cr4;
    refuses(l, write_cr(l, 4, cr4 & ~CPU_CR4_VMXE));
    refuses(l, write_cr(l, 4, cr4 & ~CPU_CR4_PAE));
    refuses(l, write_cr(l, 4, cr4 | 1 << 15));
    assert_int_equal(write_cr(l, 4, cr4 | CPU_CR4_PCIDE), CPU_COMPLETED);
    assert_int_equal(write_cr(l, 3, 0x10005), CPU_COMPLETED);
    assert_int_equal(write_cr(l, 4, cr4), CPU_COMPLETED);
    refuses(l, write_cr(l, 4, cr4 | CPU_CR4_PCIDE)); /* bits 11:0 of CR3 are not 0 */
}

/* MAXPHYADDR is 46. Bit 63 keeps translations with PCIDs and is reserved without. */
static void cr3_refuses_what_it_must(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    refuses(l, write_cr(l, 3, UINT64_C(1) << 46));
    refuses(l, write_cr(l, 3, UINT64_C(1) << 63 | 0x10000));
    assert_int_equal(write_cr(l, 4, STATE(l).cr4 | CPU_CR4_PCIDE), CPU_COMPLETED);
    assert_int_equal(write_cr(l, 3, UINT64_C(1) << 63 | 0x10000), CPU_COMPLETED);
    assert_int_equal(STATE(l).cr3, 0x10000);
}

static void a_cr3_target_does_not_exit(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PRIMARY, cr3_load_exiting);
    LAB_SET(l, cr3_target_count, 2);
    LAB_SET(l, cr3_target_value_1, 0x10000);
    LAB_SET(l, cr3_target_value_2, 0x11000);
    lab_launch(l);
    assert_int_equal(write_cr(l, 3, 0x10000), CPU_COMPLETED);
    assert_int_equal(write_cr(l, 3, 0x11000), CPU_EXITED); /* the third value does not count */
}

/* LMSW sets PE and never clears it; CR1 does not exist; CR8 has 4 bits. */
static void lmsw_cr1_and_cr8(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, lmsw, .reg1 = CPU_NO_REGISTER, .value = 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).cr0, 0x80050031);
    assert_int_equal(LAB_DO(l, mov_from_cr, .reg1 = CPU_RBX, .reg2 = 1), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_UD);
    refuses(l, write_cr(l, 8, 16));
}

static void clts_of_a_bit_that_the_host_owns_does_nothing(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, guest_cr0, 0x8005003b);
    LAB_SET(l, cr0_guest_host_mask, CPU_CR0_TS);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, clts, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).cr0, 0x8005003b);
}

/* Paging goes on with EFER.LME set: IA-32e mode is active; off: it is not. In compatibility mode, so unrestricted. */
static void paging_activates_ia32e_mode(void **state)
{
    struct lab *l = *state;
    lab_ept(l);
    LAB_ON(l, SECONDARY, unrestricted_guest);
    LAB_SET(l, entry_controls, 0x11ff);
    LAB_SET(l, guest_cr0, 0x31);
    LAB_SET(l, guest_cr4, 0x2020);
    LAB_SET(l, guest_cs_access_rights, 0xc09b);
    lab_launch(l);
    assert_int_equal(write_msr(l, 0xc0000080, 0x100), CPU_COMPLETED);
    assert_int_equal(write_cr(l, 0, 0x80000031), CPU_COMPLETED);
    assert_true(cpu_long_mode(&STATE(l)));
    refuses(l, write_msr(l, 0xc0000080, 0)); /* LME cannot change while paging is on */
    assert_int_equal(write_cr(l, 0, 0x31), CPU_COMPLETED);
    assert_false(cpu_long_mode(&STATE(l)));
}

/* --- MSRs -------------------------------------------------------------------------------------------------------- */

static void wrmsr_refuses_reserved_bits(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    refuses(l, write_msr(l, 0xc0000082, UINT64_C(1) << 47)); /* IA32_LSTAR: not canonical */
    refuses(l, write_msr(l, 0x277, 2));                      /* IA32_PAT: no memory type 2 */
    refuses(l, write_msr(l, 0xc0000080, 1 << 9));            /* IA32_EFER: reserved */
    refuses(l, write_msr(l, 0x480, 0));                      /* IA32_VMX_BASIC is read-only */
    refuses(l, write_msr(l, 0x1fff, 0));
    assert_int_equal(write_msr(l, 0xc0000100, 0x7fff00001000), CPU_COMPLETED);
    assert_int_equal(STATE(l).segments[CPU_FS].base, 0x7fff00001000);
    assert_int_equal(read_msr(l, 0x480) & 0x7fffffff, VMCS_REVISION);
}

/* The guest's reads of the TSC are offset, its writes are not (26.3): it reads what it wrote, plus the offset. */
static void a_written_tsc_reads_back_with_the_offset(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PRIMARY, use_tsc_offsetting);
    LAB_SET(l, tsc_offset, 1000);
    lab_launch(l);
    assert_int_equal(write_msr(l, 0x10, 50000), CPU_COMPLETED);
    assert_int_equal(read_msr(l, 0x10), 50000 + 1000 + 1); /* one instruction later */
}

/* SPEC_CTRL: bit 0 is the host's and stays 1; the shadow has what the guest wrote. */
static void spec_ctrl_is_shadowed(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, PRIMARY, activate_tertiary_controls);
    LAB_ON(l, TERTIARY, virtualize_spec_ctrl);
    LAB_SET(l, spec_ctrl_mask, 1);
    STATE(l).msrs.spec_ctrl = 1;
    lab_launch(l);
    assert_int_equal(write_msr(l, 0x48, 4), CPU_COMPLETED);
    assert_int_equal(STATE(l).msrs.spec_ctrl, 5);
    assert_int_equal(read_msr(l, 0x48), 4);
}

/* --- others ------------------------------------------------------------------------------------------------------ */

/*
 * SDM Vol. 1 13.11 and 13.12: of components in their initial configuration XSAVES writes no more than 16 bytes of the
 * header; XRSTORS refuses a header that is not of the compacted form, that has components which do not exist or which
 * it does not list, and one whose last 48 bytes are not 0.
 */
static void xrstors_refuses_a_bad_header(void **state)
{
    struct lab *l = *state;
    const uint64_t header = LAB_DATA + 512, compacted = UINT64_C(1) << 63;
    static const struct {
        unsigned word;
        uint64_t value;
    } bad[] = {{1, 3}, {1, UINT64_C(1) << 63 | 1 << 20}, {0, 2}, {2, 1}, {7, 1}};
    lab_launch(l);
    STATE(l).xcr0 = 3;
    STATE(l).registers[CPU_RAX] = 1;
    STATE(l).registers[CPU_RDX] = 0;
    lab_write(l, header + 16, 8, 0);
    assert_int_equal(LAB_DO(l, xsaves, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    assert_int_equal(lab_read(l, header, 8), 0);
    assert_int_equal(lab_read(l, header + 8, 8), compacted | 1);
    assert_int_equal(LAB_DO(l, xrstors, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
    for (size_t i = 0; i < HV_ARRAY_LEN(bad); i++) {
        uint64_t at = header + 8 * bad[i].word, old = lab_read(l, at, 8);
        lab_write(l, at, 8, bad[i].value);
        refuses(l, LAB_DO(l, xrstors, LAB_MEMORY(LAB_DATA)));
        lab_write(l, at, 8, old);
    }
    assert_int_equal(LAB_DO(l, xrstors, LAB_MEMORY(LAB_DATA)), CPU_COMPLETED);
}

/* In root operation, where it does not exit: x87 always, AVX only with SSE. */
static void xsetbv_refuses_what_it_must(void **state)
{
    struct lab *l = *state;
    STATE(l).cr4 |= 1 << 18;
    REG(l, RCX) = REG(l, RDX) = 0;
    REG(l, RAX) = 2;
    refuses(l, LAB_DO(l, xsetbv, 0));
    REG(l, RAX) = 5;
    refuses(l, LAB_DO(l, xsetbv, 0));
    REG(l, RAX) = 7;
    assert_int_equal(LAB_DO(l, xsetbv, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).xcr0, 7);
}

/* Leaf functions do not exist: what the bitmap does not intercept is #GP(0). */
static void enclave_instructions_without_an_exit(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, SECONDARY, enable_encls_exiting);
    LAB_SET(l, encls_exiting_bitmap, UINT64_C(1) << 63);
    lab_launch(l);
    REG(l, RAX) = 62;
    refuses(l, LAB_DO(l, encls, 0));
    REG(l, RAX) = 1000; /* leaves from 63 on share the last bit */
    assert_int_equal(LAB_DO(l, encls, 0), CPU_EXITED);
}

static void pause_loops_count_at_ring_0_only(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, SECONDARY, pause_loop_exiting);
    LAB_SET(l, ple_gap, 100);
    LAB_SET(l, ple_window, 200);
    lab_launch(l);
    lab_user(l);
    for (unsigned n = 0; n < 10; n++) {
        assert_int_equal(LAB_DO(l, pause, 0), CPU_COMPLETED);
        l->p.now += 50;
    }
}

/* A gap longer than PLE_Gap begins a new loop. */
static void a_slow_pause_loop_does_not_exit(void **state)
{
    struct lab *l = *state;
    LAB_ON(l, SECONDARY, pause_loop_exiting);
    LAB_SET(l, ple_gap, 100);
    LAB_SET(l, ple_window, 200);
    lab_launch(l);
    for (unsigned n = 0; n < 10; n++) {
        assert_int_equal(LAB_DO(l, pause, 0), CPU_COMPLETED);
        l->p.now += 150;
    }
}

/* The memory operand of LMSW is read before the exit is decided: a page fault comes first (26.1.1). */
static void an_operand_that_decides_is_read_first(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, cr0_guest_host_mask, CPU_CR0_TS);
    lab_launch(l);
    lab_write(l, LAB_PT + 8 * (LAB_DATA >> 12), 8, 0);
    assert_int_equal(LAB_DO(l, lmsw, LAB_MEMORY(LAB_DATA)), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_PF);
}

/* Each element is an instruction of its own for events: RIP stays until RCX is 0. */
static void rep_outs_does_one_element_at_a_time(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    REG(l, RCX) = 3;
    REG(l, RSI) = LAB_DATA;
    struct cpu_instruction outs = {.op = CPU_OP_out, .size = 2, .string = true, .repeat = true,
                                   .memory = {.segment = CPU_DS, .address_size_log2 = 3}};
    for (unsigned left = 2; left > 0; left--) {
        assert_int_equal(lab_do(l, &outs), CPU_COMPLETED);
        assert_int_equal(REG(l, RCX), left);
        assert_int_equal(STATE(l).rip, LAB_CODE);
    }
    assert_int_equal(lab_do(l, &outs), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE + 2);
    assert_int_equal(REG(l, RSI), LAB_DATA + 6);
}

static void single_stepping_traps_behind_the_instruction(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).rflags |= CPU_RFLAGS_TF;
    assert_int_equal(LAB_DO(l, nop, 0), CPU_COMPLETED);
    assert_int_equal(cpu_between(&l->p), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_HANDLERS + 16 * CPU_DB);
    assert_int_equal(lab_read(l, LAB_STACK - 40, 8), LAB_CODE + 1);
}

GTEST_MAIN("Effects", TEST(cr0_refuses_what_it_must), TEST(cr4_refuses_what_it_must), TEST(cr3_refuses_what_it_must),
           TEST(a_cr3_target_does_not_exit), TEST(lmsw_cr1_and_cr8),
           TEST(clts_of_a_bit_that_the_host_owns_does_nothing), TEST(paging_activates_ia32e_mode),
           TEST(wrmsr_refuses_reserved_bits), TEST(a_written_tsc_reads_back_with_the_offset),
           TEST(spec_ctrl_is_shadowed), TEST(xsetbv_refuses_what_it_must),
           TEST(xrstors_refuses_a_bad_header), TEST(enclave_instructions_without_an_exit),
           TEST(pause_loops_count_at_ring_0_only), TEST(a_slow_pause_loop_does_not_exit),
           TEST(an_operand_that_decides_is_read_first), TEST(rep_outs_does_one_element_at_a_time),
           TEST(single_stepping_traps_behind_the_instruction))
