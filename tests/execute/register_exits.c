/* SPDX-License-Identifier: MIT */
/*
 * Control and debug registers, I/O and MSRs: exits and what happens without. Exit qualifications are worked out from
 * SDM Vol. 3C tables 28-3 (control registers), 28-4 (MOV DR) and 28-5 (I/O).
 */
#include "gtest.h"

#include "exits.h"

enum { TS = 8 };

/* --- control registers ------------------------------------------------------------------------------------------- */

/* The host owns CR0.TS, which the guest reads as 0, and CR4.SMEP. */
static void own_bits(struct lab *l)
{
    LAB_SET(l, cr0_guest_host_mask, TS);
    LAB_SET(l, cr0_read_shadow, 0);
    LAB_SET(l, cr4_guest_host_mask, CPU_CR4_SMEP);
    LAB_SET(l, cr4_read_shadow, 0);
}

static void own_ts_as_1(struct lab *l)
{
    LAB_SET(l, cr0_guest_host_mask, TS);
    LAB_SET(l, cr0_read_shadow, TS);
}

static void ts_into_rbx(struct lab *l)
{
    REG(l, RBX) = l->p.state.cr0 | TS;
}

static void smep_into_r9(struct lab *l)
{
    REG(l, R9) = l->p.state.cr4 | CPU_CR4_SMEP;
}

static void cr3_into_rbx(struct lab *l)
{
    REG(l, RBX) = 0x10000;
}

static void has_cr3(const struct lab *l)
{
    assert_int_equal(l->p.state.cr3, 0x10000);
}

static void rbx_is_cr3(const struct lab *l)
{
    assert_int_equal(REG(l, RBX), 0x10000);
}

static void priority_5(struct lab *l)
{
    REG(l, RBX) = 5;
}

static void tpr_shadow(struct lab *l)
{
    LAB_ON(l, PRIMARY, use_tpr_shadow);
    lab_write(l, LAB_VAPIC + 0x80, 4, 0x30);
}

/* Bits 3:0 of CR8 are bits 7:4 of VTPR. */
static void vtpr_is_50(const struct lab *l)
{
    assert_int_equal(lab_read(l, LAB_VAPIC + 0x80, 4), 0x50);
}

static void rbx_is_3(const struct lab *l)
{
    assert_int_equal(REG(l, RBX), 3);
}

static void tpr_shadow_threshold_6(struct lab *l)
{
    tpr_shadow(l);
    LAB_SET(l, tpr_threshold, 6);
    lab_write(l, LAB_VAPIC + 0x80, 4, 0x60);
}

/* The exit is like a trap: the write is complete. */
static enum cpu_end write_cr8(struct lab *l)
{
    enum cpu_end end = LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = 8);
    vtpr_is_50(l);
    return end;
}

static void lmsw_of_memory(struct lab *l)
{
    lab_write(l, LAB_DATA, 2, 9);
}

/* --- debug registers, I/O ---------------------------------------------------------------------------------------- */

static void value_into_r10(struct lab *l)
{
    REG(l, R10) = 0x1234;
}

static void dr2_is_1234(const struct lab *l)
{
    assert_int_equal(l->p.state.dr[2], 0x1234);
}

static void r10_is_dr7(const struct lab *l)
{
    assert_int_equal(REG(l, R10), 0x400);
}

static void port_in_dx(struct lab *l)
{
    REG(l, RDX) = 0x3f8;
    REG(l, RAX) = 0;
    REG(l, RDI) = LAB_DATA + 0x10;
    REG(l, RSI) = LAB_DATA + 0x20;
    REG(l, RCX) = 1;
}

/* Nobody answers at the port. */
static void al_is_ff(const struct lab *l)
{
    assert_int_equal(REG(l, RAX), 0xff);
}

static void stored_ones(const struct lab *l)
{
    assert_int_equal(lab_read(l, LAB_DATA + 0x10, 2), 0xffff);
    assert_int_equal(REG(l, RDI), LAB_DATA + 0x12);
}

static void wrote_out(const struct lab *l)
{
    assert_int_equal(REG(l, RSI), LAB_DATA + 0x24);
    assert_int_equal(REG(l, RCX), 0);
}

static void bit_of_port_3f9(struct lab *l)
{
    lab_write(l, LAB_IO_A + 0x3f9 / 8, 1, 1 << 0x3f9 % 8);
}

static void bit_of_port_8000(struct lab *l)
{
    lab_write(l, LAB_IO_B, 1, 1);
}

/* --- MSRs -------------------------------------------------------------------------------------------------------- */

static void msr_10(struct lab *l)
{
    REG(l, RCX) = 0x10;
}

static void read_bit_of_msr_10(struct lab *l)
{
    lab_write(l, LAB_MSRS + 2, 1, 1);
}

static void msr_efer(struct lab *l)
{
    REG(l, RCX) = 0xc0000080;
    REG(l, RAX) = 0xd01;
    REG(l, RDX) = 0;
}

/* Number 80H of the high range, writes: 3072 + 16. */
static void write_bit_of_efer(struct lab *l)
{
    lab_write(l, LAB_MSRS + 3072 + 16, 1, 1);
}

static void msr_40000000(struct lab *l)
{
    REG(l, RCX) = 0x40000000;
}

static const struct exit_row rows[] = {
    /* number in 3:0, access type in 5:4, register in 11:8 */
    {"mov_to_cr0", VMX_EXIT_cr_access, {.op = CPU_OP_mov_to_cr, .reg1 = CPU_RBX, .reg2 = 0}, .prepare = own_bits,
     .arrange = ts_into_rbx, .length = 3, .qualification = 3 << 8},
    {"mov_to_cr4", VMX_EXIT_cr_access, {.op = CPU_OP_mov_to_cr, .reg1 = CPU_R9, .reg2 = 4}, .prepare = own_bits,
     .arrange = smep_into_r9, .length = 3, .qualification = 4 | 9 << 8},
    {"mov_to_cr3", VMX_EXIT_cr_access, {.op = CPU_OP_mov_to_cr, .reg1 = CPU_RBX, .reg2 = 3},
     CONTROL(PRIMARY, cr3_load_exiting), .arrange = cr3_into_rbx, .length = 3, .qualification = 3 | 3 << 8,
     .without = has_cr3},
    {"mov_from_cr3", VMX_EXIT_cr_access, {.op = CPU_OP_mov_from_cr, .reg1 = CPU_RBX, .reg2 = 3},
     CONTROL(PRIMARY, cr3_store_exiting), .length = 3, .qualification = 3 | 1 << 4 | 3 << 8, .without = rbx_is_cr3},
    {"mov_to_cr8", VMX_EXIT_cr_access, {.op = CPU_OP_mov_to_cr, .reg1 = CPU_RBX, .reg2 = 8},
     CONTROL(PRIMARY, cr8_load_exiting), .prepare = tpr_shadow, .arrange = priority_5, .length = 3,
     .qualification = 8 | 3 << 8, .without = vtpr_is_50},
    {"mov_from_cr8", VMX_EXIT_cr_access, {.op = CPU_OP_mov_from_cr, .reg1 = CPU_RBX, .reg2 = 8},
     CONTROL(PRIMARY, cr8_store_exiting), .prepare = tpr_shadow, .length = 3, .qualification = 8 | 1 << 4 | 3 << 8,
     .without = rbx_is_3},
    {"clts", VMX_EXIT_cr_access, {.op = CPU_OP_clts}, .prepare = own_ts_as_1, .length = 2, .qualification = 2 << 4},
    {"lmsw_register", VMX_EXIT_cr_access, {.op = CPU_OP_lmsw, .reg1 = CPU_NO_REGISTER, .value = 9},
     .prepare = own_bits, .length = 3, .qualification = 3 << 4 | 9 << 16},
    {"lmsw_memory", VMX_EXIT_cr_access, {.op = CPU_OP_lmsw, LAB_MEMORY(LAB_DATA)}, .prepare = own_bits,
     .arrange = lmsw_of_memory, .length = 3, .qualification = 3 << 4 | 1 << 6 | 9 << 16, .linear = LAB_DATA},
    {"tpr_below_threshold", VMX_EXIT_tpr_below_threshold, .cause = write_cr8,
     .prepare = tpr_shadow_threshold_6, .arrange = priority_5, .past = 3},
    /* number in 2:0, direction in 4, register in 11:8 */
    {"mov_to_dr2", VMX_EXIT_mov_dr, {.op = CPU_OP_mov_to_dr, .reg1 = CPU_R10, .reg2 = 2},
     CONTROL(PRIMARY, mov_dr_exiting), .arrange = value_into_r10, .length = 3, .qualification = 2 | 10 << 8,
     .without = dr2_is_1234},
    {"mov_from_dr7", VMX_EXIT_mov_dr, {.op = CPU_OP_mov_from_dr, .reg1 = CPU_R10, .reg2 = 7},
     CONTROL(PRIMARY, mov_dr_exiting), .length = 3, .qualification = 7 | 1 << 4 | 10 << 8, .without = r10_is_dr7},
    /* size - 1 in 2:0, IN in 3, string in 4, REP in 5, immediate in 6, port in 31:16 */
    {"in_dx", VMX_EXIT_io_instruction, {.op = CPU_OP_in, .reg2 = CPU_RDX, .size = 1, .length = 1},
     CONTROL(PRIMARY, unconditional_io_exiting), .arrange = port_in_dx, .length = 1,
     .qualification = 0x3f8 << 16 | 1 << 3, .without = al_is_ff},
    {"out_immediate", VMX_EXIT_io_instruction, {.op = CPU_OP_out, .value = 0x80, .size = 4},
     CONTROL(PRIMARY, unconditional_io_exiting), .length = 2, .qualification = 0x80 << 16 | 1 << 6 | 3},
    {"ins", VMX_EXIT_io_instruction, {.op = CPU_OP_in, .size = 2, .string = true, .memory = {.address_size_log2 = 3}},
     CONTROL(PRIMARY, unconditional_io_exiting), .arrange = port_in_dx, .length = 2, .information = 2 << 7,
     .qualification = 0x3f8 << 16 | 1 << 4 | 1 << 3 | 1, .linear = LAB_DATA + 0x10, .without = stored_ones},
    /* the segment of OUTS, DS, in bits 17:15 of the information */
    {"rep_outs", VMX_EXIT_io_instruction,
     {.op = CPU_OP_out, .size = 4, .string = true, .repeat = true,
      .memory = {.address_size_log2 = 3, .segment = CPU_DS}},
     CONTROL(PRIMARY, unconditional_io_exiting), .arrange = port_in_dx, .length = 2, .information = 2 << 7 | 3 << 15,
     .qualification = 0x3f8 << 16 | 1 << 5 | 1 << 4 | 3, .linear = LAB_DATA + 0x20, .without = wrote_out},
    /* two ports, of which the bitmap has the second */
    {"io_bitmap", VMX_EXIT_io_instruction, {.op = CPU_OP_in, .value = 0x3f8, .size = 2},
     CONTROL(PRIMARY, use_io_bitmaps), .prepare = bit_of_port_3f9, .length = 2,
     .qualification = 0x3f8 << 16 | 1 << 6 | 1 << 3 | 1},
    {"io_bitmap_b", VMX_EXIT_io_instruction, {.op = CPU_OP_in, .value = 0x7fff, .size = 2},
     CONTROL(PRIMARY, use_io_bitmaps), .prepare = bit_of_port_8000, .length = 2,
     .qualification = UINT64_C(0x7fff) << 16 | 1 << 6 | 1 << 3 | 1},
    /* FFFFH and the port behind it: the number wraps around */
    {"io_wraps", VMX_EXIT_io_instruction, {.op = CPU_OP_out, .value = 0xffff, .size = 2},
     CONTROL(PRIMARY, use_io_bitmaps), .length = 2, .qualification = UINT64_C(0xffff) << 16 | 1 << 6 | 1},
    {"rdmsr_bitmap", VMX_EXIT_rdmsr, {.op = CPU_OP_rdmsr}, .prepare = read_bit_of_msr_10, .arrange = msr_10,
     .length = 2},
    {"rdmsr_range", VMX_EXIT_rdmsr, {.op = CPU_OP_rdmsr}, .arrange = msr_40000000, .length = 2},
    {"wrmsr_bitmap", VMX_EXIT_wrmsr, {.op = CPU_OP_wrmsr}, .prepare = write_bit_of_efer, .arrange = msr_efer,
     .length = 2},
    {"wrmsr_range", VMX_EXIT_wrmsr, {.op = CPU_OP_wrmsr}, .arrange = msr_40000000, .length = 2},
};

const struct exit_rows register_exits = {rows, HV_ARRAY_LEN(rows)};
