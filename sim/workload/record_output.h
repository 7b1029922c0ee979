/* SPDX-License-Identifier: MIT */
/* Where a recording goes: one trace, or one a thread; private to this folder. */
#ifndef HV_WORKLOAD_RECORD_OUTPUT_H
#define HV_WORKLOAD_RECORD_OUTPUT_H

#include "workload/record.h"
#include "workload/trace_writer.h"

#define RECORD_NO_THREAD 0u /* before the first record */
#define RECORD_THREAD_ENDED UINT32_MAX

struct record_output {
    const char *path;
    bool threads; /* one trace a thread */
    char *command;
    unsigned traces, last;
    struct {
        struct trace_writer *writer;
        uint32_t thread; /* valgrind's number, or RECORD_NO_THREAD, RECORD_THREAD_ENDED */
    } trace[RECORD_THREADS_MAX];
};

/* command says what is recorded. Opens the first trace at once: that it cannot be written is known before it runs. */
bool record_output_open(struct record_output *o, const struct record_request *request, const char *command,
                        struct hv_err *err);

/* A thread begins under this number; the one that had it has ended. */
void record_output_thread_starts(struct record_output *o, uint32_t thread);

/* Adds accesses of a thread. After a failure only the abort may follow. */
bool record_output_add(struct record_output *o, uint32_t thread, const struct hv_access *batch, size_t count,
                       struct hv_err *err);

/* Completes each trace; when one fails, those after it are not written either. */
bool record_output_close(struct record_output *o, struct hv_err *err);

void record_output_abort(struct record_output *o);

#endif
