/* SPDX-License-Identifier: MIT */
/* An unrestricted guest outside of IA-32e mode: segmentation, and delivery in protected and real-address mode. */
#include "checks.h"

enum { IVT = 0x60000, REAL_STACK = 0x8000 };

/* Without paging, EPT below; CS and the stack are flat 32-bit segments. */
static int set_up_protected(void **state)
{
    struct lab *l = lab_new();
    *state = l;
    lab_unpaged(l);
    lab_write(l, LAB_GDT + LAB_CODE_0, 8, 0x00cf9b000000ffff);
    return 0;
}

/* CS 0, base 0 and RIP 100H; the table of vectors at 60000H. */
static int set_up_real(void **state)
{
    struct lab *l;
    set_up_protected(state);
    l = *state;
    LAB_SET(l, guest_cr0, 0x30);
    for (unsigned s = CPU_ES; s <= CPU_GS; s++) {
        lab_set(l, VMCS_INDEX_guest_es_selector + s, 0);
        lab_set(l, VMCS_INDEX_guest_es_limit + s, 0xffff);
        lab_set(l, VMCS_INDEX_guest_es_access_rights + s, s == CPU_CS ? 0x9b : 0x93);
    }
    LAB_SET(l, guest_idtr_base, IVT);
    LAB_SET(l, guest_idtr_limit, 0x3ff);
    LAB_SET(l, guest_rip, 0x100);
    LAB_SET(l, guest_rsp, REAL_STACK);
    return 0;
}

/* --- protected mode ---------------------------------------------------------------------------------------------- */

/* EIP, CS and EFLAGS of 4 bytes each, in the same ring; IRET takes them back. */
static void a_32_bit_gate_pushes_words_of_4_bytes(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_write(l, LAB_IDT + 8 * 0x80, 8, UINT64_C(0x1234) | (uint64_t)LAB_CODE_0 << 16 | UINT64_C(0x8e) << 40 |
                                            UINT64_C(4) << 48);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(LAB_DO(l, int_n, .value = 0x80), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, 0x41234);
    assert_int_equal(REG(l, RSP), LAB_STACK - 12);
    assert_int_equal(lab_read(l, LAB_STACK - 4, 4), 0x202);
    assert_int_equal(lab_read(l, LAB_STACK - 8, 4), LAB_CODE_0);
    assert_int_equal(lab_read(l, LAB_STACK - 12, 4), LAB_CODE + 2);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, LAB_CODE + 2);
    assert_int_equal(REG(l, RSP), LAB_STACK);
    assert_int_equal(STATE(l).rflags, 0x202);
}

static void accesses_keep_to_the_segment(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    STATE(l).segments[CPU_DS] = (struct cpu_segment){0x59000, 0xff, 0x4093, LAB_DATA_0};
    lab_write(l, LAB_DATA + 0xfc, 4, 0x11223344);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0xfc)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 0x11223344);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0xfd)), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
    STATE(l).segments[CPU_DS].access_rights = 0x4091; /* read-only */
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0)), CPU_RAISED);
    STATE(l).segments[CPU_DS].access_rights = 0x4097; /* expands down: offsets above the limit */
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0xff)), CPU_RAISED);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x100)), CPU_COMPLETED);
    STATE(l).segments[CPU_DS].access_rights = CPU_AR_UNUSABLE;
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x100)), CPU_RAISED);
}

/* NT is set: the task to return to is in the first word of the TSS; source 1 in bits 31:30. */
static void iret_of_a_nested_task_exits(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_write(l, LAB_TSS, 2, 0x30);
    lab_write(l, LAB_GDT + 0x30, 8, 0x00008b0320000067); /* busy */
    STATE(l).rflags |= 1 << 14;
    assert_int_equal(LAB_DO(l, iret, 0), CPU_EXITED);
    assert_int_equal(LAB_GET(l, exit_reason), VMX_EXIT_task_switch);
    assert_int_equal(LAB_GET(l, exit_qualification), 0x30 | 1 << 30);
    assert_int_equal(LAB_GET(l, exit_instruction_length), 2);
}

/*
 * SDM 26.4.2 (25.4.2): faults of a task switch that come before its VM exit, with the selector as error code. `call`: a
 * far CALL to 30H; else the IRET of a nested task whose TSS names 30H.
 */
static const struct task_row {
    const char *name;
    bool call;
    uint64_t descriptor; /* at 30H */
    unsigned selector;
    enum cpu_vector vector;
} task_rows[] = {
    {"call_null", true, 0x0000890320000067, 0x00, CPU_GP},
    {"call_beyond_the_table", true, 0x0000890320000067, 0x48, CPU_GP},
    {"call_busy", true, 0x00008b0320000067, 0x30, CPU_GP},
    {"call_data", true, 0x0000930320000067, 0x30, CPU_GP},
    {"call_without_privilege", true, 0x0000890320000067, 0x33, CPU_GP}, /* DPL 0, RPL 3 */
    {"call_not_present", true, 0x0000090320000067, 0x30, CPU_NP},
    {"call_too_short", true, 0x0000890320000066, 0x30, CPU_TS},
    {"call_16_bits_too_short", true, 0x000081032000002a, 0x30, CPU_TS},
    {"iret_null", false, 0x00008b0320000067, 0x00, CPU_TS},
    {"iret_beyond_the_table", false, 0x00008b0320000067, 0x48, CPU_TS},
    {"iret_local", false, 0x00008b0320000067, 0x34, CPU_TS},
    {"iret_available", false, 0x0000890320000067, 0x30, CPU_TS},
    {"iret_not_present", false, 0x00000b0320000067, 0x30, CPU_NP},
    {"iret_too_short", false, 0x00008b0320000066, 0x30, CPU_TS},
};

static void a_task_switch_faults_before_it_exits(void **state)
{
    const struct task_row *row = *state;
    void *lab;
    set_up_protected(&lab);
    struct lab *l = lab;
    lab_launch(l);
    lab_write(l, LAB_GDT + 0x30, 8, row->descriptor);
    lab_write(l, LAB_TSS, 2, row->selector);
    STATE(l).rflags |= row->call ? 0 : 1 << 14;
    enum cpu_end end = row->call ? LAB_DO(l, task_switch, .value = row->selector) : LAB_DO(l, iret, 0);
    assert_int_equal(end, CPU_RAISED);
    assert_int_equal(l->p.raised.vector, row->vector);
    assert_int_equal(l->p.raised.error_code, row->selector & ~3u);
    lab_free(l);
}

/* A 16-bit TSS is long enough with 44 bytes, and a 32-bit one with 104. */
static void the_shortest_tasks_exit(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_write(l, LAB_GDT + 0x30, 8, 0x000081032000002b);
    assert_int_equal(LAB_DO(l, task_switch, .value = 0x30), CPU_EXITED);
}

/* --- paging ------------------------------------------------------------------------------------------------------ */

/* Two levels: the page at 59000H is 61000H, read-only for user mode; 4 MiB from 400000H on are one large page of 0. */
static void paging_of_32_bits(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, guest_cr0, 0x80010031);
    LAB_SET(l, guest_cr4, 0x2010);
    LAB_SET(l, guest_cr3, 0x70000);
    lab_write(l, 0x70000, 4, 0x71007);
    lab_write(l, 0x70004, 4, 0x87);
    lab_write(l, 0x71000 + 4 * 0x59, 4, 0x61005);
    lab_write(l, 0x61008, 4, 77);
    lab_launch(l);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_DATA + 8)), CPU_COMPLETED);
    assert_int_equal(REG(l, RBX), 77);
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RCX, .size = 4, LAB_MEMORY(0x461008)), CPU_COMPLETED);
    assert_int_equal(REG(l, RCX), 77);
    assert_int_equal(lab_read(l, 0x71000 + 4 * 0x59, 4), 0x61025); /* accessed */
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(LAB_DATA)), CPU_RAISED);
    assert_int_equal(l->p.raised.error_code, 3); /* present, a write */
    assert_int_equal(LAB_DO(l, load, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x5a004)), CPU_RAISED);
    assert_int_equal(l->p.raised.error_code, 0);
    assert_int_equal(l->p.raised.information, 0x5a004);
}

/* PDPTE 1 covers 40000000H; its page 0 is 61000H, dirty after a store. */
static void paging_with_pae(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, guest_cr0, 0x80010031);
    LAB_SET(l, guest_cr4, 0x2020);
    LAB_SET(l, guest_pdpte1, 0x71001);
    lab_write(l, 0x71000, 8, 0x72003);
    lab_write(l, 0x72000, 8, 0x61003);
    lab_launch(l);
    REG(l, RBX) = 0x55667788;
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x40000010)), CPU_COMPLETED);
    assert_int_equal(lab_read(l, 0x61010, 4), 0x55667788);
    assert_int_equal(lab_read(l, 0x72000, 8), 0x61063);
    lab_write(l, 0x72000, 8, UINT64_C(1) << 50 | 0x61003);
    assert_int_equal(LAB_DO(l, store, .reg1 = CPU_RBX, .size = 4, LAB_MEMORY(0x40000010)), CPU_RAISED);
    assert_int_equal(l->p.raised.error_code, 1 | 2 | 8); /* present, a write, a reserved bit */
}

/* MOV to CR3 loads the PDPTEs, and refuses those with reserved bits. */
static void mov_to_cr3_loads_the_pdptes(void **state)
{
    struct lab *l = *state;
    LAB_SET(l, guest_cr0, 0x80010031);
    LAB_SET(l, guest_cr4, 0x2020);
    lab_launch(l);
    for (unsigned n = 0; n < 4; n++) {
        lab_write(l, 0x73020 + 8 * n, 8, 0x71001 + 0x1000 * n);
    }
    REG(l, RBX) = 0x73020;
    assert_int_equal(LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = 3), CPU_COMPLETED);
    assert_int_equal(STATE(l).pdpte[3], 0x74001);
    lab_write(l, 0x73020, 8, 0x71003); /* bit 1 is reserved */
    assert_int_equal(LAB_DO(l, mov_to_cr, .reg1 = CPU_RBX, .reg2 = 3), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_GP);
    assert_int_equal(STATE(l).pdpte[3], 0x74001);
}

/* --- real-address mode ------------------------------------------------------------------------------------------- */

/* FLAGS, CS, IP of 2 bytes; the vector is offset 1234H in segment 4000H. */
static void a_vector_of_real_mode(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    lab_write(l, IVT + 4 * 0x21, 4, 0x40001234);
    STATE(l).rflags |= CPU_RFLAGS_IF;
    assert_int_equal(LAB_DO(l, int_n, .value = 0x21), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, 0x1234);
    assert_int_equal(STATE(l).segments[CPU_CS].selector, 0x4000);
    assert_int_equal(STATE(l).segments[CPU_CS].base, 0x40000);
    assert_int_equal(STATE(l).rflags, 2);
    assert_int_equal(lab_read(l, REAL_STACK - 6, 2), 0x102);
    assert_int_equal(lab_read(l, REAL_STACK - 4, 2), 0);
    assert_int_equal(lab_read(l, REAL_STACK - 2, 2), 0x202);
    assert_int_equal(LAB_DO(l, iret, 0), CPU_COMPLETED);
    assert_int_equal(STATE(l).rip, 0x102);
    assert_int_equal(STATE(l).segments[CPU_CS].base, 0);
    assert_int_equal(STATE(l).rflags, 0x202);
    assert_int_equal(REG(l, RSP), REAL_STACK);
}

static void descriptor_tables_of_tasks_do_not_exist_in_real_mode(void **state)
{
    struct lab *l = *state;
    lab_launch(l);
    assert_int_equal(LAB_DO(l, str, .reg1 = CPU_RBX), CPU_RAISED);
    assert_int_equal(l->p.raised.vector, CPU_UD);
}

#define PROTECTED(f) cmocka_unit_test_setup_teardown(f, set_up_protected, lab_tear_down)
#define REAL(f) cmocka_unit_test_setup_teardown(f, set_up_real, lab_tear_down)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        PROTECTED(a_32_bit_gate_pushes_words_of_4_bytes), PROTECTED(accesses_keep_to_the_segment),
        PROTECTED(iret_of_a_nested_task_exits), PROTECTED(the_shortest_tasks_exit), PROTECTED(paging_of_32_bits),
        PROTECTED(paging_with_pae), PROTECTED(mov_to_cr3_loads_the_pdptes), REAL(a_vector_of_real_mode),
        REAL(descriptor_tables_of_tasks_do_not_exist_in_real_mode),
    };
    static struct CMUnitTest tasks[HV_ARRAY_LEN(task_rows)];
    gtest_rows(tasks, a_task_switch_faults_before_it_exits, task_rows, sizeof(task_rows[0]), HV_ARRAY_LEN(task_rows));
    const struct gtest_suite suites[] = {GTEST_SUITE("Legacy", tests), GTEST_SUITE("TaskSwitchFault", tasks)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
