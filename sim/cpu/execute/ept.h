/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an access that EPT refuses, and page-modification logging. SDM Vol. 3C 29.3 "The Extended Page Table
 * Mechanism" (28.3 in editions before 2022) and 26.5.7 "Virtualization Exceptions" (25.5.7).
 */
#ifndef HV_CPU_EXECUTE_EPT_H
#define HV_CPU_EXECUTE_EPT_H

#include "cpu/processor.h"

/* An EPT violation or misconfiguration of a guest: #VE in p->raised, or a VM exit. */
enum cpu_end cpu_ept_fault(struct processor *p, const struct hv_fault *fault);

/*
 * A walk asks to set an EPT dirty flag: writes the log's entry. False: the log is full. The context is the
 * processor.
 */
bool cpu_log_dirty(void *processor, hv_gpa address);

#endif
