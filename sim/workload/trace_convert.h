/* SPDX-License-Identifier: MIT */
/* The trace formats that hvsim knows, one row of one table each, and the conversion between any two of them. */
#ifndef HV_WORKLOAD_TRACE_CONVERT_H
#define HV_WORKLOAD_TRACE_CONVERT_H

#include "base/access.h"
#include "base/err.h"
#include "workload/sample.h"

#define TRACE_FORMAT_READ_ERROR ((size_t)-1)

struct trace_format {
    const char *name;
    const char *const *extensions; /* NULL-terminated; all but hvsim's own may have .gz, .xz or .zst behind them */
    const char *help;

    void *(*open_reader)(const char *path, struct hv_err *err);
    size_t (*next)(void *reader, struct hv_access *batch, size_t capacity, struct hv_err *err);
    /* Passes over at most so many records, none an event; how many, or UINT64_MAX. NULL when reading is no slower. */
    uint64_t (*skip)(void *reader, uint64_t records, struct hv_err *err);
    const char *(*command)(const void *reader); /* what was recorded */
    void (*close_reader)(void *reader);

    void *(*open_writer)(const char *path, const char *command, struct hv_err *err);
    bool (*add)(void *writer, const struct hv_access *batch, size_t count, struct hv_err *err);
    bool (*close_writer)(void *writer, struct hv_err *err); /* the writer is gone either way */
    void (*abort_writer)(void *writer);
    bool (*expresses)(const struct hv_access *access); /* whether the format can say all of an element */
};

extern const struct trace_format hvsim_trace_format, lackey_trace_format, champsim_trace_format;

/* By name, or when name is NULL by the extension of path. NULL with a sentence that lists what is known. */
const struct trace_format *trace_format_find(const char *name, const char *path, struct hv_err *err);

struct trace_convert_request {
    const char *input, *output;
    const char *from, *to; /* names of formats, or NULL: by extension */
    struct sample sample;  /* which accesses; zeroed for all */
    uint64_t limit;        /* at most so many of those; 0 for all */
    void (*progress)(void *ctx, uint64_t accesses); /* or NULL */
    bool (*interrupted)(void *ctx);                /* or NULL; when it says yes, no output is left */
    void *ctx;
};

struct trace_convert_result {
    uint64_t accesses, events; /* of the sample */
    uint64_t inexact;          /* of all these, such of which the output format cannot say all */
    bool interrupted;
};

bool trace_convert(const struct trace_convert_request *request, struct trace_convert_result *result,
                   struct hv_err *err);

#endif
