/* SPDX-License-Identifier: MIT */
/*
 * The C face of the SystemC shell.
 */
#ifndef HV_SYSC_SYSC_RUN_H
#define HV_SYSC_SYSC_RUN_H

#ifdef __cplusplus
extern "C" {
#endif

struct run;       /* machine/run.h */
struct wave_file; /* machine/wave_file.h */

/*
 * Runs a machine under the SystemC kernel until the run is over; r->end says how. Once per process, because the
 * kernel cannot be elaborated twice. With `waves`, which may be NULL, the activity that the run has recorded is then
 * played into that file, to be committed by the caller.
 */
void sysc_run(struct run *r, struct wave_file *waves);

#ifdef __cplusplus
}
#endif

#endif
