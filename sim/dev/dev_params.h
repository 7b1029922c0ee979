/* SPDX-License-Identifier: MIT */
/*
 * Parameters and statistics that all devices share: a device reads of the parameters what it has a use for.
 */
#ifndef HV_DEV_DEV_PARAMS_H
#define HV_DEV_DEV_PARAMS_H

#include "base/param.h"
#include "base/stat.h"

enum dev_pattern { DEV_RECEIVE, DEV_TRANSMIT, DEV_REQUEST_RESPONSE, DEV_STORAGE, DEV_READ, DEV_WRITE };
extern const char *const dev_pattern_names[]; /* NULL-terminated, in the order of the enum */

enum dev_order { DEV_SEQUENTIAL, DEV_RANDOM };
extern const char *const dev_order_names[];

struct dev_params {
#define P PARAM_MEMBER
#include "dev/dev_params.def"
#undef P
};

extern const struct param_row dev_param_rows[];
extern const size_t dev_param_count;

struct dev_stats {
#define S STAT_MEMBER
#include "dev/dev_stats.def"
#undef S
};

extern const struct stat_row dev_stat_rows[];
extern const size_t dev_stat_count;

/* What one row cannot say. False, with a sentence, for a link that is impossible. */
bool dev_params_check(const struct dev_params *params, struct hv_err *err);

/* Nanoseconds in cycles of a clock, rounded up. */
static inline hv_cycles dev_cycles(uint64_t ns, uint64_t clock_mhz)
{
    return (hv_cycles)(((unsigned __int128)ns * clock_mhz + 999) / 1000);
}

#endif
