/* SPDX-License-Identifier: MIT */
/*
 * A file of a trace format that is a plain stream of bytes, perhaps compressed. The formats' readers and writers have
 * it as their first member.
 */
#ifndef HV_WORKLOAD_TRACE_FILE_H
#define HV_WORKLOAD_TRACE_FILE_H

#include "workload/byte_sink.h"
#include "workload/byte_source.h"

struct trace_file {
    char *path;
    struct byte_source *source; /* of a reader */
    struct byte_sink *sink;     /* of a writer */
};

/* A zeroed object of that many bytes with its file opened, or NULL with the sentence. */
void *trace_file_open_reader(const char *path, size_t bytes, struct hv_err *err);
void *trace_file_open_writer(const char *path, size_t bytes, struct hv_err *err);

/* Stands for what was recorded, which no such file says: its path. */
const char *trace_file_command(const void *reader);

/* Each frees the object. The second keeps the file when it was `finished`. */
void trace_file_close_reader(void *object);
bool trace_file_close_writer(void *object, bool finished, struct hv_err *err);
void trace_file_abort(void *object);

#endif
