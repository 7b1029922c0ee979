/* SPDX-License-Identifier: MIT */
/*
 * One instruction of a processor, in VMX root operation, in VMX non-root operation or outside of VMX operation.
 *
 * In non-root operation an instruction may become a VM exit (intercept.h) or behave otherwise than it does elsewhere:
 * SDM Vol. 3C "VMX Non-Root Operation", 26.1 and 26.3 (25.1 and 25.3 in editions before 2022). What is found first, an
 * exception or the exit, is 26.1.1 "Relative Priority of Faults and VM Exits" (25.1.1).
 *
 * MODEL: an instruction takes one cycle, plus what its accesses take and what a VM exit or a VMX instruction costs.
 */
#ifndef HV_CPU_EXECUTE_EXECUTE_H
#define HV_CPU_EXECUTE_EXECUTE_H

#include "cpu/instruction.h"
#include "cpu/processor.h"

/* Lets the processor's MMU report writes for page-modification logging. Part of processor_init(). */
void cpu_connect(struct processor *p);

/*
 * Executes one instruction at RIP. After CPU_RAISED the exception has not been delivered: cpu_deliver_raised() does.
 * An exception that the exception bitmap intercepts is CPU_EXITED already. INT n, INT1 and INT3 deliver their event.
 * INS and OUTS with REP do one element each time and leave RIP at the instruction while more are left.
 *
 * Events between instructions are cpu_between()'s (events.h): call it first.
 */
enum cpu_end cpu_execute(struct processor *p, const struct cpu_instruction *i);

#endif
