/* SPDX-License-Identifier: MIT */
/* What the instructions and events that switch tasks share: the checks on the new task, and the exit qualification. */
#ifndef HV_CPU_EXECUTE_TASK_SWITCH_H
#define HV_CPU_EXECUTE_TASK_SWITCH_H

#include "cpu/processor.h"

/* In the order of the exit qualification's bits 31:30; the last is a task gate in the IDT. */
enum cpu_task_source { CPU_TASK_CALL, CPU_TASK_IRET, CPU_TASK_JMP, CPU_TASK_GATE };

/* Whether the processor may switch to the task of a selector. False: *end. */
bool cpu_task_check(struct processor *p, uint16_t selector, enum cpu_task_source source, enum cpu_end *end);

uint64_t cpu_task_qualification(uint16_t selector, enum cpu_task_source source);

#endif
