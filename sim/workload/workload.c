/* SPDX-License-Identifier: MIT */
#include "workload/workload.h"

#include "workload/stream.h"

const char *const workload_kind_names[] = {
    "sequential", "stride", "uniform", "zipf", "chase", "graph", "join", "kvstore", "mix", "trace", NULL,
};
const char *const mix_as_names[] = { "processes", "phases", NULL };
const char *const join_phase_names[] = { "all", "build", "probe", NULL };

_Static_assert(HV_ARRAY_LEN(workload_kind_names) == WORKLOAD_KINDS + 1, "a kind of workload without a name");

const struct param_row workload_param_rows[] = {
#define P(...) PARAM_ROW(struct workload_params, __VA_ARGS__)
#include "workload/workload_params.def"
#undef P
};
const size_t workload_param_count = HV_ARRAY_LEN(workload_param_rows);

const struct param_row join_param_rows[] = {
#define P(...) PARAM_ROW(struct join_params, __VA_ARGS__)
#include "workload/join_params.def"
#undef P
};
const size_t join_param_count = HV_ARRAY_LEN(join_param_rows);

const struct param_row kvstore_param_rows[] = {
#define P(...) PARAM_ROW(struct kvstore_params, __VA_ARGS__)
#include "workload/kvstore_params.def"
#undef P
};
const size_t kvstore_param_count = HV_ARRAY_LEN(kvstore_param_rows);

const struct param_row events_param_rows[] = {
#define P(...) PARAM_ROW(struct events_params, __VA_ARGS__)
#include "workload/events_params.def"
#undef P
};
const size_t events_param_count = HV_ARRAY_LEN(events_param_rows);

static struct workload *open_kind(const struct workload_params *params, struct hv_err *err)
{
    switch ((enum workload_kind)params->kind) {
    case WORKLOAD_GRAPH: return graph_open(params, err);
    case WORKLOAD_JOIN: return join_open(params, err);
    case WORKLOAD_KVSTORE: return kvstore_open(params, err);
    case WORKLOAD_TRACE: return trace_workload_open(params, err);
    case WORKLOAD_MIX:
        hv_fail(err, "a workload of kind mix cannot be opened here, only by its parts");
        return NULL;
    default: return synth_open(params, err);
    }
}

struct workload *stream_wrap(struct workload *w, const struct workload_params *params, struct hv_err *err)
{
    if (w != NULL && events_wanted(&params->events)) {
        w = events_open(w, params, err);
    }
    if (w != NULL && params->code_footprint > 0) {
        w = code_open(w, params);
    }
    return w;
}

struct workload *workload_open(const struct workload_params *params, struct hv_err *err)
{
    HV_ASSERT(params->kind < WORKLOAD_KINDS, "workload kind %u", params->kind);
    if (params->kind == WORKLOAD_TRACE && params->code_footprint > 0) {
        hv_fail(err, "workload.code_footprint is for synthetic workloads; a trace has the fetches that were recorded, "
                "so set it to 0");
        return NULL;
    }
    struct workload_params whole;
    if (!sampled_whole(params, &whole, err)) {
        return NULL;
    }
    return sampled_open(stream_wrap(open_kind(&whole, err), &whole, err), params, err);
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
        w->done += stream_count_accesses(w, batch, got);
    }
    return got;
}

uint64_t workload_skip(struct workload *w, uint64_t accesses, struct hv_err *err)
{
    uint64_t left = w->total - w->done;
    uint64_t passed = w->ops->skip == NULL ? 0 : w->ops->skip(w, left < accesses ? left : accesses, err);
    w->done += passed == UINT64_MAX ? 0 : passed;
    return passed;
}
