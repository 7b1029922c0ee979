/* SPDX-License-Identifier: MIT */
/*
 * Operands of an instruction: effective addresses, segmentation, and values in registers or memory.
 *
 * SDM Vol. 1 "Operand Addressing" (3.7), Vol. 3A "Limit Checking" (5.3) and "Type Checking" (5.4).
 */
#ifndef HV_CPU_EXECUTE_OPERAND_H
#define HV_CPU_EXECUTE_OPERAND_H

#include "cpu/execute/access.h"
#include "cpu/instruction.h"

/* The offset within its segment: base + index * scale + displacement, as wide as the address size. */
uint64_t cpu_effective_address(const struct processor *p, const struct cpu_memory_operand *memory);

/* That plus the segment's base, without any check: what INVLPG and exit qualifications have. */
hv_gva cpu_linear_address(const struct processor *p, const struct cpu_memory_operand *memory);

/*
 * The linear address of `count` bytes after segmentation's checks, or #GP(0), of the stack segment #SS(0). False: *end
 * says how the instruction ended.
 */
bool cpu_segment_check(struct processor *p, const struct cpu_memory_operand *memory, enum hv_access_kind kind,
                       size_t count, hv_gva *linear, enum cpu_end *end);

/*
 * The instruction's operand of `bytes` bytes, from memory if it lies there, else from register reg1, else (reg1 is
 * CPU_NO_REGISTER) from `value`. False: *end says how the instruction ended.
 */
bool cpu_read(struct processor *p, const struct cpu_instruction *i, void *to, size_t bytes, enum cpu_end *end);

/* The same for a destination. A register of 4 bytes is zero-extended, of 1 or 2 keeps its other bits. */
bool cpu_write(struct processor *p, const struct cpu_instruction *i, const void *from, size_t bytes,
               enum cpu_end *end);

/* A register by its number, with CPU_NO_REGISTER and what is beyond 15 as 0; and writing `bytes` of it. */
uint64_t cpu_register_value(const struct processor *p, unsigned number);
void cpu_register_set(struct processor *p, unsigned number, uint64_t value, size_t bytes);

#endif
