/* SPDX-License-Identifier: MIT */
/*
 * The C face of the SystemC shell.
 */
#ifndef HV_SYSC_SYSC_RUN_H
#define HV_SYSC_SYSC_RUN_H

#ifdef __cplusplus
extern "C" {
#endif

struct run; /* machine/run.h */

/*
 * Runs a machine under the SystemC kernel until the run is over; r->end says how. Once per process, because the
 * kernel cannot be elaborated twice.
 */
void sysc_run(struct run *r);

#ifdef __cplusplus
}
#endif

#endif
