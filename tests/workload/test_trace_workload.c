/* SPDX-License-Identifier: MIT */
/* A recorded trace as a workload. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "workload/trace_convert.h"
#include "workload/trace_format.h"
#include "workload/trace_path.h"
#include "workload/workload.h"

static void a_workload_of_kind_trace_yields_at_most_accesses(void **state)
{
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(70000, 2);
    write_trace(p.trace, records, 70000);
    static const uint64_t accesses[] = { 1, 65536, 65537, 70000, 1000000 };
    for (size_t k = 0; k < HV_ARRAY_LEN(accesses); k++) {
        p.accesses = accesses[k];
        uint64_t expected = accesses[k] < 70000 ? accesses[k] : 70000, count = 0;
        struct workload *w = workload_open(&p, &err);
        assert_non_null(w);
        assert_int_equal(workload_total(w), expected);
        struct hv_access batch[999];
        for (size_t got; (got = workload_next(w, batch, 999, &err)) > 0; count += got) {
            assert_in_range(got, 1, 999);
            assert_access_equal(&batch[got - 1], &records[count + got - 1]);
        }
        assert_int_equal(count, expected);
        size_t regions;
        assert_non_null(workload_regions(w, &regions));
        assert_in_range(regions, 1, 70000);
        workload_close(w);
    }
    free(records);
}

/* Events come on top of the accesses that are counted; after the last of these comes nothing. */
static void events_of_a_trace_are_not_counted(void **state)
{
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(100, 2), batch[200];
    for (size_t i = 10; i < 60; i++) {
        records[i] = (struct hv_access){ .gva = { i }, .kind = HV_EVENT, .bytes = HV_EVENT_VCPU };
    }
    write_trace(p.trace, records, 100);
    static const struct {
        uint64_t accesses, total;
        size_t elements;
    } rows[] = { { 5, 5, 5 }, { 10, 10, 10 }, { 11, 11, 61 }, { 50, 50, 100 }, { 1000, 50, 100 } };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        p.accesses = rows[i].accesses;
        struct workload *w = workload_open(&p, &err);
        assert_int_equal(workload_total(w), rows[i].total);
        size_t count = 0, got;
        while ((got = workload_next(w, batch + count, 7, &err)) != 0) {
            assert_in_range(got, 1, 7);
            count += got;
        }
        assert_int_equal(count, rows[i].elements);
        for (size_t k = 0; k < count; k++) {
            assert_access_equal(&batch[k], &records[k]);
        }
        workload_close(w);
    }
    free(records);
}

static void a_trace_workload_needs_a_readable_file(void **state)
{
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 1 };
    assert_null(workload_open(&p, &err));
    assert_non_null(strstr(err.text, "workload.trace names no file"));
    err.text[0] = '\0';
    scratch_path(state, "none.hvt", p.trace);
    assert_null(workload_open(&p, &err));
    assert_non_null(strstr(err.text, "none.hvt"));
}

/* A damaged trace gives what comes before the damage, then the sentence. */
static void damage_ends_the_workload_with_a_sentence(void **state)
{
    enum { RECORDS = 2 * 65536 };
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 1000000 };
    scratch_path(state, "t.hvt", p.trace);
    struct hv_access *records = random_records(RECORDS, 2), batch[1000];
    write_trace(p.trace, records, RECORDS);
    size_t bytes;
    unsigned char *data = file_read(p.trace, &bytes);
    uint64_t index = trace_get64(data + bytes - TRACE_TRAILER_BYTES);
    uint64_t second_block = trace_get64(data + index + trace_index_entry_bytes(TRACE_VERSION_EVENTS));
    data[second_block + 1000] ^= 1;
    file_write(p.trace, data, bytes);
    free(data);

    struct workload *w = workload_open(&p, &err);
    assert_non_null(w);
    size_t count = 0, got;
    while ((got = workload_next(w, batch, 1000, &err)) != (size_t)-1) {
        assert_in_range(got, 1, 1000);
        assert_access_equal(&batch[got - 1], &records[count + got - 1]);
        count += got;
    }
    assert_int_equal(count, 65536);
    assert_non_null(strstr(err.text, "damaged at record 65536"));
    assert_int_equal(workload_next(w, batch, 1000, &err), (size_t)-1);
    workload_close(w);
    free(records);
}

static void convert_trace(const char *input, const char *output)
{
    struct hv_err err = { "" };
    struct trace_convert_result result;
    struct trace_convert_request request = { .input = input, .output = output };
    assert_true(trace_convert(&request, &result, &err));
}

/* A trace of a format without an index has the same regions and elements as its conversion into one with an index. */
static void a_trace_of_any_format_runs(void **state)
{
    enum { RECORDS = 20000 };
    static const char *const names[] = { "t.champsim", "t.trace.xz", "t.champsimtrace.gz", "t.lackey", "t.txt.zst" };
    struct hv_err err = { "" };
    char source[SCRATCH_PATH_BYTES], back[SCRATCH_PATH_BYTES];
    scratch_path(state, "source.hvt", source);
    scratch_path(state, "back.hvt", back);
    struct hv_access *records = random_records(RECORDS, 2), other[100], same[100];
    for (size_t i = 0; i < RECORDS; i++) {
        records[i].gap %= 2;
    }
    write_trace(source, records, RECORDS);
    for (size_t k = 0; k < HV_ARRAY_LEN(names); k++) {
        struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 15000 }, q = p;
        scratch_path(state, names[k], p.trace);
        strcpy(q.trace, back);
        convert_trace(source, p.trace);
        convert_trace(p.trace, q.trace);
        struct workload *w = workload_open(&p, &err), *v = workload_open(&q, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(workload_total(w), 15000);
        size_t count, expected, got;
        const struct workload_region *a = workload_regions(w, &count), *b = workload_regions(v, &expected);
        assert_int_equal(count, expected);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(a[i].start.v, b[i].start.v);
            assert_int_equal(a[i].pages, b[i].pages);
            assert_int_equal(a[i].process, b[i].process);
        }
        for (count = 0; (got = workload_next(w, other, 100, &err)) != 0; count += got) {
            for (size_t i = 0; i < got; i++) {
                assert_int_equal(workload_next(v, &same[i], 1, &err), 1);
                assert_access_equal(&other[i], &same[i]);
            }
        }
        assert_int_equal(count, 15000);
        workload_close(w);
        workload_close(v);
    }
    free(records);
}

static void a_damaged_trace_of_any_format_is_one_sentence(void **state)
{
    static const struct {
        const char *name;
        size_t bytes;
        const char *text, *says;
    } rows[] = {
        { "t.champsim", 100, NULL, "record 1: the trace ends after 36 of the record's 64 bytes" },
        { "t.champsim", 0, NULL, "holds no record of an access" },
        { "t.champsim", 128, NULL, "holds no record of an access" },
        { "t.lackey", 17, "I  10,1\nnonsense\n", "line 2: 'nonsense'" },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        static const char zeros[128];
        struct hv_err err = { "" };
        struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 1000 };
        scratch_path(state, rows[i].name, p.trace);
        file_write(p.trace, rows[i].text != NULL ? rows[i].text : zeros, rows[i].bytes);
        assert_null(workload_open(&p, &err));
        assert_non_null(strstr(err.text, rows[i].says));
    }
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 1000 };
    scratch_path(state, "none.champsim", p.trace);
    assert_null(workload_open(&p, &err));
    assert_non_null(strstr(err.text, "none.champsim': No such file"));
    err.text[0] = '\0';
    scratch_path(state, "pipe.champsim", p.trace);
    assert_int_equal(mkfifo(p.trace, 0600), 0);
    assert_null(workload_open(&p, &err));
    assert_non_null(strstr(err.text, "is not a regular file"));
}

/* Between the reading for the pages and the run somebody cuts the file. */
static void a_trace_that_shrinks_is_noticed(void **state)
{
    struct hv_err err = { "" };
    struct workload_params p = { .kind = WORKLOAD_TRACE, .accesses = 100000 };
    scratch_path(state, "t.lackey", p.trace);
    size_t bytes = 8 * 50000;
    char *text = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i += 8) {
        memcpy(text + i, "I  10,1\n", 9);
    }
    file_write(p.trace, text, bytes);
    free(text);
    struct workload *w = workload_open(&p, &err);
    assert_int_equal(workload_total(w), 50000);
    assert_int_equal(truncate(p.trace, 8 * 40000), 0);
    struct hv_access batch[1000];
    size_t count = 0, got;
    while ((got = workload_next(w, batch, 1000, &err)) != (size_t)-1) {
        assert_in_range(got, 1, 1000);
        count += got;
    }
    assert_int_equal(count, 40000);
    assert_non_null(strstr(err.text, "became shorter while it was read"));
    workload_close(w);
}

static void a_path_names_the_trace_of_each_core(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        unsigned core;
        bool per_core;
    } rows[] = {
        { "a-{core}.hvt", "a-0.hvt", 0, true },
        { "a-{core}.hvt", "a-127.hvt", 127, true },
        { "{core}/t{core}.hvt", "12/t12.hvt", 12, true },
        { "a.hvt", "a.hvt", 3, false },
        { "a-{Core}{}.hvt", "a-{Core}{}.hvt", 3, false },
        { "", "", 3, false },
    };
    char path[16];
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(trace_path_per_core(rows[i].pattern), rows[i].per_core);
        assert_true(trace_path_for_core(rows[i].pattern, rows[i].core, path, sizeof(path)));
        assert_string_equal(path, rows[i].path);
        size_t exact = strlen(rows[i].path) + 1;
        assert_true(trace_path_for_core(rows[i].pattern, rows[i].core, path, exact));
        assert_false(trace_path_for_core(rows[i].pattern, rows[i].core, path, exact - 1));
    }
}

GTEST_MAIN("TraceWorkload",
           IN_SCRATCH(a_workload_of_kind_trace_yields_at_most_accesses),
           IN_SCRATCH(events_of_a_trace_are_not_counted),
           IN_SCRATCH(a_trace_workload_needs_a_readable_file),
           IN_SCRATCH(damage_ends_the_workload_with_a_sentence),
           IN_SCRATCH(a_trace_of_any_format_runs),
           IN_SCRATCH(a_damaged_trace_of_any_format_is_one_sentence),
           IN_SCRATCH(a_trace_that_shrinks_is_noticed),
           cmocka_unit_test(a_path_names_the_trace_of_each_core))
