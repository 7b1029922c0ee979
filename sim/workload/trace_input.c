/* SPDX-License-Identifier: MIT */
/* The bytes of a trace, and its blocks as far as they can be judged without its index. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "workload/trace_index.h"

bool trace_input_read(const struct trace_input *in, uint64_t offset, void *buffer, size_t bytes, struct hv_err *err)
{
    HV_ASSERT(offset <= in->bytes && bytes <= in->bytes - offset, "read of %zu bytes at %" PRIu64, bytes, offset);
    if (in->fd < 0) {
        if (bytes > 0) {
            memcpy(buffer, in->memory + offset, bytes);
        }
        return true;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(in->fd, (uint8_t *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got == 0) {
            return hv_fail(err, "trace '%s' became shorter while it was read", in->name);
        }
        if (got < 0 && errno != EINTR) {
            return hv_fail(err, "cannot read trace '%s': %s", in->name, strerror(errno));
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

size_t trace_block_bytes_max(void)
{
    return TRACE_BLOCK_HEADER_BYTES + ZSTD_compressBound(TRACE_CONTENT_BYTES_MAX);
}

bool trace_block_header_fits(const uint8_t *block, uint64_t bytes, uint64_t first_record)
{
    if (bytes < TRACE_BLOCK_HEADER_BYTES || memcmp(block, TRACE_BLOCK_MAGIC, TRACE_BLOCK_MAGIC_BYTES) != 0) {
        return false;
    }
    uint32_t records = trace_get32(block + 4), content = trace_get32(block + 16), frame = trace_get32(block + 20);
    return records >= 1 && records <= TRACE_BLOCK_RECORDS && trace_get64(block + 8) == first_record &&
           content >= records * TRACE_RECORD_BYTES_MIN && content <= records * TRACE_RECORD_BYTES_MAX &&
           frame <= bytes - TRACE_BLOCK_HEADER_BYTES && frame <= trace_block_bytes_max() - TRACE_BLOCK_HEADER_BYTES;
}

bool trace_block_sum_holds(const uint8_t *block)
{
    uint32_t frame = trace_get32(block + 20);
    return trace_crc(block, 28, block + TRACE_BLOCK_HEADER_BYTES, frame) == trace_get32(block + 28);
}

bool trace_count_whole(const struct trace_input *in, uint64_t offset, uint64_t *records, struct hv_err *err)
{
    uint8_t *block = malloc(in->bytes < trace_block_bytes_max() ? (size_t)in->bytes : trace_block_bytes_max());
    if (block == NULL) {
        return hv_fail(err, "out of memory to read trace '%s'", in->name);
    }
    bool ok = true;
    *records = 0;
    while (in->bytes - offset >= TRACE_BLOCK_HEADER_BYTES) {
        ok = trace_input_read(in, offset, block, TRACE_BLOCK_HEADER_BYTES, err);
        if (!ok || !trace_block_header_fits(block, in->bytes - offset, *records)) {
            break;
        }
        size_t bytes = TRACE_BLOCK_HEADER_BYTES + (size_t)trace_get32(block + 20);
        ok = trace_input_read(in, offset, block, bytes, err);
        if (!ok || !trace_block_sum_holds(block)) {
            break;
        }
        *records += trace_get32(block + 4);
        offset += bytes;
    }
    free(block);
    return ok;
}
