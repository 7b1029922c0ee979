/* SPDX-License-Identifier: MIT */
/* The hvsim trace format: what is written comes back, from any record on, and in few bytes. */
#include <stdlib.h>
#include <string.h>

#include "trace_lab.h"
#include "workload/trace_format.h"

static void what_is_written_comes_back(void **state)
{
    static const size_t counts[] = { 1, 2, 999, 65535, 65536, 65537, 200000 };
    for (size_t k = 0; k < HV_ARRAY_LEN(counts); k++) {
        struct hv_err err = { "" };
        struct hv_access *records = random_elements(counts[k], k);
        struct trace_reader *r = trace_of(state, records, counts[k]);
        assert_int_equal(trace_read_along(r, records, k % 2 ? 1000 : 7, &err), counts[k]);
        assert_string_equal(err.text, "");
        trace_reader_close(r);
        free(records);
    }
    assert_int_equal(scratch_files(state), 1);
}

/* A block may lack the gap and the process column, each apart. */
static void rare_columns_come_and_go(void **state)
{
    for (unsigned mask = 0; mask < 4; mask++) {
        struct hv_err err = { "" };
        struct hv_access *records = random_records(500, mask);
        for (size_t i = 0; i < 500; i++) {
            records[i].gap *= mask & 1;
            records[i].asid *= mask >> 1 & 1;
        }
        struct trace_reader *r = trace_of(state, records, 500);
        assert_int_equal(trace_read_along(r, records, 100, &err), 500);
        trace_reader_close(r);
        free(records);
    }
}

/* A trace is of the first version that can say what it holds. */
static void the_version_follows_from_the_records(void **state)
{
    static const struct {
        uint32_t version;
        struct hv_access last;
    } rows[] = {
        { 1, TRACE_ACCESS(0, 1) }, { 2, TRACE_ACCESS(1, 0) }, { 2, TRACE_EVENT(VCPU, 0) },
        { 2, TRACE_EVENT(MAP, 0x1000) },
    };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_access records[2] = { TRACE_ACCESS(0, 0), rows[i].last };
        write_trace(path, records, 2);
        size_t bytes;
        unsigned char *data = file_read(path, &bytes);
        assert_int_equal(trace_get32(data + 8), rows[i].version);
        free(data);
    }
}

/* Skipping stops at a block that holds an event, and goes on behind the event. */
static void skip_passes_over_blocks_without_events(void **state)
{
    enum { BLOCK = 65536, RECORDS = 5 * BLOCK, EVENT_AT = 2 * BLOCK + 10 };
    struct hv_err err = { "" };
    struct hv_access *records = random_records(RECORDS, 6), got[100];
    records[EVENT_AT] = (struct hv_access)TRACE_EVENT(PROCESS, 1);
    struct trace_reader *r = trace_of(state, records, RECORDS);
    assert_int_equal(trace_reader_skip(r, 100, &err), 100);
    assert_int_equal(trace_reader_next(r, got, 1, &err), 1);
    assert_access_equal(&got[0], &records[100]);
    assert_int_equal(trace_reader_skip(r, 1000, &err), 1000);
    assert_int_equal(trace_reader_skip(r, UINT64_MAX, &err), 2 * BLOCK - 1101);
    assert_int_equal(trace_reader_skip(r, UINT64_MAX, &err), 0);
    assert_int_equal(trace_reader_next(r, got, 1, &err), 1);
    assert_access_equal(&got[0], &records[2 * BLOCK]);
    assert_int_equal(trace_reader_skip(r, 1, &err), 0);
    assert_true(trace_reader_seek(r, 3 * BLOCK - 1, &err));
    assert_int_equal(trace_reader_skip(r, 1, &err), 0);
    assert_int_equal(trace_reader_next(r, got, 1, &err), 1);
    assert_int_equal(trace_reader_skip(r, BLOCK + 5, &err), BLOCK + 5);
    assert_int_equal(trace_reader_next(r, got, 100, &err), 100);
    assert_access_equal(&got[99], &records[4 * BLOCK + 104]);
    assert_int_equal(trace_reader_skip(r, UINT64_MAX, &err), BLOCK - 105);
    assert_int_equal(trace_reader_skip(r, UINT64_MAX, &err), 0);
    assert_int_equal(trace_reader_next(r, got, 1, &err), 0);
    assert_string_equal(err.text, "");
    trace_reader_close(r);
    free(records);
}

static void seek_goes_to_any_record(void **state)
{
    enum { RECORDS = 200000 };
    struct hv_err err = { "" };
    struct hv_access *records = random_records(RECORDS, 3), got;
    struct trace_reader *r = trace_of(state, records, RECORDS);
    struct hv_rng rng;
    rng_init(&rng, 4);
    for (int i = 0; i < 100; i++) {
        static const uint64_t borders[] = { 0, 65535, 65536, 131072, RECORDS - 1 };
        uint64_t record = i < 5 ? borders[i] : rng_below(&rng, RECORDS);
        assert_true(trace_reader_seek(r, record, &err));
        assert_int_equal(trace_reader_next(r, &got, 1, &err), 1);
        assert_access_equal(&got, &records[record]);
    }
    assert_true(trace_reader_seek(r, RECORDS, &err));
    assert_int_equal(trace_reader_next(r, &got, 1, &err), 0);
    assert_false(trace_reader_seek(r, RECORDS + 1, &err));
    assert_non_null(strstr(err.text, "no record 200001; it holds 200000 records"));
    assert_true(trace_reader_seek(r, 65530, &err));
    err.text[0] = '\0';
    assert_int_equal(trace_read_along(r, records + 65530, 1000, &err), RECORDS - 65530);
    trace_reader_close(r);
    free(records);
}

/* Straight-line code is what most of a recording is. */
static void sequential_fetches_cost_less_than_a_byte(void **state)
{
    enum { RECORDS = 500000 };
    struct hv_rng rng;
    struct hv_access *records = calloc(RECORDS, sizeof(*records));
    uint64_t pc = 0x400000;
    rng_init(&rng, 1);
    for (size_t i = 0; i < RECORDS; i++) {
        uint8_t bytes = (uint8_t)(1 + rng_below(&rng, 7));
        bytes = pc % 64 + bytes > 64 ? (uint8_t)(64 - pc % 64) : bytes;
        records[i] = (struct hv_access){ .gva = { pc }, .kind = HV_FETCH, .bytes = bytes };
        pc += bytes;
    }
    struct trace_reader *r = trace_of(state, records, RECORDS);
    assert_in_range(trace_info(r)->file_bytes, 1, RECORDS / 2);
    trace_reader_close(r);
    free(records);
}

GTEST_MAIN("Trace", IN_SCRATCH(what_is_written_comes_back),
           IN_SCRATCH(rare_columns_come_and_go),
           IN_SCRATCH(the_version_follows_from_the_records),
           IN_SCRATCH(skip_passes_over_blocks_without_events),
           IN_SCRATCH(seek_goes_to_any_record),
           IN_SCRATCH(sequential_fetches_cost_less_than_a_byte))
