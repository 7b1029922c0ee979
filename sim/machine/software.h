/* SPDX-License-Identifier: MIT */
/*
 * The software of a machine as its cores see it: who handles a fault, what an event does, how one core makes the
 * others invalidate (a TLB shootdown), and entering a process or a virtual processor.
 *
 * A core that changes a mapping invalidates its own translations and interrupts every core that runs the same process
 * (or, for host tables, the same VM) at that moment; it waits until they have acknowledged. A core that runs something
 * else makes up for it when the process or virtual processor comes back, as operating systems do with a generation
 * count per address space.
 */
#ifndef HV_MACHINE_SOFTWARE_H
#define HV_MACHINE_SOFTWARE_H

#include "machine/machine.h"

/* The handlers that a core is built with. */
struct core_software software_of(struct machine_core *c);

/* Takes the interrupts that have arrived by now, and works out when the core has to stop for the next. */
void software_take_interrupts(struct machine_core *c);

/* The core stops when its time reaches the limit (or an interrupt arrives before). */
void software_set_limit(struct machine_core *c, hv_cycles limit);

/* Tells whoever watches which process, and which virtual processor, the core runs now. */
void software_note_running(struct machine_core *c);

/* Loads the registers of the first task, before time begins. */
void software_begin(struct machine_core *c);

/* Switches to a task of the present virtual processor: MOV to CR3. */
void software_switch_process(struct machine_core *c, uint32_t task);

/* Switches to another virtual processor and to its present task: VM exit, VM entry. */
void software_switch_vcpu(struct machine_core *c, uint32_t vcpu);

/* Agile paging's interval is over: the hypervisor looks through the nested tables. Returns accesses until the next. */
uint64_t software_scan(struct machine_core *c);

#endif
