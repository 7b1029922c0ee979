/* SPDX-License-Identifier: MIT */
/*
 * 32-bit paging and PAE paging: SDM Vol. 3A 4.3 and 4.4. The MMU has walkers for IA-32e mode only, so a linear address
 * of these modes becomes a guest-physical one here.
 *
 * MODEL: each access walks anew, in no time: nothing is cached, so that software of these modes has neither the costs
 * of TLB misses nor stale translations. Accessed and dirty flags are set as the manual says.
 */
#ifndef HV_CPU_EXECUTE_LEGACY_PAGING_H
#define HV_CPU_EXECUTE_LEGACY_PAGING_H

#include "cpu/processor.h"

/* False: *end, a page fault or what became of an access to a table. */
bool cpu_legacy_translate(struct processor *p, hv_gva linear, enum hv_access_kind kind, hv_gpa *address,
                          enum cpu_end *end);

#endif
