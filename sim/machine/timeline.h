/* SPDX-License-Identifier: MIT */
/*
 * A recording as Chrome trace-event JSON, which Perfetto and chrome://tracing open: a process for each core, a thread
 * for each track, a complete event ("X") for each span. Spans of a track that overlap (walks on several walkers) get
 * threads of their own, as events of one thread must nest.
 *
 * ts and dur are microseconds of simulated time, to the picosecond; args hold both in cycles. Perfetto shows whole
 * nanoseconds. otherData says how many cycles are shown, and whether the limit on spans cut the rest of the run off.
 */
#ifndef HV_MACHINE_TIMELINE_H
#define HV_MACHINE_TIMELINE_H

#include <stdio.h>

#include "base/activity.h"

/* Writes a recording that has ended. */
void timeline_write(const struct activity *a, uint64_t clock_mhz, FILE *out);

#endif
