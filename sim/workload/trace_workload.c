/* SPDX-License-Identifier: MIT */
/*
 * A recorded trace as a workload: the whole trace, or its first `accesses` accesses. An hvsim trace knows its pages and
 * can go to any record; one of another format is read once before the run.
 */
#include <stdlib.h>
#include <string.h>

#include "workload/stream.h"
#include "workload/trace_reader.h"
#include "workload/trace_scan.h"

struct trace_workload {
    struct workload base;
    char *path;
    const struct trace_format *format;
    void *reader;
    struct trace_scan scan; /* of a format without an index */
};

_Static_assert(TRACE_FORMAT_READ_ERROR == (size_t)-1, "the reader's error is the workload's");

static size_t next_record(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct trace_workload *t = (struct trace_workload *)w;
    size_t got = t->format->next(t->reader, batch, capacity, err);
    if (got == 0 && capacity > 0) {
        hv_fail(err, "trace '%s' became shorter while it was read", t->path);
        return (size_t)-1;
    }
    return got;
}

static uint64_t skip_accesses(struct workload *w, uint64_t accesses, struct hv_err *err)
{
    struct trace_workload *t = (struct trace_workload *)w;
    return t->format->skip == NULL ? 0 : t->format->skip(t->reader, accesses, err);
}

static void close_trace(struct workload *w)
{
    struct trace_workload *t = (struct trace_workload *)w;
    if (t->reader != NULL) {
        t->format->close_reader(t->reader);
    }
    trace_scan_fini(&t->scan);
    free(t->path);
    free(t);
}

static const struct workload_ops trace_ops = { .next = next_record, .close = close_trace, .skip = skip_accesses };

/* What the extension says; a name that says nothing is taken for hvsim's own, whose reader looks closely. */
static const struct trace_format *format_of(const char *path)
{
    struct hv_err unknown = { "" };
    const struct trace_format *format = trace_format_find(NULL, path, &unknown);
    return format != NULL ? format : &hvsim_trace_format;
}

/* Opens the reader, having learnt how many accesses there are and where. */
static bool open_reader(struct trace_workload *t, uint64_t *accesses, struct hv_err *err)
{
    bool indexed = t->format == &hvsim_trace_format;
    if (!indexed && !trace_scan(&t->scan, t->format, t->path, err)) {
        return false;
    }
    t->reader = t->format->open_reader(t->path, err);
    if (t->reader == NULL) {
        return false;
    }
    uint64_t events = indexed ? trace_info(t->reader)->events : t->scan.info.events;
    *accesses = (indexed ? trace_info(t->reader)->records : t->scan.info.records) - events;
    t->base.no_events = events == 0;
    t->base.region_count = t->scan.region_count;
    t->base.regions = indexed ? trace_reader_regions(t->reader, &t->base.region_count) : t->scan.regions;
    return true;
}

struct workload *trace_workload_open(const struct workload_params *params, struct hv_err *err)
{
    if (params->trace[0] == '\0') {
        hv_fail(err, "workload.kind is trace but workload.trace names no file");
        return NULL;
    }
    struct trace_workload *t = calloc(1, sizeof(*t));
    if (t == NULL || (t->path = strdup(params->trace)) == NULL) {
        free(t);
        hv_fail(err, "out of memory for the workload");
        return NULL;
    }
    uint64_t accesses = 0;
    t->format = format_of(t->path);
    t->base.ops = &trace_ops;
    if (!open_reader(t, &accesses, err)) {
        close_trace(&t->base);
        return NULL;
    }
    t->base.total = params->accesses < accesses ? params->accesses : accesses;
    return &t->base;
}
