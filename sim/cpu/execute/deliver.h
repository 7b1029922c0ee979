/* SPDX-License-Identifier: MIT */
/*
 * Delivery of interrupts and exceptions: SDM Vol. 3A chapter 6 "Interrupt and Exception Handling", through the IDT of
 * IA-32e mode (6.14) and of protected mode (6.12) and the table of real-address mode (chapter 21; 20 before 2022).
 *
 * The frame is pushed by real accesses, so page faults, EPT violations and so on happen in it. A second exception is
 * delivered after the first, or becomes a double fault or a triple fault (table 6-5). While an event is being
 * delivered, p->vmx.vectoring says which, and a VM exit records it as IDT-vectoring information.
 *
 * MODEL: delivery has no time of its own beyond its accesses. Shadow stacks (CET) and user interrupts are not
 * modelled.
 */
#ifndef HV_CPU_EXECUTE_DELIVER_H
#define HV_CPU_EXECUTE_DELIVER_H

#include "cpu/processor.h"

struct cpu_event {
    uint8_t vector;
    uint8_t type; /* enum vmx_event_type (entry_check.h) */
    bool has_error_code;
    uint32_t error_code;
    uint8_t length; /* of the instruction: software interrupts and exceptions; the frame's RIP is behind it */
};

/*
 * Delivers an event; nothing intercepts the event itself, so VM entries inject with this function. CPU_COMPLETED: RIP
 * is at the handler of the event, or of an exception that its delivery met. CPU_EXITED: a VM exit took place instead,
 * with RIP at the instruction. CPU_STOPPED: a triple fault outside of a guest.
 */
enum cpu_end cpu_deliver(struct processor *p, const struct cpu_event *event);

/* After CPU_RAISED: delivers p->raised as a hardware exception, or exits if the exception bitmap says so. */
enum cpu_end cpu_deliver_raised(struct processor *p);

/*
 * What a third exception comes to: a triple-fault VM exit, or outside of a guest the shutdown state and CPU_STOPPED.
 */
enum cpu_end cpu_shut_down(struct processor *p);

/* The event as interruption information of a VMCS (25.9.2; 24.9.2): vector, type, error code's validity, valid bit. */
uint32_t cpu_event_information(const struct cpu_event *event);

/* p->raised as an event. */
struct cpu_event cpu_raised_event(const struct processor *p);

#endif
