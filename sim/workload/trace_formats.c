/* SPDX-License-Identifier: MIT */
/* The table of trace formats, and the row of hvsim's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload/trace_convert.h"
#include "workload/trace_file.h"
#include "workload/trace_reader.h"
#include "workload/trace_writer.h"

/* ---- hvsim ---- */

static void *hvsim_open_reader(const char *path, struct hv_err *err)
{
    return trace_reader_open(path, err);
}

static size_t hvsim_next(void *reader, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return trace_reader_next(reader, batch, capacity, err);
}

static uint64_t hvsim_skip(void *reader, uint64_t records, struct hv_err *err)
{
    return trace_reader_skip(reader, records, err);
}

static const char *hvsim_command(const void *reader)
{
    return trace_info(reader)->command;
}

static void hvsim_close_reader(void *reader)
{
    trace_reader_close(reader);
}

static void *hvsim_open_writer(const char *path, const char *command, struct hv_err *err)
{
    return trace_writer_open(path, command, err);
}

static bool hvsim_add(void *writer, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    return trace_writer_add(writer, batch, count, err);
}

static bool hvsim_close_writer(void *writer, struct hv_err *err)
{
    return trace_writer_close(writer, err);
}

static void hvsim_abort_writer(void *writer)
{
    trace_writer_abort(writer);
}

static bool hvsim_expresses(const struct hv_access *access)
{
    (void)access;
    return true;
}

/* ---- the table ---- */

static const char *const hvsim_extensions[] = { ".hvt", NULL };

const struct trace_format hvsim_trace_format = {
    .name = "hvsim",
    .extensions = hvsim_extensions,
    .help = "hvsim's own: compressed, seekable, checked",
    .open_reader = hvsim_open_reader,
    .next = hvsim_next,
    .skip = hvsim_skip,
    .command = hvsim_command,
    .close_reader = hvsim_close_reader,
    .open_writer = hvsim_open_writer,
    .add = hvsim_add,
    .close_writer = hvsim_close_writer,
    .abort_writer = hvsim_abort_writer,
    .expresses = hvsim_expresses,
};

static const struct trace_format *const formats[] = {
    &hvsim_trace_format, &lackey_trace_format, &champsim_trace_format,
};

static bool matches(const struct trace_format *format, const char *name, const char *path)
{
    if (name != NULL) {
        return strcmp(name, format->name) == 0;
    }
    size_t bytes;
    byte_coding_of(path, &bytes);
    for (const char *const *extension = format->extensions; *extension != NULL; extension++) {
        size_t length = strlen(*extension);
        if (bytes > length && memcmp(path + bytes - length, *extension, length) == 0) {
            return true;
        }
    }
    return false;
}

/* "hvsim (.hvt), lackey (.lackey .txt .log)" */
static void list_formats(char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < HV_ARRAY_LEN(formats); i++) {
        used += (size_t)snprintf(text + used, bytes - used, "%s%s (", i > 0 ? ", " : "", formats[i]->name);
        for (const char *const *extension = formats[i]->extensions; *extension != NULL; extension++) {
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", *extension, extension[1] != NULL ? " " : ")");
        }
    }
}

const struct trace_format *trace_format_find(const char *name, const char *path, struct hv_err *err)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(formats); i++) {
        if (matches(formats[i], name, path)) {
            return formats[i];
        }
    }
    char known[256];
    list_formats(known, sizeof(known));
    if (name != NULL) {
        hv_fail(err, "'%s' is not a trace format; known: %s", name, known);
    } else {
        hv_fail(err, "the extension of '%s' names no trace format; known: %s", path, known);
    }
    return NULL;
}
