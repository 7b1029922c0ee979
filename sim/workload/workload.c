/* SPDX-License-Identifier: MIT */
#include "workload/workload.h"

#include "workload/stream.h"

const char *const workload_kind_names[] = { "sequential", "stride", "uniform", "zipf", "chase", "trace", NULL };

_Static_assert(HV_ARRAY_LEN(workload_kind_names) == WORKLOAD_KINDS + 1, "a kind of workload without a name");

const struct param_row workload_param_rows[] = {
#define P(...) PARAM_ROW(struct workload_params, __VA_ARGS__)
#include "workload/workload_params.def"
#undef P
};

const size_t workload_param_count = HV_ARRAY_LEN(workload_param_rows);

struct workload *workload_open(const struct workload_params *params, struct hv_err *err)
{
    HV_ASSERT(params->kind < WORKLOAD_KINDS, "workload kind %u", params->kind);
    return params->kind == WORKLOAD_TRACE ? trace_workload_open(params, err) : synth_open(params, err);
}

void workload_close(struct workload *w)
{
    if (w != NULL) {
        w->ops->close(w);
    }
}

const struct workload_region *workload_regions(const struct workload *w, size_t *count)
{
    *count = w->region_count;
    return w->regions;
}

uint64_t workload_total(const struct workload *w)
{
    return w->total;
}

size_t workload_next(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    uint64_t left = w->total - w->done;
    size_t got = w->ops->next(w, batch, left < capacity ? (size_t)left : capacity, err);
    if (got != (size_t)-1) {
        w->done += got;
    }
    return got;
}
