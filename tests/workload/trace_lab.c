/* SPDX-License-Identifier: MIT */
#include "trace_lab.h"

#include <stdlib.h>

struct trace_reader *trace_of(void **state, const struct hv_access *records, size_t count)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    write_trace(path, records, count);
    struct trace_reader *r = trace_reader_open(path, &err);
    if (r == NULL) {
        fail_msg("%s", err.text);
    }
    return r;
}

size_t trace_read_along(struct trace_reader *r, const struct hv_access *expected, size_t batch, struct hv_err *err)
{
    struct hv_access got[1000];
    size_t count = 0;
    for (;;) {
        size_t n = trace_reader_next(r, got, batch, err);
        if (n == 0 || n == TRACE_READ_ERROR) {
            assert_int_equal(n == 0, err->text[0] == '\0');
            return count;
        }
        assert_in_range(n, 1, batch);
        for (size_t i = 0; i < n; i++) {
            assert_access_equal(&got[i], &expected[count++]);
        }
    }
}

bool trace_reads_whole(const unsigned char *data, size_t bytes, const struct hv_access *expected, struct hv_err *err)
{
    err->text[0] = '\0';
    struct trace_reader *r = trace_reader_open_memory(data, bytes, err);
    if (r == NULL) {
        assert_string_not_equal(err->text, "");
        return false;
    }
    trace_read_along(r, expected, 1000, err);
    trace_reader_close(r);
    return err->text[0] == '\0';
}

struct trace_image trace_image(void **state, size_t records)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "small.hvt", path);
    struct trace_image t = { .records = random_elements(records, 9) };
    write_trace(path, t.records, records);
    t.data = file_read(path, &t.bytes);
    return t;
}

void trace_image_free(struct trace_image *t)
{
    free(t->records);
    free(t->data);
}
