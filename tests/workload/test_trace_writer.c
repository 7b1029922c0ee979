/* SPDX-License-Identifier: MIT */
/* Writing a trace: a whole file or none, and the same bytes for the same stream. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "trace_lab.h"
#include "workload/trace_writer.h"

static void an_empty_trace_is_not_written(void **state)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct trace_writer *w = trace_writer_open(path, "", &err);
    assert_false(trace_writer_close(w, &err));
    assert_non_null(strstr(err.text, "would hold no record"));
    assert_int_equal(scratch_files(state), 0);
}

static void a_trace_of_events_alone_is_not_written(void **state)
{
    static const struct hv_access event = TRACE_EVENT(VCPU, 1);
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct trace_writer *w = trace_writer_open(path, "", &err);
    assert_true(trace_writer_add(w, &event, 1, &err));
    assert_false(trace_writer_close(w, &err));
    assert_non_null(strstr(err.text, "would hold no record of an access"));
    assert_int_equal(scratch_files(state), 0);
}

static void an_abort_leaves_the_old_file(void **state)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    file_write(path, "old", 3);
    struct hv_access *records = random_records(100000, 1);
    struct trace_writer *w = trace_writer_open(path, "new", &err);
    assert_true(trace_writer_add(w, records, 100000, &err));
    trace_writer_abort(w);
    free(records);
    size_t bytes;
    unsigned char *data = file_read(path, &bytes);
    assert_int_equal(bytes, 3);
    assert_memory_equal(data, "old", 3);
    free(data);
    assert_int_equal(scratch_files(state), 1);
}

/* A limit on the size of files stands for the full disk: the write fails in the same place. */
static void a_full_disk_leaves_nothing(void **state)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct hv_access *records = random_records(200000, 1);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    struct trace_writer *w = trace_writer_open(path, "", &err);
    bool added = w != NULL && trace_writer_add(w, records, 200000, &err);
    if (w != NULL) {
        trace_writer_abort(w);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(records);
    assert_non_null(w);
    assert_false(added);
    assert_non_null(strstr(err.text, "cannot write"));
    assert_non_null(strstr(err.text, path));
    assert_int_equal(scratch_files(state), 0);
}

static void an_unwritable_path_is_one_sentence(void **state)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "no/t.hvt", path);
    assert_null(trace_writer_open(path, "", &err));
    assert_non_null(strstr(err.text, "cannot write"));
}

static void the_same_stream_makes_the_same_bytes(void **state)
{
    struct trace_image a = trace_image(state, 70000), b = trace_image(state, 70000);
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.data, b.data, a.bytes);
    trace_image_free(&a);
    trace_image_free(&b);
}

GTEST_MAIN("TraceWriter", IN_SCRATCH(an_empty_trace_is_not_written),
           IN_SCRATCH(a_trace_of_events_alone_is_not_written),
           IN_SCRATCH(an_abort_leaves_the_old_file),
           IN_SCRATCH(a_full_disk_leaves_nothing),
           IN_SCRATCH(an_unwritable_path_is_one_sentence),
           IN_SCRATCH(the_same_stream_makes_the_same_bytes))
