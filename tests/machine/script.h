/* SPDX-License-Identifier: MIT */
/*
 * Machines whose streams a test writes by hand, events included, and which run in the order of time access by access,
 * without SystemC.
 */
#ifndef HV_TESTS_MACHINE_SCRIPT_H
#define HV_TESTS_MACHINE_SCRIPT_H

#include "machine/machine.h"

/* Where the memory of a synthetic workload begins, and so that of every process here. */
#define SCRIPT_BASE (UINT64_C(1) << 40)

/* Puts a stream in the place of a task's own. The elements must outlive the machine. */
void script_stream(struct machine *m, unsigned core, unsigned vcpu, unsigned task, const struct hv_access *elements,
                   size_t count);

/*
 * Runs all streams to their ends: always the core that is first, until its time has moved on. So a core is ahead of the
 * others by one element at most.
 */
void script_run(struct machine *m);

/* Elements: an access `gap` instructions after the last element, and events, which follow the last element at once. */
struct hv_access script_load(uint64_t page, uint32_t gap);
struct hv_access script_store(uint64_t page, uint32_t gap);
struct hv_access script_event(enum hv_event event, uint64_t page, unsigned pages_log2);

/* An event whose argument is a number: the process or the virtual processor that goes on. */
struct hv_access script_switch(enum hv_event event, uint64_t number);

#endif
