/* SPDX-License-Identifier: MIT */
/* Traces that are cut, changed, or none: no damage goes unnoticed, and what is whole is given. */
#include <stdlib.h>
#include <string.h>

#include "repair.h"
#include "trace_lab.h"

static void every_cut_is_noticed(void **state)
{
    struct trace_image t = trace_image(state, TRACE_SMALL);
    struct hv_err err;
    assert_true(trace_reads_whole(t.data, t.bytes, t.records, &err));
    for (size_t bytes = 0; bytes < t.bytes; bytes++) {
        unsigned char *cut = malloc(bytes + 1);
        memcpy(cut, t.data, bytes);
        unsigned char *exact = realloc(cut, bytes > 0 ? bytes : 1);
        assert_false(trace_reads_whole(exact, bytes, t.records, &err));
        free(exact);
    }
    trace_image_free(&t);
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct trace_image t = trace_image(state, TRACE_SMALL);
    struct hv_err err;
    for (size_t bit = 0; bit < 8 * t.bytes; bit++) {
        t.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(trace_reads_whole(t.data, t.bytes, t.records, &err));
        t.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t at = 0; at < t.bytes; at++) {
        t.data[at] = (unsigned char)~t.data[at];
        assert_false(trace_reads_whole(t.data, t.bytes, t.records, &err));
        t.data[at] = (unsigned char)~t.data[at];
    }
    assert_true(trace_reads_whole(t.data, t.bytes, t.records, &err));
    trace_image_free(&t);
}

static void bytes_too_many_are_noticed(void **state)
{
    struct trace_image t = trace_image(state, TRACE_SMALL);
    struct hv_err err;
    unsigned char *longer = calloc(1, t.bytes + 1);
    memcpy(longer, t.data, t.bytes);
    assert_false(trace_reads_whole(longer, t.bytes + 1, t.records, &err));
    free(longer);
    trace_image_free(&t);
}

static void a_cut_trace_says_how_many_records_are_whole(void **state)
{
    enum { RECORDS = 2 * 65536 + 100 };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    struct trace_image t = trace_image(state, RECORDS);
    scratch_path(state, "cut.hvt", path);
    uint64_t index = trace_get64(t.data + t.bytes - TRACE_TRAILER_BYTES);
    uint64_t third_block = trace_get64(t.data + index + 2 * trace_index_entry_bytes(TRACE_VERSION_EVENTS));
    file_write(path, t.data, third_block + 50);
    assert_null(trace_reader_open(path, &err));
    assert_non_null(strstr(err.text, "breaks at record 131072, after 131072 whole records"));
    file_write(path, t.data, index);
    err.text[0] = '\0';
    assert_null(trace_reader_open(path, &err));
    assert_non_null(strstr(err.text, "after 131172 whole records"));
    trace_image_free(&t);
}

static void records_before_the_damage_are_given(void **state)
{
    enum { RECORDS = 3 * 65536 };
    struct hv_err err = { "" };
    struct trace_image t = trace_image(state, RECORDS);
    uint64_t index = trace_get64(t.data + t.bytes - TRACE_TRAILER_BYTES);
    uint64_t second_block = trace_get64(t.data + index + trace_index_entry_bytes(TRACE_VERSION_EVENTS));
    t.data[second_block + 1000] ^= 1;
    struct trace_reader *r = trace_reader_open_memory(t.data, t.bytes, &err);
    assert_non_null(r);
    assert_int_equal(trace_read_along(r, t.records, 1000, &err), 65536);
    assert_non_null(strstr(err.text, "damaged at record 65536: the checksum"));
    struct hv_access got;
    assert_int_equal(trace_reader_next(r, &got, 1, &err), TRACE_READ_ERROR);
    /* What lies behind the damage can still be reached. */
    err.text[0] = '\0';
    assert_false(trace_reader_seek(r, 70000, &err));
    err.text[0] = '\0';
    assert_true(trace_reader_seek(r, 131072, &err));
    assert_int_equal(trace_read_along(r, t.records + 131072, 1000, &err), 65536);
    trace_reader_close(r);
    trace_image_free(&t);
}

/* With checksums made right again, any change is refused, or reads as some records: never a crash or a hang. */
static void changes_behind_the_checksums_are_survived(void **state)
{
    struct trace_image t = trace_image(state, TRACE_SMALL);
    unsigned char *changed = malloc(t.bytes);
    size_t refused = 0;
    for (size_t at = 0; at < t.bytes; at++) {
        for (unsigned value = 0; value < 256; value += 51) {
            struct hv_err err = { "" };
            struct hv_access batch[TRACE_SMALL];
            memcpy(changed, t.data, t.bytes);
            changed[at] = (unsigned char)value;
            repair_trace(changed, t.bytes);
            struct trace_reader *r = trace_reader_open_memory(changed, t.bytes, &err);
            size_t got = r == NULL ? 0 : trace_reader_next(r, batch, TRACE_SMALL, &err);
            refused += err.text[0] != '\0';
            assert_true(r == NULL || got == TRACE_READ_ERROR || got <= TRACE_SMALL);
            if (r != NULL) {
                trace_reader_close(r);
            }
        }
    }
    assert_in_range(refused, t.bytes, 6 * t.bytes);
    free(changed);
    trace_image_free(&t);
}

static void files_that_are_no_trace(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "", "is empty" },
        { "I  0400,3\n", "is not an hvsim trace" },
        { "HVSIM", "cut off within its header" },
        { "HVSIMTRC\2", "cut off within its header" },
    };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = { "" };
        file_write(path, rows[i].text, strlen(rows[i].text));
        assert_null(trace_reader_open(path, &err));
        assert_non_null(strstr(err.text, rows[i].says));
        assert_non_null(strstr(err.text, path));
    }
    struct hv_err err = { "" };
    assert_null(trace_reader_open(*state, &err));
    assert_non_null(strstr(err.text, "not a regular file"));
    err.text[0] = '\0';
    scratch_path(state, "none.hvt", path);
    assert_null(trace_reader_open(path, &err));
    assert_non_null(strstr(err.text, "No such file"));
}

static void a_later_version_is_refused_by_its_number(void **state)
{
    struct trace_image t = trace_image(state, TRACE_SMALL);
    struct hv_err err;
    t.data[8] = 3;
    repair_trace(t.data, t.bytes);
    assert_false(trace_reads_whole(t.data, t.bytes, t.records, &err));
    assert_non_null(strstr(err.text, "format version 3; this hvsim reads versions 1 to 2"));
    trace_image_free(&t);
}

GTEST_MAIN("TraceDamage", IN_SCRATCH(every_cut_is_noticed),
           IN_SCRATCH(every_flipped_bit_is_noticed),
           IN_SCRATCH(bytes_too_many_are_noticed),
           IN_SCRATCH(a_cut_trace_says_how_many_records_are_whole),
           IN_SCRATCH(records_before_the_damage_are_given),
           IN_SCRATCH(changes_behind_the_checksums_are_survived),
           IN_SCRATCH(files_that_are_no_trace),
           IN_SCRATCH(a_later_version_is_refused_by_its_number))
