/* SPDX-License-Identifier: MIT */
/*
 * The trace points of category "shared": each line that a core reads from the shared memory system, or writes back to
 * it, in the order in which that happens.
 *
 *     1234 shared read core=1 line=0x40c1 level=DRAM done=1438
 *     1438 shared write core=1 line=0x1180
 */
#ifndef HV_MACHINE_SHARED_TRACE_H
#define HV_MACHINE_SHARED_TRACE_H

#include "machine/machine.h"

void shared_trace_read(const struct machine_core *c, uint64_t line, hv_cycles now, const struct mem_reply *reply);
void shared_trace_write(const struct machine_core *c, uint64_t line, hv_cycles now);

/* Makes a core that calls the shared memory system directly do so by a port that tells, if anybody wants to know. */
void shared_trace_connect(struct machine_core *c);

#endif
