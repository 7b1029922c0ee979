/* SPDX-License-Identifier: MIT */
/* The hvsim trace format: what is written comes back, and no damage goes unnoticed. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zstd.h>

#include "repair.h"
#include "support.h"
#include "workload/trace_reader.h"
#include "workload/trace_writer.h"

#define SMALL 20u

/* Reads on to the end or to an error, comparing with what was written. Returns how many records came. */
static size_t read_along(struct trace_reader *r, const struct hv_access *expected, size_t batch, struct hv_err *err)
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

static void what_is_written_comes_back(void **state)
{
    static const size_t counts[] = { 1, 2, 999, 65535, 65536, 65537, 200000 };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    for (size_t k = 0; k < HV_ARRAY_LEN(counts); k++) {
        struct hv_err err = { "" };
        struct hv_access *records = random_elements(counts[k], k);
        write_trace(path, records, counts[k]);
        struct trace_reader *r = trace_reader_open(path, &err);
        assert_non_null(r);
        assert_int_equal(read_along(r, records, k % 2 ? 1000 : 7, &err), counts[k]);
        assert_string_equal(err.text, "");
        trace_reader_close(r);
        free(records);
    }
    assert_int_equal(scratch_files(state), 1);
}

/* A block may lack the gap and the process column, each apart. */
static void rare_columns_come_and_go(void **state)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    for (unsigned mask = 0; mask < 4; mask++) {
        struct hv_err err = { "" };
        struct hv_access *records = random_records(500, mask);
        for (size_t i = 0; i < 500; i++) {
            records[i].gap *= mask & 1;
            records[i].asid *= mask >> 1 & 1;
        }
        write_trace(path, records, 500);
        struct trace_reader *r = trace_reader_open(path, &err);
        assert_int_equal(read_along(r, records, 100, &err), 500);
        trace_reader_close(r);
        free(records);
    }
}

static void the_index_knows_the_sums_and_the_pages(void **state)
{
    static const struct hv_access records[] = {
        { .gva = { 0x400ffd }, .kind = HV_FETCH, .bytes = 3 },
        { .gva = { 0x7fff0010 }, .kind = HV_LOAD, .bytes = 8, .flags = HV_ACCESS_SAME_INSTRUCTION },
        { .gva = { 0x7fff0010 }, .kind = HV_STORE, .bytes = 8, .flags = HV_ACCESS_SAME_INSTRUCTION },
        { .gva = { 0x401000 }, .kind = HV_FETCH, .bytes = 1 },
        { .gva = { 0x403000 }, .kind = HV_LOAD, .bytes = 4, .gap = 10 },
        { .gva = { UINT64_MAX }, .kind = HV_LOAD, .bytes = 1, .gap = 1 },
    };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    write_trace(path, records, HV_ARRAY_LEN(records));
    struct trace_reader *r = trace_reader_open(path, &err);
    assert_non_null(r);
    const struct trace_info *info = trace_info(r);
    assert_string_equal(info->command, "a command");
    assert_int_equal(info->records, 6);
    assert_int_equal(info->loads, 3);
    assert_int_equal(info->stores, 1);
    assert_int_equal(info->fetches, 2);
    assert_int_equal(info->instructions, 2 + 11 + 2);
    assert_int_equal(info->pages, 5);
    assert_int_equal(info->blocks, 1);

    size_t count;
    const struct workload_region *regions = trace_reader_regions(r, &count);
    static const struct workload_region expected[] = {
        { { 0x400000 }, 2, 0 }, { { 0x403000 }, 1, 0 }, { { 0x7fff0000 }, 1, 0 }, { { UINT64_MAX - 4095 }, 1, 0 },
    };
    assert_int_equal(count, HV_ARRAY_LEN(expected));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(regions[i].start.v, expected[i].start.v);
        assert_int_equal(regions[i].pages, expected[i].pages);
    }
    trace_reader_close(r);
}

#define ACCESS(process, page) { .gva = { (page) << 12 }, .bytes = 1, .asid = process }
#define EVENT(id, argument) { .gva = { argument }, .kind = HV_EVENT, .bytes = HV_EVENT_##id }

/* Events are counted, and touch nothing; the pages of each process are apart. */
static void the_index_knows_events_and_processes(void **state)
{
    static const struct hv_access records[] = {
        ACCESS(0, 5), EVENT(PROCESS, 7), ACCESS(7, 5), ACCESS(7, 6), EVENT(VCPU, 3), ACCESS(7, 3),
        EVENT(MAP, 0x7000 | 0), EVENT(VCPU, 9), EVENT(VCPU, 3), EVENT(PROCESS, 2),
        { .gva = { 7 }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS, .gap = 100 },
        ACCESS(2, 6), { .gva = { UINT64_MAX }, .bytes = 1, .asid = 2 }, ACCESS(3, 0),
    };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    write_trace(path, records, HV_ARRAY_LEN(records));
    struct trace_reader *r = trace_reader_open(path, &err);
    assert_non_null(r);
    const struct trace_info *info = trace_info(r);
    assert_int_equal(info->version, 2);
    assert_int_equal(info->records, 14);
    assert_int_equal(info->loads, 7);
    assert_int_equal(info->events, 7);
    assert_int_equal(info->events_of[HV_EVENT_PROCESS], 3);
    assert_int_equal(info->events_of[HV_EVENT_VCPU], 3);
    assert_int_equal(info->events_of[HV_EVENT_MAP], 1);
    assert_int_equal(info->instructions, 7 + 100);
    assert_int_equal(info->pages, 7);
    assert_int_equal(info->processes, 4);
    assert_int_equal(info->vcpus, 2); /* 0 and 3: nothing ran on 9 */
    static const struct workload_region expected[] = {
        { { 0x5000 }, 1, 0 }, { { 0x6000 }, 1, 2 }, { { UINT64_MAX - 4095 }, 1, 2 }, { { 0 }, 1, 3 },
        { { 0x3000 }, 1, 7 }, { { 0x5000 }, 2, 7 },
    };
    size_t count;
    const struct workload_region *regions = trace_reader_regions(r, &count);
    assert_int_equal(count, HV_ARRAY_LEN(expected));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(regions[i].start.v, expected[i].start.v);
        assert_int_equal(regions[i].pages, expected[i].pages);
        assert_int_equal(regions[i].process, expected[i].process);
    }
    assert_int_equal(read_along(r, records, 3, &err), HV_ARRAY_LEN(records));
    trace_reader_close(r);
}

/* A trace is of the first version that can say what it holds. */
static void the_version_follows_from_the_records(void **state)
{
    static const struct {
        uint32_t version;
        struct hv_access last;
    } rows[] = { { 1, ACCESS(0, 1) }, { 2, ACCESS(1, 0) }, { 2, EVENT(VCPU, 0) }, { 2, EVENT(MAP, 0x1000) } };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_access records[2] = { ACCESS(0, 0), rows[i].last };
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
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct hv_access *records = random_records(RECORDS, 6), got[100];
    records[EVENT_AT] = (struct hv_access)EVENT(PROCESS, 1);
    write_trace(path, records, RECORDS);
    struct trace_reader *r = trace_reader_open(path, &err);
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

static void many_pages_become_sorted_runs(void **state)
{
    enum { PAGES = 100000 };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct hv_access *records = calloc(PAGES, sizeof(*records));
    for (uint64_t i = 0; i < PAGES; i++) {
        /* All even pages, then all odd ones, backwards; a hole of one page in the middle. */
        uint64_t page = i < PAGES / 2 ? 2 * i : 2 * (PAGES - 1 - i) + 1;
        records[i] = (struct hv_access){ .gva = { (page + (page >= PAGES / 2)) << 12 }, .bytes = 1 };
    }
    write_trace(path, records, PAGES);
    free(records);
    struct trace_reader *r = trace_reader_open(path, &err);
    size_t count;
    const struct workload_region *regions = trace_reader_regions(r, &count);
    assert_int_equal(count, 2);
    assert_int_equal(regions[0].start.v, 0);
    assert_int_equal(regions[0].pages, PAGES / 2);
    assert_int_equal(regions[1].start.v, (PAGES / 2 + 1) << 12);
    assert_int_equal(regions[1].pages, PAGES / 2);
    trace_reader_close(r);
}

/* Straight-line code is what most of a recording is. */
static void sequential_fetches_cost_less_than_a_byte(void **state)
{
    enum { RECORDS = 500000 };
    struct hv_err err = { "" };
    struct hv_rng rng;
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct hv_access *records = calloc(RECORDS, sizeof(*records));
    uint64_t pc = 0x400000;
    rng_init(&rng, 1);
    for (size_t i = 0; i < RECORDS; i++) {
        uint8_t bytes = (uint8_t)(1 + rng_below(&rng, 7));
        bytes = pc % 64 + bytes > 64 ? (uint8_t)(64 - pc % 64) : bytes;
        records[i] = (struct hv_access){ .gva = { pc }, .kind = HV_FETCH, .bytes = bytes };
        pc += bytes;
    }
    write_trace(path, records, RECORDS);
    struct trace_reader *r = trace_reader_open(path, &err);
    assert_in_range(trace_info(r)->file_bytes, 1, RECORDS / 2);
    trace_reader_close(r);
    free(records);
}

static void seek_goes_to_any_record(void **state)
{
    enum { RECORDS = 200000 };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    struct hv_access *records = random_records(RECORDS, 3), got;
    write_trace(path, records, RECORDS);
    struct trace_reader *r = trace_reader_open(path, &err);
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
    assert_int_equal(read_along(r, records + 65530, 1000, &err), RECORDS - 65530);
    trace_reader_close(r);
    free(records);
}

/* ---- Damage ---- */

/* Whether the bytes open and read to the end as a trace; whatever is read must be what was written. */
static bool reads_whole(const unsigned char *data, size_t bytes, const struct hv_access *expected,
                        struct hv_err *err)
{
    err->text[0] = '\0';
    struct trace_reader *r = trace_reader_open_memory(data, bytes, err);
    if (r == NULL) {
        assert_string_not_equal(err->text, "");
        return false;
    }
    read_along(r, expected, 1000, err);
    trace_reader_close(r);
    return err->text[0] == '\0';
}

struct small_trace {
    struct hv_access *records;
    unsigned char *data;
    size_t bytes;
};

static struct small_trace small_trace(void **state, size_t records)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "small.hvt", path);
    struct small_trace t = { .records = random_elements(records, 9) };
    write_trace(path, t.records, records);
    t.data = file_read(path, &t.bytes);
    return t;
}

static void small_trace_free(struct small_trace *t)
{
    free(t->records);
    free(t->data);
}

static void every_cut_is_noticed(void **state)
{
    struct small_trace t = small_trace(state, SMALL);
    struct hv_err err;
    assert_true(reads_whole(t.data, t.bytes, t.records, &err));
    for (size_t bytes = 0; bytes < t.bytes; bytes++) {
        unsigned char *cut = malloc(bytes + 1);
        memcpy(cut, t.data, bytes);
        unsigned char *exact = realloc(cut, bytes > 0 ? bytes : 1);
        assert_false(reads_whole(exact, bytes, t.records, &err));
        free(exact);
    }
    small_trace_free(&t);
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct small_trace t = small_trace(state, SMALL);
    struct hv_err err;
    for (size_t bit = 0; bit < 8 * t.bytes; bit++) {
        t.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(reads_whole(t.data, t.bytes, t.records, &err));
        t.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t at = 0; at < t.bytes; at++) {
        t.data[at] = (unsigned char)~t.data[at];
        assert_false(reads_whole(t.data, t.bytes, t.records, &err));
        t.data[at] = (unsigned char)~t.data[at];
    }
    assert_true(reads_whole(t.data, t.bytes, t.records, &err));
    small_trace_free(&t);
}

static void bytes_too_many_are_noticed(void **state)
{
    struct small_trace t = small_trace(state, SMALL);
    struct hv_err err;
    unsigned char *longer = calloc(1, t.bytes + 1);
    memcpy(longer, t.data, t.bytes);
    assert_false(reads_whole(longer, t.bytes + 1, t.records, &err));
    free(longer);
    small_trace_free(&t);
}

static void a_cut_trace_says_how_many_records_are_whole(void **state)
{
    enum { RECORDS = 2 * 65536 + 100 };
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    struct small_trace t = small_trace(state, RECORDS);
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
    small_trace_free(&t);
}

static void records_before_the_damage_are_given(void **state)
{
    enum { RECORDS = 3 * 65536 };
    struct hv_err err = { "" };
    struct small_trace t = small_trace(state, RECORDS);
    uint64_t index = trace_get64(t.data + t.bytes - TRACE_TRAILER_BYTES);
    uint64_t second_block = trace_get64(t.data + index + trace_index_entry_bytes(TRACE_VERSION_EVENTS));
    t.data[second_block + 1000] ^= 1;
    struct trace_reader *r = trace_reader_open_memory(t.data, t.bytes, &err);
    assert_non_null(r);
    assert_int_equal(read_along(r, t.records, 1000, &err), 65536);
    assert_non_null(strstr(err.text, "damaged at record 65536: the checksum"));
    struct hv_access got;
    assert_int_equal(trace_reader_next(r, &got, 1, &err), TRACE_READ_ERROR);
    /* What lies behind the damage can still be reached. */
    err.text[0] = '\0';
    assert_false(trace_reader_seek(r, 70000, &err));
    err.text[0] = '\0';
    assert_true(trace_reader_seek(r, 131072, &err));
    assert_int_equal(read_along(r, t.records + 131072, 1000, &err), 65536);
    trace_reader_close(r);
    small_trace_free(&t);
}

/* ---- Traces with right checksums and wrong content ---- */

/* Replaces the content of a trace of one block by the given one, all lengths and checksums right. */
static struct small_trace with_content(const struct small_trace *t, const uint8_t *content, size_t content_bytes,
                                       uint32_t columns)
{
    struct small_trace made = { .data = malloc(t->bytes + content_bytes + 1000) };
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
    struct small_trace t = { 0 };
    t.data = file_read(path, &t.bytes);
    assert_int_equal(trace_get32(t.data + 8), row->version);
    struct hv_err err;
    struct small_trace good = with_content(&t, sound[row->version - 1], sizeof(sound[0]), 0);
    assert_true(reads_whole(good.data, good.bytes, two, &err));

    struct small_trace bad = with_content(&t, row->content, row->bytes, row->columns);
    struct trace_reader *r = trace_reader_open_memory(bad.data, bad.bytes, &err);
    assert_non_null(r);
    assert_int_equal(read_along(r, two, 10, &err), row->whole);
    assert_non_null(strstr(err.text, row->says));
    trace_reader_close(r);
    small_trace_free(&t);
    small_trace_free(&good);
    small_trace_free(&bad);
    assert_int_equal(scratch_remove(&folder), 0);
}

/* With checksums made right again, any change is refused, or reads as some records: never a crash or a hang. */
static void changes_behind_the_checksums_are_survived(void **state)
{
    struct small_trace t = small_trace(state, SMALL);
    unsigned char *changed = malloc(t.bytes);
    size_t refused = 0;
    for (size_t at = 0; at < t.bytes; at++) {
        for (unsigned value = 0; value < 256; value += 51) {
            struct hv_err err = { "" };
            struct hv_access batch[SMALL];
            memcpy(changed, t.data, t.bytes);
            changed[at] = (unsigned char)value;
            repair_trace(changed, t.bytes);
            struct trace_reader *r = trace_reader_open_memory(changed, t.bytes, &err);
            size_t got = r == NULL ? 0 : trace_reader_next(r, batch, SMALL, &err);
            refused += err.text[0] != '\0';
            assert_true(r == NULL || got == TRACE_READ_ERROR || got <= SMALL);
            if (r != NULL) {
                trace_reader_close(r);
            }
        }
    }
    assert_in_range(refused, t.bytes, 6 * t.bytes);
    free(changed);
    small_trace_free(&t);
}

/* What version 2 adds to the index: one block's entry, two runs, then six sums, processors and events by number. */
static void an_index_that_contradicts_itself_is_refused(void **state)
{
    enum { ENTRY = 0, RUNS = 24, SUMS = RUNS + 2 * 24, VCPUS = SUMS + 48, EVENTS = VCPUS + 8 };
    static const struct {
        size_t at;
        uint64_t value;
        bool sound;
    } rows[] = {
        { ENTRY + 16, 1, true },  { ENTRY + 16, 0, false },          { ENTRY + 16, 2, false },
        { RUNS + 16, 1, true },   { RUNS + 16, 3, false },           { RUNS + 16, 2, false },
        { RUNS + 40, 256, false }, { RUNS + 40, UINT64_MAX, false }, { RUNS + 40, 255, true },
        { SUMS, 4, false },       { EVENTS, 0, false },              { EVENTS + 8, 1, false },
        { EVENTS + 8, UINT64_MAX, false }, { VCPUS, 7, true },
    };
    static const struct hv_access records[] = { ACCESS(1, 5), EVENT(PROCESS, 2), ACCESS(2, 5) };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", path);
    write_trace(path, records, HV_ARRAY_LEN(records));
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = { "" };
        size_t bytes;
        unsigned char *data = file_read(path, &bytes);
        uint64_t index = trace_get64(data + bytes - TRACE_TRAILER_BYTES);
        trace_put64(data + index + rows[i].at, rows[i].value);
        repair_trace(data, bytes);
        struct trace_reader *r = trace_reader_open_memory(data, bytes, &err);
        assert_int_equal(r != NULL, rows[i].sound);
        if (r != NULL) {
            trace_reader_close(r);
        } else {
            assert_non_null(strstr(err.text, "its index contradicts itself"));
        }
        free(data);
    }
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
    struct small_trace t = small_trace(state, SMALL);
    struct hv_err err;
    t.data[8] = 3;
    repair_trace(t.data, t.bytes);
    assert_false(reads_whole(t.data, t.bytes, t.records, &err));
    assert_non_null(strstr(err.text, "format version 3; this hvsim reads versions 1 to 2"));
    small_trace_free(&t);
}

/* ---- Writing ---- */

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
    static const struct hv_access event = EVENT(VCPU, 1);
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
    struct small_trace a = small_trace(state, 70000), b = small_trace(state, 70000);
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.data, b.data, a.bytes);
    small_trace_free(&a);
    small_trace_free(&b);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        IN_SCRATCH(what_is_written_comes_back),
        IN_SCRATCH(rare_columns_come_and_go),
        IN_SCRATCH(the_index_knows_the_sums_and_the_pages),
        IN_SCRATCH(the_index_knows_events_and_processes),
        IN_SCRATCH(the_version_follows_from_the_records),
        IN_SCRATCH(skip_passes_over_blocks_without_events),
        IN_SCRATCH(many_pages_become_sorted_runs),
        IN_SCRATCH(sequential_fetches_cost_less_than_a_byte),
        IN_SCRATCH(seek_goes_to_any_record),
        IN_SCRATCH(every_cut_is_noticed),
        IN_SCRATCH(every_flipped_bit_is_noticed),
        IN_SCRATCH(bytes_too_many_are_noticed),
        IN_SCRATCH(a_cut_trace_says_how_many_records_are_whole),
        IN_SCRATCH(records_before_the_damage_are_given),
        IN_SCRATCH(changes_behind_the_checksums_are_survived),
        IN_SCRATCH(an_index_that_contradicts_itself_is_refused),
        IN_SCRATCH(files_that_are_no_trace),
        IN_SCRATCH(a_later_version_is_refused_by_its_number),
        IN_SCRATCH(an_empty_trace_is_not_written),
        IN_SCRATCH(a_trace_of_events_alone_is_not_written),
        IN_SCRATCH(an_abort_leaves_the_old_file),
        IN_SCRATCH(a_full_disk_leaves_nothing),
        IN_SCRATCH(an_unwritable_path_is_one_sentence),
        IN_SCRATCH(the_same_stream_makes_the_same_bytes),
    };
    struct CMUnitTest contents[HV_ARRAY_LEN(bad_contents)];
    gtest_rows(contents, wrong_content_is_named_by_record, bad_contents, sizeof(bad_contents[0]),
               HV_ARRAY_LEN(bad_contents));
    const struct gtest_suite suites[] = { GTEST_SUITE("Trace", tests), GTEST_SUITE("TraceContent", contents) };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
