/* SPDX-License-Identifier: MIT */
/*
 * Several workloads in one stream.
 *
 * As processes, each part is a process with memory of its own (element.asid, the regions' process) and runs for
 * mix_quantum accesses in turn; an HV_EVENT_PROCESS begins each turn, the first included. As phases, the parts share
 * one address space, in which their memory may overlap as one heap, and each runs for its own `accesses` before the
 * next. Either goes round until the mix's own `accesses` are made.
 *
 * A synthetic part goes on where its last turn ended, however long the mix. A trace that has ended begins again; as a
 * phase, it ends its turn with that.
 */
#ifndef HV_WORKLOAD_MIX_H
#define HV_WORKLOAD_MIX_H

#include "workload/workload.h"

#define MIX_PARTS_MAX 32u

/*
 * Opens the parts and makes a mix of them, 1 to MIX_PARTS_MAX. Of the mix's own parameters mix_as, mix_quantum,
 * accesses, seed and events count. Two parts with the same parameters are different streams: each draws by its own
 * seed, the mix's, and its number. Refuses a part that is a mix; a trace of several processes ends the stream with a
 * sentence where the second begins.
 */
struct workload *mix_open(const struct workload_params *params, const struct workload_params *parts, size_t count,
                          struct hv_err *err);

#endif
