/* SPDX-License-Identifier: MIT */
/*
 * Trace points of translation: categories tlb, pwc, ntlb, walk and cache. Faults and stale translations are traced
 * where they are found.
 */
#ifndef HV_MMU_MMU_TRACE_H
#define HV_MMU_MMU_TRACE_H

#include "mmu/mmu.h"

/* The observer that prints the enabled categories; one that is not there (event NULL) when none of them is. */
struct mmu_observer mmu_trace_observer(struct trace_points *trace);

#endif
