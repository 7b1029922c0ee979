/* SPDX-License-Identifier: MIT */
/*
 * One processor, and a guest on it that does what a test says: for tests and fuzz programs, so no function of cmocka
 * is called here.
 *
 * Linear addresses are guest-physical addresses are host-physical addresses, below 2 MiB, unless a test changes a
 * table.
 */
#ifndef HV_TESTS_EXECUTE_LAB_H
#define HV_TESTS_EXECUTE_LAB_H

#include "cpu/cpu_apic.h"
#include "cpu/execute/deliver.h"
#include "cpu/execute/events.h"
#include "cpu/execute/execute.h"
#include "cpu/execute/exit.h"
#include "cpu/execute/operand.h"
#include "cpu/execute/wires.h"
#include "cpu/vmx/entry_check.h"

enum {
    LAB_BYTES = 2 << 20,
    LAB_PT = 0x13000,         /* the guest's and the host's page table of 4K pages, entry n for page n */
    LAB_EPT_PT = 0x23000,     /* EPT's */
    LAB_GDT = 0x30000, LAB_IDT = 0x31000, LAB_TSS = 0x32000, LAB_STACK = 0x34000, LAB_STACK_0 = 0x36000,
    LAB_CODE = 0x38000, LAB_HANDLERS = 0x40000, /* the handler of vector v is at LAB_HANDLERS + 16 * v */
    LAB_HOST_RIP = 0x48000, LAB_HOST_STACK = 0x4a000,
    LAB_VMCS = 0x50000, LAB_VMXON = 0x51000, LAB_IO_A = 0x52000, LAB_IO_B = 0x53000, LAB_MSRS = 0x54000,
    LAB_VAPIC = 0x55000, LAB_APIC_ACCESS = 0x56000, LAB_LOG = 0x57000, LAB_VE = 0x58000, LAB_DATA = 0x59000,
    LAB_EPTP_LIST = 0x5b000,
    LAB_CODE_0 = 0x08, LAB_DATA_0 = 0x10, LAB_CODE_3 = 0x1b, LAB_DATA_3 = 0x23, LAB_TR = 0x28, LAB_LDT = 0x38,
};

#define LAB_EPTP (UINT64_C(0x20000) | 0x5e) /* write-back, 4 levels, accessed and dirty flags */

struct lab {
    struct physmem memory;
    struct mem_shared shared;
    struct mem_path path;
    struct trace_points trace;
    struct mmu mmu;
    struct vmx_caps caps;
    struct vmx_costs costs;
    struct cpu_wires wires;
    struct cpu_apic apic;   /* not connected, unless a test does */
    int interrupt;          /* the external interrupt that waits, or -1 */
    struct processor p;
};

/*
 * A processor in VMX root operation with a current VMCS that holds a 64-bit guest and intercepts nothing it need
 * not.
 */
struct lab *lab_new(void);
void lab_free(struct lab *l);

/* The guest's state while it runs, and REG(l, RBX). */
#define STATE(l) ((l)->p.state)
#define REG(l, name) ((l)->p.state.registers[CPU_##name])

/* Changes a VMCS field, or bits of a control word, of the guest to come. */
void lab_set(struct lab *l, enum vmcs_index field, uint64_t value);
void lab_control(struct lab *l, enum vmx_word word, uint64_t bits, bool on);
uint64_t lab_get(const struct lab *l, enum vmcs_index field);

#define LAB_SET(l, name, value) lab_set(l, VMCS_INDEX_##name, value)
#define LAB_GET(l, name) lab_get(l, VMCS_INDEX_##name)
#define LAB_ON(l, word, name) lab_control(l, VMX_##word, VMX_CONTROL(word, name), true)

/* EPT on, as the page tables above are. */
void lab_ept(struct lab *l);

/* A 32-bit guest in protected mode without paging, which EPT alone translates; its CS is flat. */
void lab_unpaged(struct lab *l);

/* VMLAUNCH, which has to succeed: the guest runs at LAB_CODE. */
void lab_launch(struct lab *l);

/* Drops the guest to CPL 3. */
void lab_user(struct lab *l);

/* Executes; LAB_DO(l, cpuid, .reg1 = CPU_RBX). */
enum cpu_end lab_do(struct lab *l, const struct cpu_instruction *i);
#define LAB_DO(l, name, ...) lab_do(l, &(struct cpu_instruction){.op = CPU_OP_##name, __VA_ARGS__})

/*
 * A memory operand at an address alone, in DS with 64-bit addresses; its instruction information is LAB_MEMORY_INFO.
 */
#define LAB_MEMORY(address)                                                                                   \
    .in_memory = true,                                                                                        \
    .memory = {.displacement = (address), .base = CPU_NO_REGISTER, .index = CPU_NO_REGISTER, .segment = CPU_DS, \
               .address_size_log2 = 3}

/* Table 28-10: 64-bit addresses (2 in bits 9:7), DS (3 in bits 17:15), no index (bit 22), no base (bit 27). */
#define LAB_MEMORY_INFO (2u << 7 | 3u << 15 | 1u << 22 | 1u << 27)

/* Bytes of memory. */
uint64_t lab_read(const struct lab *l, uint64_t address, unsigned bytes);
void lab_write(struct lab *l, uint64_t address, unsigned bytes, uint64_t value);

/* A gate of the guest's IDT: its access byte (0x8e: present, DPL 0, interrupt gate) and IST. */
void lab_gate(struct lab *l, unsigned vector, unsigned access, unsigned ist);

#endif
