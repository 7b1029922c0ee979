/* SPDX-License-Identifier: MIT */
/* The table of trace formats: each row adapts a reader and a writer to the same few functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload/byte_source.h"
#include "workload/lackey.h"
#include "workload/trace_convert.h"
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

/* ---- lackey ---- */

struct lackey_file {
    struct byte_source *source;
    struct byte_sink *sink;
    char *path;
    struct lackey_reader reader;
    struct lackey_writer writer;
};

static void lackey_free(struct lackey_file *file)
{
    if (file->source != NULL) {
        byte_source_close(file->source);
    }
    free(file->path);
    free(file);
}

static struct lackey_file *lackey_new(const char *path, struct hv_err *err)
{
    struct lackey_file *file = calloc(1, sizeof(*file));
    if (file == NULL || (file->path = strdup(path)) == NULL) {
        free(file);
        hv_fail(err, "out of memory for '%s'", path);
        return NULL;
    }
    return file;
}

static void *lackey_open_reader(const char *path, struct hv_err *err)
{
    struct lackey_file *file = lackey_new(path, err);
    if (file == NULL) {
        return NULL;
    }
    file->source = byte_source_open(path, err);
    if (file->source == NULL) {
        lackey_free(file);
        return NULL;
    }
    lackey_reader_init(&file->reader, file->path, byte_source_read, file->source, LACKEY_TAIL_PARSE);
    return file;
}

static size_t lackey_file_next(void *reader, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return lackey_next(&((struct lackey_file *)reader)->reader, batch, capacity, err);
}

static const char *lackey_command(const void *reader)
{
    return ((const struct lackey_file *)reader)->path;
}

static void lackey_close_reader(void *reader)
{
    lackey_free(reader);
}

static const struct {
    const char *extension;
    enum byte_coding coding;
} codings[] = { { ".gz", BYTES_GZIP }, { ".xz", BYTES_XZ }, { ".zst", BYTES_ZSTD } };

static bool ends_with(const char *text, size_t bytes, const char *end)
{
    size_t length = strlen(end);
    return bytes > length && memcmp(text + bytes - length, end, length) == 0;
}

/* The compression that a file name asks for; the rest of the name is *bytes long. */
static enum byte_coding coding_of(const char *path, size_t *bytes)
{
    *bytes = strlen(path);
    for (size_t i = 0; i < HV_ARRAY_LEN(codings); i++) {
        if (ends_with(path, *bytes, codings[i].extension)) {
            *bytes -= strlen(codings[i].extension);
            return codings[i].coding;
        }
    }
    return BYTES_PLAIN;
}

static void *lackey_open_writer(const char *path, const char *command, struct hv_err *err)
{
    struct lackey_file *file = lackey_new(path, err);
    if (file == NULL) {
        return NULL;
    }
    size_t bytes;
    file->sink = byte_sink_open(path, coding_of(path, &bytes), err);
    if (file->sink == NULL) {
        lackey_free(file);
        return NULL;
    }
    if (!lackey_writer_init(&file->writer, file->sink, command, err)) {
        byte_sink_abort(file->sink);
        lackey_free(file);
        return NULL;
    }
    return file;
}

static bool lackey_add(void *writer, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    return lackey_writer_add(&((struct lackey_file *)writer)->writer, batch, count, err);
}

static void lackey_abort_writer(void *writer)
{
    byte_sink_abort(((struct lackey_file *)writer)->sink);
    lackey_free(writer);
}

static bool lackey_close_writer(void *writer, struct hv_err *err)
{
    struct lackey_file *file = writer;
    if (!lackey_writer_finish(&file->writer, err)) {
        lackey_abort_writer(file);
        return false;
    }
    bool ok = byte_sink_commit(file->sink, err);
    lackey_free(file);
    return ok;
}

/* ---- the table ---- */

static const char *const hvsim_extensions[] = { ".hvt", NULL };
static const char *const lackey_extensions[] = { ".lackey", ".txt", ".log", NULL };

const struct trace_format trace_formats[] = {
    { "hvsim", hvsim_extensions, "hvsim's own: compressed, seekable, checked",
      hvsim_open_reader, hvsim_next, hvsim_command, hvsim_close_reader,
      hvsim_open_writer, hvsim_add, hvsim_close_writer, hvsim_abort_writer, hvsim_expresses },
    { "lackey", lackey_extensions, "text of valgrind --tool=lackey --trace-mem=yes, also .gz, .xz or .zst",
      lackey_open_reader, lackey_file_next, lackey_command, lackey_close_reader,
      lackey_open_writer, lackey_add, lackey_close_writer, lackey_abort_writer, lackey_expresses },
};

const size_t trace_format_count = HV_ARRAY_LEN(trace_formats);

static bool matches(const struct trace_format *format, const char *name, const char *path)
{
    if (name != NULL) {
        return strcmp(name, format->name) == 0;
    }
    size_t bytes;
    coding_of(path, &bytes);
    for (const char *const *extension = format->extensions; *extension != NULL; extension++) {
        if (ends_with(path, bytes, *extension)) {
            return true;
        }
    }
    return false;
}

/* "hvsim (.hvt), lackey (.lackey .txt .log)" */
static void list_formats(char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; i < trace_format_count; i++) {
        used += (size_t)snprintf(text + used, bytes - used, "%s%s (", i > 0 ? ", " : "", trace_formats[i].name);
        for (const char *const *extension = trace_formats[i].extensions; *extension != NULL; extension++) {
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", *extension, extension[1] != NULL ? " " : ")");
        }
    }
}

const struct trace_format *trace_format_find(const char *name, const char *path, struct hv_err *err)
{
    for (size_t i = 0; i < trace_format_count; i++) {
        if (matches(&trace_formats[i], name, path)) {
            return &trace_formats[i];
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
