/* SPDX-License-Identifier: MIT */
/* Header, index and trailer of a trace as trace_index_load checked them; private to the reader. */
#ifndef HV_WORKLOAD_TRACE_INDEX_H
#define HV_WORKLOAD_TRACE_INDEX_H

#include "workload/trace_format.h"
#include "workload/trace_reader.h"

/* Where the bytes of a trace come from: a file, or memory when fd is negative. */
struct trace_input {
    const char *name; /* for messages */
    int fd;
    const uint8_t *memory;
    uint64_t bytes;
};

/* Reads bytes that lie within the input; a file that has shrunk or fails to read is a mistake. */
bool trace_input_read(const struct trace_input *in, uint64_t offset, void *buffer, size_t bytes, struct hv_err *err);

struct trace_index {
    char *command;         /* with control characters replaced, so that it can be shown on a terminal */
    uint64_t header_bytes; /* where the first block begins */
    uint64_t blocks;
    uint64_t *offsets;       /* of each block, and at the end of the index itself */
    uint64_t *first_records; /* of each block, and at the end the number of records */
    uint64_t *events;        /* in each block */
    struct workload_region *regions;
    size_t region_count;
    struct trace_info info;
};

bool trace_index_load(struct trace_index *index, const struct trace_input *in, struct hv_err *err);
void trace_index_fini(struct trace_index *index);

/* The most bytes that a block takes in the file. */
size_t trace_block_bytes_max(void);

/* Whether these bytes of a file begin with the sound header of a block whose frame fits in the rest. */
bool trace_block_header_fits(const uint8_t *block, uint64_t bytes, uint64_t first_record);

/* Whether the checksum of a whole block holds. */
bool trace_block_sum_holds(const uint8_t *block);

/* How many records stand in whole blocks from an offset on, of a trace that lacks its index. */
bool trace_count_whole(const struct trace_input *in, uint64_t offset, uint64_t *records, struct hv_err *err);

#endif
