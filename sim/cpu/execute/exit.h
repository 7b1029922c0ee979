/* SPDX-License-Identifier: MIT */
/*
 * Making VM exits: reason, exit qualification, instruction length and VM-exit instruction information as SDM Vol. 3C
 * "Recording VM-Exit Information" (28.2; 27.2 in editions before 2022) has them.
 */
#ifndef HV_CPU_EXECUTE_EXIT_H
#define HV_CPU_EXECUTE_EXIT_H

#include "cpu/execute/deliver.h"
#include "cpu/instruction.h"

/* The length of an instruction: its own, or the usual one of the table. */
unsigned cpu_length(const struct cpu_instruction *i);

/*
 * Takes the VM exit. Adds the event being delivered, if any (IDT-vectoring information), and the length of the
 * instruction that began its delivery.
 */
enum cpu_end cpu_exit(struct processor *p, struct vmx_exit exit);

/* The VM exit of an instruction: with its length, and its instruction information if the reason has any. */
enum cpu_end cpu_exit_instruction(struct processor *p, const struct cpu_instruction *i, enum vmx_exit_reason reason,
                                  uint64_t qualification);

/* A VM exit without more to tell than a qualification. */
enum cpu_end cpu_exit_plain(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification);

/*
 * Asks for a VM exit like a trap: it follows the instruction or the event delivery under way once that is complete,
 * unless that ends in another VM exit. For what APIC virtualization finds: TPR below threshold, APIC write,
 * virtualized EOI (30.4.3.3; 29.4.3.3).
 */
void cpu_request_exit(struct processor *p, enum vmx_exit_reason reason, uint64_t qualification);

/*
 * What follows an operation that has completed: the emulation of its write to the APIC-access page, and the VM exit
 * that has been asked for (p->progress.trap).
 */
void cpu_emulate_apic_write(struct processor *p);
enum cpu_end cpu_take_trap(struct processor *p);

/* The VM exit due to an exception or an NMI: reason 0. */
enum cpu_end cpu_exit_exception(struct processor *p, const struct cpu_event *event, uint64_t qualification);

/* Whether the exception bitmap, for #PF with mask and match, makes a VM exit of an exception (26.2; 25.2). */
bool cpu_exception_exits(const struct processor *p, const struct cpu_event *event);

/* The exit qualification that an exception has: #PF the linear address, #DB what it met; otherwise 0. */
uint64_t cpu_exception_qualification(const struct processor *p, unsigned vector);

/* VM-exit instruction information, tables 28-8 to 28-15 (27-8 to 27-14): 0 for instructions that have none. */
uint32_t cpu_instruction_information(const struct processor *p, const struct cpu_instruction *i);

#endif
