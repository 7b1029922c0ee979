/* SPDX-License-Identifier: MIT */
/*
 * A lone in-order core on two threads of the host. What an access finds in the TLBs, and which entries a walk reads,
 * depends on the order of accesses alone; what it costs depends on caches and memory, which translations do not see.
 * So the first thread translates, ahead of time, and hands each access on to the second, which makes the references and
 * lets the time pass. Results are those of core_run(), to the last bit.
 *
 * Whatever is neither (an event, a fault, a walk that is not like one before) waits until the second thread has done
 * everything that precedes it, and is then executed whole by the first.
 */
#ifndef HV_CPU_CORE_SPLIT_H
#define HV_CPU_CORE_SPLIT_H

#include "cpu/core.h"

/* From now on the core may use a second thread of the host. */
void core_split_allow(struct core *c);

/*
 * Whether the core may run so now: it executes in order, nobody watches it or waits for a time of its, and it has not
 * been waiting for the second thread too often lately. Takes the thread at the first time. Until core_split_end() what
 * time changes (core.now, statistics, caches) belongs to the second thread.
 */
bool core_split_begin(struct core *c);

/*
 * core_run() of some elements; how many of them are accesses goes to *accesses. Ends early, with fewer elements, when
 * one has changed what the software wants of the core; then, as at any time, core_split_end() is due.
 */
size_t core_split_run(struct core *c, const struct hv_access *elements, size_t count, uint64_t *accesses);

/* Whether so few elements have had to wait for the second thread that it is worth while to go on. */
bool core_split_pays(const struct core *c);

/* All that has been handed on is done: the core is as core_run() leaves it. */
void core_split_end(struct core *c);

/* Gives the thread back. */
void core_split_fini(struct core *c);

#endif
