/* SPDX-License-Identifier: MIT */
/* The row of lackey's text in the table of trace formats. */
#include "workload/lackey.h"
#include "workload/trace_convert.h"
#include "workload/trace_file.h"

struct lackey_input {
    struct trace_file file;
    struct lackey_reader reader;
};

struct lackey_output {
    struct trace_file file;
    struct lackey_writer writer;
};

static void *open_reader(const char *path, struct hv_err *err)
{
    struct lackey_input *input = trace_file_open_reader(path, sizeof(*input), err);
    if (input != NULL) {
        lackey_reader_init(&input->reader, input->file.path, byte_source_read, input->file.source, LACKEY_TAIL_PARSE);
    }
    return input;
}

static size_t next(void *reader, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return lackey_next(&((struct lackey_input *)reader)->reader, batch, capacity, err);
}

static void *open_writer(const char *path, const char *recorded, struct hv_err *err)
{
    struct lackey_output *output = trace_file_open_writer(path, sizeof(*output), err);
    if (output != NULL && !lackey_writer_init(&output->writer, output->file.sink, recorded, err)) {
        trace_file_abort(output);
        return NULL;
    }
    return output;
}

static bool add(void *writer, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    return lackey_writer_add(&((struct lackey_output *)writer)->writer, batch, count, err);
}

static bool close_writer(void *writer, struct hv_err *err)
{
    bool finished = lackey_writer_finish(&((struct lackey_output *)writer)->writer, err);
    return trace_file_close_writer(writer, finished, err);
}

static const char *const extensions[] = { ".lackey", ".txt", ".log", NULL };

const struct trace_format lackey_trace_format = {
    .name = "lackey",
    .extensions = extensions,
    .help = "text of valgrind --tool=lackey --trace-mem=yes, also .gz, .xz or .zst",
    .open_reader = open_reader,
    .next = next,
    .command = trace_file_command,
    .close_reader = trace_file_close_reader,
    .open_writer = open_writer,
    .add = add,
    .close_writer = close_writer,
    .abort_writer = trace_file_abort,
    .expresses = lackey_expresses,
};
