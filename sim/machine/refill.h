/* SPDX-License-Identifier: MIT */
/*
 * Decoding the streams that cores execute, a batch at a time. A stream depends on nothing but itself, so on two
 * threads of the host the second can decode a task's next batch while the first executes the one before: what comes is
 * the same.
 */
#ifndef HV_MACHINE_REFILL_H
#define HV_MACHINE_REFILL_H

#include "machine/machine.h"

/* Gives the machine's task its next batch, from the beginning; false when the stream is damaged. */
bool refill_task(struct machine *m, struct machine_task *t, struct hv_err *err);

/* From now on a second thread decodes ahead. */
void refill_ahead(struct machine *m);

/* Ends the second thread. */
void refill_fini(struct machine *m);

#endif
