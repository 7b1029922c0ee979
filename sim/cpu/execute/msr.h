/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR once no VM exit takes place: the MSRs of msr_access.h, those of the interrupt controller behind its
 * wire, and what a guest sees otherwise (SDM Vol. 3C 26.3; 25.3 in editions before 2022).
 *
 * MODEL: what an MSR switches on beyond its value (Intel PT, branch records, performance counters, CET, user
 * interrupts) is not modelled; no effect on results.
 */
#ifndef HV_CPU_EXECUTE_MSR_H
#define HV_CPU_EXECUTE_MSR_H

#include "cpu/processor.h"

/* False: #GP(0). */
bool cpu_rdmsr(const struct processor *p, uint32_t index, uint64_t *value);

/* False: #GP(0), and nothing has changed. The MMU knows of a new IA32_EFER afterwards. */
bool cpu_wrmsr(struct processor *p, uint32_t index, uint64_t value);

#endif
