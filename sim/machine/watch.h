/* SPDX-License-Identifier: MIT */
/*
 * Watching a machine: connects its cores to a recording of activity (base/activity.h).
 *
 * Walks come from an observer of the MMU, so translations take the slow path of a watched run; what the core and the
 * software do, they tell themselves. Watching changes no result.
 */
#ifndef HV_MACHINE_WATCH_H
#define HV_MACHINE_WATCH_H

#include "machine/machine.h"

/* Records from `now` on. The recording has as many cores as the machine, and outlives the watching. */
void machine_watch(struct machine *m, struct activity *activity, hv_cycles now);

/* Ends the recording at the times that the cores have reached. */
void machine_unwatch(struct machine *m, struct activity *activity);

#endif
