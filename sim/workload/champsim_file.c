/* SPDX-License-Identifier: MIT */
/* The row of ChampSim in the table of trace formats. */
#include "workload/champsim.h"
#include "workload/trace_convert.h"
#include "workload/trace_file.h"

struct champsim_input {
    struct trace_file file;
    struct champsim_reader reader;
};

struct champsim_output {
    struct trace_file file;
    struct champsim_writer writer;
};

static void *open_reader(const char *path, struct hv_err *err)
{
    struct champsim_input *input = trace_file_open_reader(path, sizeof(*input), err);
    if (input != NULL) {
        champsim_reader_init(&input->reader, input->file.path, byte_source_read, input->file.source);
    }
    return input;
}

static size_t next(void *reader, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return champsim_next(&((struct champsim_input *)reader)->reader, batch, capacity, err);
}

/* The format has no place for what was recorded. */
static void *open_writer(const char *path, const char *recorded, struct hv_err *err)
{
    (void)recorded;
    struct champsim_output *output = trace_file_open_writer(path, sizeof(*output), err);
    if (output != NULL) {
        champsim_writer_init(&output->writer, output->file.sink);
    }
    return output;
}

static bool add(void *writer, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    return champsim_writer_add(&((struct champsim_output *)writer)->writer, batch, count, err);
}

static bool close_writer(void *writer, struct hv_err *err)
{
    bool finished = champsim_writer_finish(&((struct champsim_output *)writer)->writer, err);
    return trace_file_close_writer(writer, finished, err);
}

static const char *const extensions[] = { ".champsim", ".champsimtrace", ".trace", NULL };

const struct trace_format champsim_trace_format = {
    .name = "champsim",
    .extensions = extensions,
    .help = "instructions as ChampSim runs them, also .gz, .xz or .zst",
    .open_reader = open_reader,
    .next = next,
    .command = trace_file_command,
    .close_reader = trace_file_close_reader,
    .open_writer = open_writer,
    .add = add,
    .close_writer = close_writer,
    .abort_writer = trace_file_abort,
    .expresses = champsim_expresses,
};
