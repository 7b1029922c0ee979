/* SPDX-License-Identifier: MIT */
#include "workload/trace_file.h"

#include <stdlib.h>
#include <string.h>

static void free_file(struct trace_file *file)
{
    free(file->path);
    free(file);
}

static struct trace_file *new_file(const char *path, size_t bytes, struct hv_err *err)
{
    struct trace_file *file = calloc(1, bytes);
    if (file == NULL || (file->path = strdup(path)) == NULL) {
        free(file);
        hv_fail(err, "out of memory for '%s'", path);
        return NULL;
    }
    return file;
}

void *trace_file_open_reader(const char *path, size_t bytes, struct hv_err *err)
{
    struct trace_file *file = new_file(path, bytes, err);
    if (file != NULL && (file->source = byte_source_open(path, err)) == NULL) {
        free_file(file);
        return NULL;
    }
    return file;
}

void *trace_file_open_writer(const char *path, size_t bytes, struct hv_err *err)
{
    size_t length;
    struct trace_file *file = new_file(path, bytes, err);
    if (file != NULL && (file->sink = byte_sink_open(path, byte_coding_of(path, &length), err)) == NULL) {
        free_file(file);
        return NULL;
    }
    return file;
}

const char *trace_file_command(const void *reader)
{
    const struct trace_file *file = reader;
    return file->path;
}

void trace_file_close_reader(void *object)
{
    struct trace_file *file = object;
    byte_source_close(file->source);
    free_file(file);
}

void trace_file_abort(void *object)
{
    struct trace_file *file = object;
    byte_sink_abort(file->sink);
    free_file(file);
}

bool trace_file_close_writer(void *object, bool finished, struct hv_err *err)
{
    struct trace_file *file = object;
    if (!finished) {
        trace_file_abort(object);
        return false;
    }
    bool ok = byte_sink_commit(file->sink, err);
    free_file(file);
    return ok;
}
