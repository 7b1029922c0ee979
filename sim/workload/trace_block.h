/* SPDX-License-Identifier: MIT */
/* One block of a trace between accesses and the content that is stored; the layout is in trace_format.h. */
#ifndef HV_WORKLOAD_TRACE_BLOCK_H
#define HV_WORKLOAD_TRACE_BLOCK_H

#include "base/access.h"
#include "base/err.h"
#include "workload/trace_format.h"

/* Gathers the columns of a block. */
struct trace_encoder {
    uint32_t records, events;
    uint32_t columns; /* TRACE_COLUMN_* that have a value other than 0 */
    size_t delta_bytes;
    uint64_t predicted[HV_ELEMENT_KINDS];
    uint8_t control[TRACE_BLOCK_RECORDS];
    uint8_t size[TRACE_BLOCK_RECORDS];
    uint8_t gap[4 * TRACE_BLOCK_RECORDS];
    uint8_t asid[TRACE_BLOCK_RECORDS];
    uint8_t delta[8 * TRACE_BLOCK_RECORDS];
};

void trace_encoder_reset(struct trace_encoder *e);

/* The block must not be full. */
void trace_encoder_add(struct trace_encoder *e, const struct hv_access *access);

/* Writes the content, at most TRACE_CONTENT_BYTES_MAX, and returns its length. */
size_t trace_encoder_content(const struct trace_encoder *e, uint8_t *content);

/* Reads the records of a content. */
struct trace_decoder {
    uint32_t records; /* that can be read: all, or those before the first malformed one */
    uint32_t next;
    uint32_t events;    /* among all, if there is no defect */
    const char *defect; /* what is wrong with the record that comes after these, or NULL */
    const uint8_t *control, *size, *gap, *asid, *delta;
    uint64_t predicted[HV_ELEMENT_KINDS];
};

/* What a decoder may read (and ignore) after the content. */
#define TRACE_CONTENT_PADDING 8u

/* A content and what the file says of it. The bytes stay the caller's and live as long as the decoder is used. */
struct trace_content {
    const uint8_t *data;
    size_t bytes;
    uint32_t records, columns; /* as the block's header has them */
    uint32_t version;          /* of the file */
};

/* False: the lengths do not fit at all. */
bool trace_decoder_init(struct trace_decoder *d, const struct trace_content *content);

/* Up to capacity records; 0 at the end or at a defect. */
size_t trace_decoder_next(struct trace_decoder *d, struct hv_access *batch, size_t capacity);

#endif
