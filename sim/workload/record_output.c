/* SPDX-License-Identifier: MIT */
#include "workload/record_output.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload/trace_path.h"

bool record_thread_pattern(const char *output, char *pattern, size_t bytes)
{
    static const char extension[] = ".hvt";
    size_t length = strlen(output), end = sizeof(extension) - 1;
    if (trace_path_per_core(output)) {
        return (size_t)snprintf(pattern, bytes, "%s", output) < bytes;
    }
    bool has_extension = length > end && strcmp(output + length - end, extension) == 0;
    size_t stem = has_extension ? length - end : length;
    return (size_t)snprintf(pattern, bytes, "%.*s-" TRACE_PATH_CORE "%s", (int)stem, output, output + stem) < bytes;
}

static bool open_trace(struct record_output *o, struct hv_err *err)
{
    char pattern[PATH_MAX], path[PATH_MAX];
    const char *name = o->path;
    if (o->traces == RECORD_THREADS_MAX) {
        return hv_fail(err, "the program runs more than %d threads at once, which is as many as can be recorded",
                       RECORD_THREADS_MAX);
    }
    if (o->threads) {
        if (!record_thread_pattern(o->path, pattern, sizeof(pattern)) ||
            !trace_path_for_core(pattern, o->traces, path, sizeof(path))) {
            return hv_fail(err, "cannot write %s: the name is too long", o->path);
        }
        name = path;
    }
    struct trace_writer *writer = trace_writer_open(name, o->command, err);
    if (writer != NULL) {
        o->trace[o->traces].thread = RECORD_NO_THREAD;
        o->trace[o->traces++].writer = writer;
    }
    return writer != NULL;
}

bool record_output_open(struct record_output *o, const struct record_request *request, const char *command,
                        struct hv_err *err)
{
    o->path = request->output;
    o->threads = request->threads;
    o->traces = o->last = 0;
    o->command = strdup(command);
    bool ok = (o->command != NULL || hv_fail(err, "out of memory for the command")) && open_trace(o, err);
    if (!ok) {
        free(o->command);
    }
    return ok;
}

/* The trace of a thread (or of that which a constant stands for), or the number of traces. */
static unsigned trace_of(const struct record_output *o, uint32_t thread)
{
    unsigned i = 0;
    while (i < o->traces && o->trace[i].thread != thread) {
        i++;
    }
    return i;
}

void record_output_thread_starts(struct record_output *o, uint32_t thread)
{
    unsigned i = trace_of(o, thread);
    if (i < o->traces) {
        o->trace[i].thread = RECORD_THREAD_ENDED;
    }
}

/* Makes the thread's trace the last one used, and finds one for a thread that has none. */
static bool find_trace(struct record_output *o, uint32_t thread, struct hv_err *err)
{
    unsigned i = trace_of(o, thread);
    i = i < o->traces ? i : trace_of(o, RECORD_NO_THREAD);
    if (i == RECORD_THREADS_MAX) {
        i = trace_of(o, RECORD_THREAD_ENDED);
    }
    if (i == o->traces && !open_trace(o, err)) {
        return false;
    }
    o->trace[i].thread = thread;
    o->last = i;
    return true;
}

bool record_output_add(struct record_output *o, uint32_t thread, const struct hv_access *batch, size_t count,
                       struct hv_err *err)
{
    thread = o->threads ? thread : RECORD_NO_THREAD;
    bool found = count == 0 || o->trace[o->last].thread == thread || find_trace(o, thread, err);
    return found && trace_writer_add(o->trace[o->last].writer, batch, count, err);
}

bool record_output_close(struct record_output *o, struct hv_err *err)
{
    bool ok = true;
    for (unsigned i = 0; i < o->traces; i++) {
        if (ok) {
            ok = trace_writer_close(o->trace[i].writer, err);
        } else {
            trace_writer_abort(o->trace[i].writer);
        }
    }
    free(o->command);
    return ok;
}

void record_output_abort(struct record_output *o)
{
    for (unsigned i = 0; i < o->traces; i++) {
        trace_writer_abort(o->trace[i].writer);
    }
    free(o->command);
}
