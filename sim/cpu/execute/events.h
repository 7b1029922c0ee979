/* SPDX-License-Identifier: MIT */
/*
 * What happens between two instructions, in the order of SDM Vol. 3A table 6-2 "Priority Among Simultaneous Exceptions
 * and Interrupts", with the VM exits of Vol. 3C 26.2 "Other Causes of VM Exits" (25.2 before 2022) among them.
 */
#ifndef HV_CPU_EXECUTE_EVENTS_H
#define HV_CPU_EXECUTE_EVENTS_H

#include "cpu/processor.h"

/*
 * Does what comes first at p->now, if anything: at most one VM exit or delivered event. CPU_COMPLETED: go on with the
 * instruction at RIP if p->state.activity is CPU_ACTIVE, otherwise wait until cpu_next_event().
 */
enum cpu_end cpu_between(struct processor *p);

/* The earliest time, p->now or later, at which cpu_between() may have something to do; UINT64_MAX: never, as it is. */
hv_cycles cpu_next_event(const struct processor *p);

#endif
