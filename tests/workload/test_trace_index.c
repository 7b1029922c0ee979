/* SPDX-License-Identifier: MIT */
/* The index of a trace: sums, the pages that are touched, events and processes. */
#include <stdlib.h>
#include <string.h>

#include "repair.h"
#include "trace_lab.h"

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
    struct trace_reader *r = trace_of(state, records, HV_ARRAY_LEN(records));
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

/* Events are counted, and touch nothing; the pages of each process are apart. */
static void the_index_knows_events_and_processes(void **state)
{
    static const struct hv_access records[] = {
        TRACE_ACCESS(0, 5), TRACE_EVENT(PROCESS, 7), TRACE_ACCESS(7, 5), TRACE_ACCESS(7, 6),
        TRACE_EVENT(VCPU, 3), TRACE_ACCESS(7, 3), TRACE_EVENT(MAP, 0x7000 | 0), TRACE_EVENT(VCPU, 9),
        TRACE_EVENT(VCPU, 3), TRACE_EVENT(PROCESS, 2),
        { .gva = { 7 }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS, .gap = 100 },
        TRACE_ACCESS(2, 6), { .gva = { UINT64_MAX }, .bytes = 1, .asid = 2 }, TRACE_ACCESS(3, 0),
    };
    struct hv_err err = { "" };
    struct trace_reader *r = trace_of(state, records, HV_ARRAY_LEN(records));
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
    assert_int_equal(trace_read_along(r, records, 3, &err), HV_ARRAY_LEN(records));
    trace_reader_close(r);
}

static void many_pages_become_sorted_runs(void **state)
{
    enum { PAGES = 100000 };
    struct hv_access *records = calloc(PAGES, sizeof(*records));
    for (uint64_t i = 0; i < PAGES; i++) {
        /* All even pages, then all odd ones, backwards; a hole of one page in the middle. */
        uint64_t page = i < PAGES / 2 ? 2 * i : 2 * (PAGES - 1 - i) + 1;
        records[i] = (struct hv_access){ .gva = { (page + (page >= PAGES / 2)) << 12 }, .bytes = 1 };
    }
    struct trace_reader *r = trace_of(state, records, PAGES);
    free(records);
    size_t count;
    const struct workload_region *regions = trace_reader_regions(r, &count);
    assert_int_equal(count, 2);
    assert_int_equal(regions[0].start.v, 0);
    assert_int_equal(regions[0].pages, PAGES / 2);
    assert_int_equal(regions[1].start.v, (PAGES / 2 + 1) << 12);
    assert_int_equal(regions[1].pages, PAGES / 2);
    trace_reader_close(r);
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
    static const struct hv_access records[] = { TRACE_ACCESS(1, 5), TRACE_EVENT(PROCESS, 2), TRACE_ACCESS(2, 5) };
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

GTEST_MAIN("TraceIndex", IN_SCRATCH(the_index_knows_the_sums_and_the_pages),
           IN_SCRATCH(the_index_knows_events_and_processes),
           IN_SCRATCH(many_pages_become_sorted_runs),
           IN_SCRATCH(an_index_that_contradicts_itself_is_refused))
