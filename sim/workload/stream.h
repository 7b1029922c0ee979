/* SPDX-License-Identifier: MIT */
/* What every kind of workload embeds as its first member; private to this folder. */
#ifndef HV_WORKLOAD_STREAM_H
#define HV_WORKLOAD_STREAM_H

#include "workload/workload.h"

struct workload_ops {
    /* Fills up to capacity elements, which is at most what is left of `total`; see workload_next. */
    size_t (*next)(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err);
    void (*close)(struct workload *w);
};

struct workload {
    const struct workload_ops *ops;
    const struct workload_region *regions;
    size_t region_count;
    uint64_t total;
    uint64_t done;
};

struct workload *synth_open(const struct workload_params *params, struct hv_err *err);
struct workload *trace_workload_open(const struct workload_params *params, struct hv_err *err);

#endif
