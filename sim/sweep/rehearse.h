/* SPDX-License-Identifier: MIT */
/*
 * What can only be known by building a machine, learned before a sweep begins: whether it can be built at all, how
 * many accesses a run makes, and how long it may take.
 */
#ifndef HV_SWEEP_REHEARSE_H
#define HV_SWEEP_REHEARSE_H

#include "sweep/engine.h"

/*
 * Builds the machines of these points, without mapping their memory, and stops short of the first access. The sentence
 * says what is wrong with the first that cannot be built, and with which values. Fills sweep_point.accesses.
 */
bool sweep_rehearse(struct sweep *s, const size_t *points, size_t count, struct hv_err *err);

struct sweep_estimate {
    double seconds;
    size_t samples; /* points that were tried for it; 0: there is no estimate */
};

/* Runs the beginnings of some of the job's points, which have been rehearsed, to see how long all would take. */
struct sweep_estimate sweep_estimate(const struct sweep_job *job);

#endif
