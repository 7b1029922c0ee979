/* SPDX-License-Identifier: MIT */
/* A recorded trace as a workload: the whole trace, or its first `accesses` records. */
#include <stdlib.h>

#include "workload/stream.h"
#include "workload/trace_reader.h"

struct trace_workload {
    struct workload base;
    struct trace_reader *reader;
};

_Static_assert(TRACE_READ_ERROR == (size_t)-1, "the reader's error is the workload's");

static size_t next_record(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return trace_reader_next(((struct trace_workload *)w)->reader, batch, capacity, err);
}

static void close_trace(struct workload *w)
{
    trace_reader_close(((struct trace_workload *)w)->reader);
    free(w);
}

static const struct workload_ops trace_ops = { next_record, close_trace };

struct workload *trace_workload_open(const struct workload_params *params, struct hv_err *err)
{
    if (params->trace[0] == '\0') {
        hv_fail(err, "workload.kind is trace but workload.trace names no file");
        return NULL;
    }
    struct trace_workload *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        hv_fail(err, "out of memory for the workload");
        return NULL;
    }
    t->reader = trace_reader_open(params->trace, err);
    if (t->reader == NULL) {
        free(t);
        return NULL;
    }
    uint64_t records = trace_info(t->reader)->records;
    t->base.ops = &trace_ops;
    t->base.total = params->accesses < records ? params->accesses : records;
    t->base.regions = trace_reader_regions(t->reader, &t->base.region_count);
    return &t->base;
}
