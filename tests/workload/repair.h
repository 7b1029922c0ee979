/* SPDX-License-Identifier: MIT */
/*
 * Makes the checksums of a trace right again after its bytes were changed, as far as its structure still holds, so
 * that tests and fuzzers reach what lies behind the checksums.
 */
#ifndef HV_TESTS_WORKLOAD_REPAIR_H
#define HV_TESTS_WORKLOAD_REPAIR_H

#include "workload/trace_format.h"

static inline void repair_header(uint8_t *data, size_t bytes)
{
    if (bytes >= TRACE_HEADER_BYTES && trace_get32(data + 16) <= bytes - TRACE_HEADER_BYTES) {
        trace_put32(data + 20, trace_crc(data, 20, data + TRACE_HEADER_BYTES, trace_get32(data + 16)));
    }
}

static inline void repair_blocks(uint8_t *data, size_t bytes)
{
    if (bytes < TRACE_HEADER_BYTES) {
        return;
    }
    uint64_t at = TRACE_HEADER_BYTES + (uint64_t)trace_get32(data + 16);
    while (at < bytes && bytes - at >= TRACE_BLOCK_HEADER_BYTES && memcmp(data + at, TRACE_BLOCK_MAGIC, 4) == 0) {
        uint64_t frame = trace_get32(data + at + 20);
        if (frame > bytes - at - TRACE_BLOCK_HEADER_BYTES) {
            return;
        }
        trace_put32(data + at + 28, trace_crc(data + at, 28, data + at + TRACE_BLOCK_HEADER_BYTES, (size_t)frame));
        at += TRACE_BLOCK_HEADER_BYTES + frame;
    }
}

static inline void repair_index(uint8_t *data, size_t bytes)
{
    if (bytes < TRACE_TRAILER_BYTES) {
        return;
    }
    uint8_t *trailer = data + bytes - TRACE_TRAILER_BYTES;
    uint64_t offset = trace_get64(trailer);
    if (offset <= bytes - TRACE_TRAILER_BYTES) {
        trace_put32(trailer + 28, trace_crc(data + offset, bytes - TRACE_TRAILER_BYTES - (size_t)offset, trailer, 28));
    }
}

static inline void repair_trace(uint8_t *data, size_t bytes)
{
    repair_header(data, bytes);
    repair_blocks(data, bytes);
    repair_index(data, bytes);
}

#endif
