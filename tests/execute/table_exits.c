/* SPDX-License-Identifier: MIT */
/* Descriptor-table registers and task switches. Information by SDM Vol. 3C tables 28-10 and 28-11. */
#include "gtest.h"

#include "exits.h"

/* Limit 1FFH and base 7000H. */
static void pseudo_descriptor(struct lab *l)
{
    lab_write(l, LAB_DATA, 2, 0x1ff);
    lab_write(l, LAB_DATA + 2, 8, 0x7000);
}

static void gdtr_is_loaded(const struct lab *l)
{
    assert_int_equal(STATE(l).gdtr.base, 0x7000);
    assert_int_equal(STATE(l).gdtr.limit, 0x1ff);
}

static void idtr_is_loaded(const struct lab *l)
{
    assert_int_equal(STATE(l).idtr.base, 0x7000);
    assert_int_equal(STATE(l).idtr.limit, 0x1ff);
}

static void stored_gdtr(const struct lab *l)
{
    assert_int_equal(lab_read(l, LAB_DATA, 2), 0x3f);
    assert_int_equal(lab_read(l, LAB_DATA + 2, 8), LAB_GDT);
}

static void stored_idtr(const struct lab *l)
{
    assert_int_equal(lab_read(l, LAB_DATA, 2), 0xfff);
    assert_int_equal(lab_read(l, LAB_DATA + 2, 8), LAB_IDT);
}

static void selectors(struct lab *l)
{
    REG(l, RBX) = LAB_LDT;
    REG(l, R8) = LAB_TR;
    lab_write(l, LAB_GDT + LAB_TR + 5, 1, 0x89); /* not busy, as before the guest's first LTR */
}

static void ldtr_is_loaded(const struct lab *l)
{
    const struct cpu_segment *ldtr = &STATE(l).segments[CPU_LDTR];
    assert_int_equal(ldtr->selector, LAB_LDT);
    assert_int_equal(ldtr->base, LAB_DATA);
    assert_int_equal(ldtr->limit, 15);
    assert_int_equal(ldtr->access_rights, 0x82);
}

/* The TSS has become busy, in the register and in memory. */
static void tr_is_loaded(const struct lab *l)
{
    const struct cpu_segment *tr = &STATE(l).segments[CPU_TR];
    assert_int_equal(tr->selector, LAB_TR);
    assert_int_equal(tr->base, LAB_TSS);
    assert_int_equal(tr->access_rights, 0x8b);
    assert_int_equal(lab_read(l, LAB_GDT + LAB_TR + 5, 1), 0x8b);
}

static void stored_ldtr(const struct lab *l)
{
    assert_int_equal(REG(l, RBX), 0);
}

static void stored_tr(const struct lab *l)
{
    assert_int_equal(lab_read(l, LAB_DATA, 2), LAB_TR);
}

/* An available TSS (9) of 104 bytes at selector 30H. */
static void available_task(struct lab *l)
{
    lab_write(l, LAB_GDT + 0x30, 8, 0x0000890320000067);
}

/* A task gate (5) to it at selector 10H. */
static void gate_to_task(struct lab *l)
{
    available_task(l);
    lab_write(l, LAB_GDT + 0x10, 8, UINT64_C(0x30) << 16 | UINT64_C(0x85) << 40);
}

/* Vector 20H is a task gate to it. */
static void task_gate(struct lab *l)
{
    available_task(l);
    lab_write(l, LAB_IDT + 8 * 0x20, 8, UINT64_C(0x30) << 16 | UINT64_C(0x85) << 40);
}

#define TABLE CONTROL(SECONDARY, descriptor_table_exiting)

static const struct exit_row rows[] = {
    /* the instruction in bits 29:28: SGDT, SIDT, LGDT, LIDT */
    {"lgdt", VMX_EXIT_gdtr_idtr_access, {.op = CPU_OP_lgdt, LAB_MEMORY(LAB_DATA)}, TABLE, .arrange = pseudo_descriptor,
     .length = 7, .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | 2u << 28, .without = gdtr_is_loaded},
    {"lidt", VMX_EXIT_gdtr_idtr_access, {.op = CPU_OP_lidt, LAB_MEMORY(LAB_DATA)}, TABLE, .arrange = pseudo_descriptor,
     .length = 7, .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | 3u << 28, .without = idtr_is_loaded},
    {"sgdt", VMX_EXIT_gdtr_idtr_access, {.op = CPU_OP_sgdt, LAB_MEMORY(LAB_DATA)}, TABLE, .length = 7,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO, .without = stored_gdtr},
    {"sidt", VMX_EXIT_gdtr_idtr_access, {.op = CPU_OP_sidt, LAB_MEMORY(LAB_DATA)}, TABLE, .length = 7,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | 1u << 28, .without = stored_idtr},
    /* SLDT, STR, LLDT, LTR; a register (bit 10) in bits 6:3 */
    {"lldt", VMX_EXIT_ldtr_tr_access, {.op = CPU_OP_lldt, .reg1 = CPU_RBX}, TABLE, .arrange = selectors, .length = 3,
     .information = 3u << 3 | 1u << 10 | 2u << 28, .without = ldtr_is_loaded},
    {"ltr", VMX_EXIT_ldtr_tr_access, {.op = CPU_OP_ltr, .reg1 = CPU_R8}, TABLE, .arrange = selectors, .length = 3,
     .information = 8u << 3 | 1u << 10 | 3u << 28, .without = tr_is_loaded},
    {"sldt", VMX_EXIT_ldtr_tr_access, {.op = CPU_OP_sldt, .reg1 = CPU_RBX}, TABLE, .length = 3,
     .information = 3u << 3 | 1u << 10, .without = stored_ldtr},
    {"str", VMX_EXIT_ldtr_tr_access, {.op = CPU_OP_str, LAB_MEMORY(LAB_DATA)}, TABLE, .length = 3,
     .qualification = LAB_DATA, .information = LAB_MEMORY_INFO | 1u << 28, .without = stored_tr},
    /* table 28-2: the selector in bits 15:0; CALL 0, IRET 1, JMP 2, task gate 3 in bits 31:30 */
    {"task_call", VMX_EXIT_task_switch, {.op = CPU_OP_task_switch, .value = 0x30}, .prepare = lab_unpaged,
     .arrange = available_task, .length = 5, .qualification = 0x30},
    {"task_jump", VMX_EXIT_task_switch, {.op = CPU_OP_task_switch, .value = 0x30, .reg2 = 1},
     .prepare = lab_unpaged, .arrange = available_task, .length = 5, .qualification = 0x30 | UINT64_C(2) << 30},
    {"task_call_gate", VMX_EXIT_task_switch, {.op = CPU_OP_task_switch, .value = 0x10}, .prepare = lab_unpaged,
     .arrange = gate_to_task, .length = 5, .qualification = 0x30},
    {"task_gate", VMX_EXIT_task_switch, {.op = CPU_OP_int_n, .value = 0x20}, .prepare = lab_unpaged,
     .arrange = task_gate, .length = 2, .qualification = 0x30 | UINT64_C(3) << 30},
};

const struct exit_rows table_exits = {rows, HV_ARRAY_LEN(rows)};
