/* SPDX-License-Identifier: MIT */
/*
 * An instruction after decoding: what a guest written as a list of operations, hypervisor logic in C, and later a
 * decoder of machine code hand to a processor.
 *
 * Operands are where the manual has them: in registers of the processor's state (ECX of RDMSR, EDX:EAX of XSETBV), in
 * the registers that reg1 and reg2 name, in memory, or immediate. What an instruction does and which VM exit it may
 * cause is a row of instructions.def.
 */
#ifndef HV_CPU_INSTRUCTION_H
#define HV_CPU_INSTRUCTION_H

#include "cpu/state.h"

enum cpu_op {
#define I(name, length, privilege, exit, words) CPU_OP_##name,
#include "cpu/instructions.def"
#undef I
    CPU_OPS
};

/* Base and index of a memory operand beyond the numbers of registers. */
enum { CPU_NO_REGISTER = 0xff };

/* SDM Vol. 1 "Operand Addressing" (3.7.5): segment:[base + index * scale + displacement]. */
struct cpu_memory_operand {
    uint64_t displacement;
    uint8_t base, index;       /* enum cpu_register, or CPU_NO_REGISTER */
    uint8_t scale_log2;        /* 0 to 3 */
    uint8_t segment;           /* enum cpu_segment_name, CPU_ES to CPU_GS */
    uint8_t address_size_log2; /* 1, 2 or 3: 16, 32 or 64 bits */
};

struct cpu_instruction {
    enum cpu_op op;
    uint8_t length;      /* bytes, 1 to 15; 0: the usual length, from the table */
    uint8_t reg1, reg2;  /* enum cpu_register; of MOV to or from CRn and DRn, reg2 is n */
    uint8_t size;        /* of the operand, bytes: 1, 2, 4 or 8; 0: the usual one of the mode */
    bool in_memory;      /* the operand that may lie in memory does: `memory` says where; else in reg1 or `value` */
    bool string, repeat; /* INS and OUTS; with REP */
    struct cpu_memory_operand memory;
    uint64_t value; /* immediate: a port, a vector; or what a memory operand would hold, for callers in C */
    uint64_t value_high; /* bits 127:64 of it, of a descriptor of INVEPT, INVVPID or INVPCID */
};

/* Names for tables and messages: "vmptrld". */
extern const char *const cpu_op_names[CPU_OPS];

#endif
