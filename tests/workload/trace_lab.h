/* SPDX-License-Identifier: MIT */
/* Traces for the tests of the format: written and opened, read along with what was written, and as bytes to damage. */
#ifndef HV_TESTS_WORKLOAD_TRACE_LAB_H
#define HV_TESTS_WORKLOAD_TRACE_LAB_H

#include "support.h"
#include "workload/trace_reader.h"

enum { TRACE_SMALL = 20 };

#define TRACE_ACCESS(process, page) { .gva = { (page) << 12 }, .bytes = 1, .asid = process }
#define TRACE_EVENT(id, argument) { .gva = { argument }, .kind = HV_EVENT, .bytes = HV_EVENT_##id }

/* Writes a trace into the scratch folder and opens it; any mistake fails the test. */
struct trace_reader *trace_of(void **state, const struct hv_access *records, size_t count);

/* Reads on to the end or to an error, comparing with what was written. Returns how many records came. */
size_t trace_read_along(struct trace_reader *r, const struct hv_access *expected, size_t batch, struct hv_err *err);

/* Whether the bytes open and read to the end as a trace; whatever is read must be what was written. */
bool trace_reads_whole(const unsigned char *data, size_t bytes, const struct hv_access *expected, struct hv_err *err);

/* A trace of random elements as the bytes of its file. */
struct trace_image {
    struct hv_access *records;
    unsigned char *data;
    size_t bytes;
};

struct trace_image trace_image(void **state, size_t records);
void trace_image_free(struct trace_image *t);

#endif
