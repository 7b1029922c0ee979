/* SPDX-License-Identifier: MIT */
/* Traces with right checksums and wrong content: the reader names the record that is wrong. */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "repair.h"
#include "trace_lab.h"

/* Replaces the content of a trace of one block by the given one, all lengths and checksums right. */
static struct trace_image with_content(const struct trace_image *t, const uint8_t *content, size_t content_bytes,
                                       uint32_t columns)
{
    struct trace_image made = { .data = malloc(t->bytes + content_bytes + 1000) };
    uint64_t index = trace_get64(t->data + t->bytes - TRACE_TRAILER_BYTES);
    uint64_t block = trace_get64(t->data + index);
    uint64_t frame = block + TRACE_BLOCK_HEADER_BYTES;
    memcpy(made.data, t->data, frame);
    size_t frame_bytes = ZSTD_compress(made.data + frame, content_bytes + 900, content, content_bytes, 1);
    assert_false(ZSTD_isError(frame_bytes));
    trace_put32(made.data + block + 16, (uint32_t)content_bytes);
    trace_put32(made.data + block + 20, (uint32_t)frame_bytes);
    trace_put32(made.data + block + 24, columns);
    memcpy(made.data + frame + frame_bytes, t->data + index, t->bytes - index);
    made.bytes = frame + frame_bytes + t->bytes - index;
    trace_put64(made.data + made.bytes - TRACE_TRAILER_BYTES, frame + frame_bytes);
    repair_trace(made.data, made.bytes);
    return made;
}

struct bad_content {
    const char *name;
    uint32_t version, columns;
    size_t bytes;
    uint8_t content[32];
    size_t whole; /* records before the defect */
    const char *says;
};

/*
 * Of version 1, two loads of 4 bytes each, at 4 and 8: controls, sizes, deltas. Of version 2, the first of them and a
 * switch to process 5. Each row has one mistake.
 */
static const struct bad_content bad_contents[] = {
    { "event", 1, 0, 6, { 0x10, 0x13, 4, 4, 8, 8 }, 1, "record 1: it is an event" },
    { "long_address", 1, 0, 16, { 0x10, 0x90, 4, 4, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 1, "record 1: its address" },
    { "no_size", 1, 0, 6, { 0x10, 0x10, 0, 4, 8, 8 }, 0, "record 0: its size" },
    { "large_size", 1, 0, 6, { 0x10, 0x10, 4, 65, 8, 8 }, 1, "record 1: its size" },
    { "crosses_a_line", 1, 0, 6, { 0x10, 0x10, 4, 61, 8, 8 }, 1, "record 1: it crosses" },
    { "missing_address", 1, 0, 5, { 0x10, 0x10, 4, 4, 8 }, 1, "record 1: its address is missing" },
    { "too_much", 1, 0, 7, { 0x10, 0x10, 4, 4, 8, 8, 8 }, 0, "record 0: its block cannot be unpacked" },
    { "process_in_version_1", 1, TRACE_COLUMN_ASID, 8, { 0x10, 0x10, 4, 4, 0, 0, 8, 8 }, 0,
      "record 0: its block cannot be unpacked" },
    { "unknown_column", 2, 4, 8, { 0x10, 0x13, 4, 0, 8, 10, 0, 0 }, 0, "record 0: its block cannot be unpacked" },
    { "unknown_event", 2, 0, 6, { 0x10, 0x13, 4, 255, 8, 10 }, 1, "record 1: it is an event of a kind" },
    { "process_too_large", 2, 0, 7, { 0x10, 0x23, 4, HV_EVENT_PROCESS, 8, 0x00, 0x02 }, 1, "record 1: its argument" },
    { "run_not_aligned", 2, 0, 7, { 0x10, 0x23, 4, HV_EVENT_MAP, 8, 0x02, 0x20 }, 1, "record 1: its argument" },
    { "an_event_less", 2, 0, 6, { 0x10, 0x10, 4, 4, 8, 8 }, 0, "record 0: its block has not as many events" },
};

static void wrong_content_is_named_by_record(void **state)
{
    void *folder = NULL;
    assert_int_equal(scratch_make(&folder), 0);
    const struct bad_content *row = *state;
    static const struct hv_access records[][2] = {
        { { .gva = { 4 }, .bytes = 4 }, { .gva = { 8 }, .bytes = 4 } },
        { { .gva = { 4 }, .bytes = 4 }, { .gva = { 5 }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS } },
    };
    /* The zigzag number of 4 is 8, that of 5 is 10. */
    static const uint8_t sound[][6] = { { 0x10, 0x10, 4, 4, 8, 8 }, { 0x10, 0x13, 4, 0, 8, 10 } };
    const struct hv_access *two = records[row->version - 1];
    char path[SCRATCH_PATH_BYTES];
    scratch_path(&folder, "t.hvt", path);
    write_trace(path, two, 2);
    struct trace_image t = { 0 };
    t.data = file_read(path, &t.bytes);
    assert_int_equal(trace_get32(t.data + 8), row->version);
    struct hv_err err;
    struct trace_image good = with_content(&t, sound[row->version - 1], sizeof(sound[0]), 0);
    assert_true(trace_reads_whole(good.data, good.bytes, two, &err));

    struct trace_image bad = with_content(&t, row->content, row->bytes, row->columns);
    struct trace_reader *r = trace_reader_open_memory(bad.data, bad.bytes, &err);
    assert_non_null(r);
    assert_int_equal(trace_read_along(r, two, 10, &err), row->whole);
    assert_non_null(strstr(err.text, row->says));
    trace_reader_close(r);
    trace_image_free(&t);
    trace_image_free(&good);
    trace_image_free(&bad);
    assert_int_equal(scratch_remove(&folder), 0);
}

int main(int argc, char **argv)
{
    struct CMUnitTest contents[HV_ARRAY_LEN(bad_contents)];
    gtest_rows(contents, wrong_content_is_named_by_record, bad_contents, sizeof(bad_contents[0]),
               HV_ARRAY_LEN(bad_contents));
    const struct gtest_suite suites[] = { GTEST_SUITE("TraceContent", contents) };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
