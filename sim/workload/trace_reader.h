/* SPDX-License-Identifier: MIT */
/*
 * Reads an hvsim trace (trace_format.h). Nothing that the file says is trusted: each byte is under a checksum, and
 * each length is compared with the room there is before it is used.
 */
#ifndef HV_WORKLOAD_TRACE_READER_H
#define HV_WORKLOAD_TRACE_READER_H

#include "base/access.h"
#include "base/err.h"
#include "workload/trace_format.h"
#include "workload/workload.h"

#define TRACE_READ_ERROR ((size_t)-1)

struct trace_reader; /* opaque */

/* What the index knows about a trace. */
struct trace_info {
    const char *command; /* that was recorded */
    uint32_t version;
    uint64_t file_bytes, blocks;
    uint64_t records, loads, stores, fetches, events;
    uint64_t instructions, pages; /* distinct 4 KiB pages; the same address in two processes is two */
    uint64_t processes;           /* that touch pages */
    uint64_t vcpus;               /* virtual processors that records run on */
    uint64_t events_of[TRACE_EVENT_NUMBERS]; /* by number; of those beyond HV_EVENTS only later versions know more */
};

/* A file that is empty, no trace, damaged or cut off is one sentence, with the record where it breaks. */
struct trace_reader *trace_reader_open(const char *path, struct hv_err *err);

/* The same from memory, which must live as long as the reader. */
struct trace_reader *trace_reader_open_memory(const void *data, size_t bytes, struct hv_err *err);

void trace_reader_close(struct trace_reader *r);

const struct trace_info *trace_info(const struct trace_reader *r);

/* The pages that the records touch, ascending by process and address, as the index lists them. */
const struct workload_region *trace_reader_regions(const struct trace_reader *r, size_t *count);

/*
 * The next 1..capacity records (fewer than asked at the end of a block); 0 at the end. A damaged trace returns the
 * records before the damage, then TRACE_READ_ERROR with the sentence.
 */
size_t trace_reader_next(struct trace_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err);

/* Makes record the next one; the number of records is the end. */
bool trace_reader_seek(struct trace_reader *r, uint64_t record, struct hv_err *err);

/*
 * Passes over the next records, at most so many and none of a block that holds an event. Returns how many, perhaps 0;
 * UINT64_MAX with the sentence when the trace is damaged where it arrives.
 */
uint64_t trace_reader_skip(struct trace_reader *r, uint64_t records, struct hv_err *err);

#endif
