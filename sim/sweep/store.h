/* SPDX-License-Identifier: MIT */
/*
 * The directory of a sweep's results: points/NAME.json, each a result as `hvsim run` writes it, but without the host's
 * part, so that it is the same bytes whenever and wherever it is computed; and with what it was computed from:
 *
 *     "sweep": {"point": {"paging.mode": "native", ...}, "seed": 1, "key": "0123456789abcdef"}
 */
#ifndef HV_SWEEP_STORE_H
#define HV_SWEEP_STORE_H

#include "machine/result_file.h"
#include "sweep/sweep.h"

enum sweep_state {
    SWEEP_MISSING, /* there is no result, or none that is whole */
    SWEEP_CHANGED, /* it is of other parameters, another trace or another hvsim */
    SWEEP_DONE,
};

extern const char *const sweep_state_names[];

/* Makes the directory and takes it for this process; another sweep that works there is a mistake. */
bool store_open(const char *directory, struct hv_err *err);

/* Reads the result of a point. It begins zeroed, and is loaded only when the answer is SWEEP_DONE. */
enum sweep_state store_load(const char *directory, const struct sweep_point *point, struct result_file *result);

enum sweep_state store_state(const char *directory, const struct sweep_point *point);

/* Writes the result of a finished run of a point, whole or not at all. */
bool store_write(const struct sweep *s, const struct sweep_point *point, const struct run *run,
                 const char *directory, struct hv_err *err);

/* Removes every point. */
void store_remove_points(const char *directory);

/* Removes the directory when it holds no results at all. */
void store_remove_empty(const char *directory);

/* Removes what processes that were killed have left of files they were writing. */
void store_remove_temporaries(const char *directory);

#endif
