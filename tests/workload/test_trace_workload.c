/* SPDX-License-Identifier: MIT */
/* A recorded trace as a workload. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/trace_format.h"
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
    uint64_t second_block = trace_get64(data + index + TRACE_INDEX_ENTRY_BYTES);
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

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

GTEST_MAIN("TraceWorkload",
           IN_SCRATCH(a_workload_of_kind_trace_yields_at_most_accesses),
           IN_SCRATCH(a_trace_workload_needs_a_readable_file),
           IN_SCRATCH(damage_ends_the_workload_with_a_sentence))
