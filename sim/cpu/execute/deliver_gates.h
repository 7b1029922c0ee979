/* SPDX-License-Identifier: MIT */
/* One try at delivering an event, by mode. Only deliver.c calls these. */
#ifndef HV_CPU_EXECUTE_DELIVER_GATES_H
#define HV_CPU_EXECUTE_DELIVER_GATES_H

#include "cpu/execute/operations.h"

/* CPU_COMPLETED: RIP is at the handler. CPU_RAISED: nothing has changed but memory below the stack pointer. */
enum cpu_end cpu_deliver_long(struct processor *p, const struct cpu_event *event);
enum cpu_end cpu_deliver_protected(struct processor *p, const struct cpu_event *event);
enum cpu_end cpu_deliver_real(struct processor *p, const struct cpu_event *event);

/* A gate after its own checks. */
struct cpu_gate {
    uint16_t selector;
    uint64_t offset;
    unsigned type, ist;
};

enum { CPU_GATE_TASK = 5, CPU_GATE_INTERRUPT_16 = 6, CPU_GATE_TRAP_16, CPU_GATE_INTERRUPT = 14, CPU_GATE_TRAP };

/* Whether instruction software raised the event by INT n, INT3 or INTO, for which the gate's DPL counts. */
bool cpu_event_by_software(const struct cpu_event *event);

/* The RIP and RFLAGS that the frame has. */
uint64_t cpu_event_rip(const struct processor *p, const struct cpu_event *event);
uint64_t cpu_event_rflags(const struct processor *p, const struct cpu_event *event);

/* Reads and checks the gate of IA-32e mode (16 bytes) or protected mode (8 bytes). False: *end. */
bool cpu_read_gate(struct processor *p, const struct cpu_event *event, struct cpu_gate *gate, enum cpu_end *end);

/* The handler's code segment and the CPL in it. False: *end. */
bool cpu_check_handler(struct processor *p, uint16_t selector, struct cpu_segment *cs, unsigned *cpl,
                       enum cpu_end *end);

/* Pushes `bytes` of a frame below a stack pointer with the privilege of a CPL. False: *end. */
bool cpu_push_frame(struct processor *p, hv_gva at, unsigned cpl, void *frame, size_t bytes, enum cpu_end *end);

#endif
