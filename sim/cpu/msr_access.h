/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR at CPL 0, without interception: which MSRs there are, and which values each of them takes. SDM Vol. 4
 * chapter 2. The local APIC's registers (800H to 8FFH) are elsewhere.
 */
#ifndef HV_CPU_MSR_ACCESS_H
#define HV_CPU_MSR_ACCESS_H

#include "cpu/processor.h"

/* False: #GP(0). The TSC is that of processor_tsc(): a guest's offset is the caller's business. */
bool cpu_msr_read(const struct processor *p, uint32_t index, uint64_t *value);

/* False: #GP(0), and nothing has changed. After true the MMU's context is the caller's business. */
bool cpu_msr_write(struct processor *p, uint32_t index, uint64_t value);

#endif
