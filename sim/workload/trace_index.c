/* SPDX-License-Identifier: MIT */
#include "workload/trace_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define PAGES_MAX (UINT64_C(1) << (64 - HV_PAGE_SHIFT))

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

static bool no_memory(const struct trace_input *in, struct hv_err *err)
{
    return hv_fail(err, "out of memory for the index of trace '%s'", in->name);
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

/* How many records stand in whole blocks from the start of a trace that lacks its index. */
static bool count_whole(const struct trace_input *in, uint64_t offset, uint64_t *records, struct hv_err *err)
{
    uint8_t *block = malloc(in->bytes < trace_block_bytes_max() ? (size_t)in->bytes : trace_block_bytes_max());
    if (block == NULL) {
        return no_memory(in, err);
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

static bool load_header(struct trace_index *index, const struct trace_input *in, struct hv_err *err)
{
    uint8_t header[TRACE_HEADER_BYTES];
    if (in->bytes == 0) {
        return hv_fail(err, "trace '%s' is empty", in->name);
    }
    size_t have = in->bytes < sizeof(header) ? (size_t)in->bytes : sizeof(header);
    if (!trace_input_read(in, 0, header, have, err)) {
        return false;
    }
    if (memcmp(header, TRACE_MAGIC, have < TRACE_MAGIC_BYTES ? have : TRACE_MAGIC_BYTES) != 0) {
        return hv_fail(err, "'%s' is not an hvsim trace: it does not begin with %s", in->name, TRACE_MAGIC);
    }
    if (have < sizeof(header)) {
        return hv_fail(err, "trace '%s' is cut off within its header, before record 0", in->name);
    }
    if (trace_get32(header + 8) != TRACE_VERSION) {
        return hv_fail(err, "trace '%s' has format version %" PRIu32 "; this hvsim reads version %u", in->name,
                       trace_get32(header + 8), TRACE_VERSION);
    }
    uint32_t length = trace_get32(header + 16);
    if (length > TRACE_COMMAND_BYTES || length > in->bytes - TRACE_HEADER_BYTES) {
        return hv_fail(err, "trace '%s' is damaged or cut off within its header, before record 0", in->name);
    }
    index->command = calloc(1, length + 1u);
    if (index->command == NULL) {
        return no_memory(in, err);
    }
    if (!trace_input_read(in, TRACE_HEADER_BYTES, index->command, length, err)) {
        return false;
    }
    if (trace_get32(header + 12) != 0 ||
        trace_crc(header, 20, (const uint8_t *)index->command, length) != trace_get32(header + 20)) {
        return hv_fail(err, "trace '%s' is damaged in its header, before record 0", in->name);
    }
    for (uint32_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)index->command[i];
        index->command[i] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    index->header_bytes = TRACE_HEADER_BYTES + length;
    return true;
}

/* The end of the file: how much index there is, and the index itself, once its checksum holds. */
struct raw_index {
    uint64_t offset, blocks, runs;
    uint8_t *bytes;
};

/* Leaves raw->bytes NULL when the file does not end with a sound index; false only when reading fails. */
static bool load_raw(struct raw_index *raw, const struct trace_input *in, uint64_t header_bytes, struct hv_err *err)
{
    uint8_t trailer[TRACE_TRAILER_BYTES];
    raw->bytes = NULL;
    if (in->bytes < header_bytes + TRACE_SUMMARY_BYTES + TRACE_TRAILER_BYTES) {
        return true;
    }
    uint64_t end = in->bytes - TRACE_TRAILER_BYTES;
    if (!trace_input_read(in, end, trailer, sizeof(trailer), err)) {
        return false;
    }
    raw->offset = trace_get64(trailer);
    raw->blocks = trace_get64(trailer + 8);
    raw->runs = trace_get64(trailer + 16);
    /* The counts are compared with the length of the file first, so that nothing below can overflow. */
    if (memcmp(trailer + 32, TRACE_END_MAGIC, TRACE_MAGIC_BYTES) != 0 || trace_get32(trailer + 24) != 0 ||
        raw->offset < header_bytes || raw->offset > end || raw->blocks > end || raw->runs > end ||
        end - raw->offset != raw->blocks * TRACE_INDEX_ENTRY_BYTES + raw->runs * TRACE_RUN_BYTES +
                                 TRACE_SUMMARY_BYTES) {
        return true;
    }
    size_t bytes = (size_t)(end - raw->offset);
    raw->bytes = malloc(bytes);
    if (raw->bytes == NULL) {
        return no_memory(in, err);
    }
    if (!trace_input_read(in, raw->offset, raw->bytes, bytes, err)) {
        return false;
    }
    if (trace_crc(raw->bytes, bytes, trailer, 28) != trace_get32(trailer + 28)) {
        free(raw->bytes);
        raw->bytes = NULL;
    }
    return true;
}

/* Blocks follow each other without a gap, each within the limits of its kind. */
static bool take_blocks(struct trace_index *index, const struct raw_index *raw)
{
    for (uint64_t i = 0; i < raw->blocks; i++) {
        index->offsets[i] = trace_get64(raw->bytes + i * TRACE_INDEX_ENTRY_BYTES);
        index->first_records[i] = trace_get64(raw->bytes + i * TRACE_INDEX_ENTRY_BYTES + 8);
    }
    index->offsets[raw->blocks] = raw->offset;
    index->first_records[raw->blocks] = index->info.records;
    bool sound = index->offsets[0] == index->header_bytes && index->first_records[0] == 0;
    for (uint64_t i = 0; i < raw->blocks; i++) {
        uint64_t bytes = index->offsets[i + 1] - index->offsets[i];
        uint64_t records = index->first_records[i + 1] - index->first_records[i];
        sound = sound && index->offsets[i + 1] > index->offsets[i] && bytes > TRACE_BLOCK_HEADER_BYTES &&
                bytes <= trace_block_bytes_max() && records >= 1 && records <= TRACE_BLOCK_RECORDS;
    }
    return sound;
}

static bool take_runs(struct trace_index *index, const uint8_t *runs)
{
    uint64_t end = 0, pages = 0;
    for (size_t i = 0; i < index->region_count; i++) {
        uint64_t first = trace_get64(runs + i * TRACE_RUN_BYTES), count = trace_get64(runs + i * TRACE_RUN_BYTES + 8);
        if (first < end || first >= PAGES_MAX || count == 0 || count > PAGES_MAX - first) {
            return false;
        }
        index->regions[i] = (struct workload_region){ { first << HV_PAGE_SHIFT }, count, 0 };
        end = first + count;
        pages += count;
    }
    return index->region_count > 0 && pages == index->info.pages;
}

static void take_summary(struct trace_info *info, const uint8_t *summary)
{
    info->records = trace_get64(summary);
    info->loads = trace_get64(summary + 8);
    info->stores = trace_get64(summary + 16);
    info->fetches = trace_get64(summary + 24);
    info->instructions = trace_get64(summary + 32);
    info->pages = trace_get64(summary + 40);
}

static bool take_raw(struct trace_index *index, const struct raw_index *raw, const struct trace_input *in,
                     struct hv_err *err)
{
    struct trace_info *info = &index->info;
    const uint8_t *runs = raw->bytes + raw->blocks * TRACE_INDEX_ENTRY_BYTES;
    take_summary(info, runs + raw->runs * TRACE_RUN_BYTES);
    info->command = index->command;
    info->file_bytes = in->bytes;
    info->blocks = index->blocks = raw->blocks;
    index->region_count = (size_t)raw->runs;
    index->offsets = calloc(raw->blocks + 1, sizeof(*index->offsets));
    index->first_records = calloc(raw->blocks + 1, sizeof(*index->first_records));
    index->regions = calloc(raw->runs + 1, sizeof(*index->regions));
    if (index->offsets == NULL || index->first_records == NULL || index->regions == NULL) {
        return no_memory(in, err);
    }
    if (info->records == 0) {
        return hv_fail(err, "trace '%s' holds no record", in->name);
    }
    uint64_t data = info->loads + info->stores;
    if (!take_blocks(index, raw) || !take_runs(index, runs) || data < info->loads ||
        data > info->records || info->fetches != info->records - data) {
        return hv_fail(err, "trace '%s' is damaged: its index contradicts itself before record 0", in->name);
    }
    return true;
}

bool trace_index_load(struct trace_index *index, const struct trace_input *in, struct hv_err *err)
{
    memset(index, 0, sizeof(*index));
    struct raw_index raw = { 0 };
    uint64_t whole = 0;
    bool ok = load_header(index, in, err);
    ok = ok && load_raw(&raw, in, index->header_bytes, err);
    if (ok && raw.bytes == NULL) {
        ok = count_whole(in, index->header_bytes, &whole, err) &&
             hv_fail(err, "trace '%s' is cut off or damaged: it breaks at record %" PRIu64 ", after %" PRIu64
                     " whole records, and has no valid index", in->name, whole, whole);
    }
    ok = ok && take_raw(index, &raw, in, err);
    free(raw.bytes);
    if (!ok) {
        trace_index_fini(index);
    }
    return ok;
}

void trace_index_fini(struct trace_index *index)
{
    free(index->command);
    free(index->offsets);
    free(index->first_records);
    free(index->regions);
    memset(index, 0, sizeof(*index));
}
