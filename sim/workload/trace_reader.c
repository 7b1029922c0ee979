/* SPDX-License-Identifier: MIT */
#include "workload/trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "workload/trace_block.h"
#include "workload/trace_index.h"

#define SKIP_RECORDS 256u

struct trace_reader {
    char *path;
    struct trace_input in;
    struct trace_index index;
    uint64_t next_block; /* the one after the block that the decoder reads */
    struct trace_decoder decoder;
    ZSTD_DCtx *zstd;
    uint8_t *stored, *content; /* one block as it is stored and unpacked, with room for the largest */
};

static struct trace_reader *reader_new(const char *name, struct hv_err *err)
{
    struct trace_reader *r = calloc(1, sizeof(*r));
    if (r != NULL) {
        r->in.fd = -1;
        r->path = strdup(name);
        r->in.name = r->path;
        r->zstd = ZSTD_createDCtx();
        if (r->path != NULL && r->zstd != NULL) {
            return r;
        }
        trace_reader_close(r);
    }
    hv_fail(err, "out of memory to read trace '%s'", name);
    return NULL;
}

static bool open_file(struct trace_reader *r, struct hv_err *err)
{
    struct stat status;
    r->in.fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not block */
    if (r->in.fd < 0 || fstat(r->in.fd, &status) != 0) {
        return hv_fail(err, "cannot read trace '%s': %s", r->path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return hv_fail(err, "cannot read trace '%s': it is not a regular file", r->path);
    }
    r->in.bytes = (uint64_t)status.st_size;
    return true;
}

/* Loads the index and makes room for its largest block. */
static bool load_index(struct trace_reader *r, struct hv_err *err)
{
    const struct trace_index *index = &r->index;
    if (!trace_index_load(&r->index, &r->in, err)) {
        return false;
    }
    uint64_t bytes = 0, records = 0;
    for (uint64_t i = 0; i < index->blocks; i++) {
        uint64_t block_bytes = index->offsets[i + 1] - index->offsets[i];
        uint64_t block_records = index->first_records[i + 1] - index->first_records[i];
        bytes = block_bytes > bytes ? block_bytes : bytes;
        records = block_records > records ? block_records : records;
    }
    r->stored = malloc(bytes);
    r->content = calloc(1, records * TRACE_RECORD_BYTES_MAX + TRACE_CONTENT_PADDING);
    return (r->stored != NULL && r->content != NULL) || hv_fail(err, "out of memory to read trace '%s'", r->path);
}

struct trace_reader *trace_reader_open(const char *path, struct hv_err *err)
{
    struct trace_reader *r = reader_new(path, err);
    if (r != NULL && !(open_file(r, err) && load_index(r, err))) {
        trace_reader_close(r);
        return NULL;
    }
    return r;
}

struct trace_reader *trace_reader_open_memory(const void *data, size_t bytes, struct hv_err *err)
{
    struct trace_reader *r = reader_new("(memory)", err);
    if (r == NULL) {
        return NULL;
    }
    r->in.memory = data;
    r->in.bytes = bytes;
    if (!load_index(r, err)) {
        trace_reader_close(r);
        return NULL;
    }
    return r;
}

void trace_reader_close(struct trace_reader *r)
{
    if (r->in.fd >= 0) {
        close(r->in.fd);
    }
    trace_index_fini(&r->index);
    ZSTD_freeDCtx(r->zstd);
    free(r->stored);
    free(r->content);
    free(r->path);
    free(r);
}

const struct trace_info *trace_info(const struct trace_reader *r)
{
    return &r->index.info;
}

const struct workload_region *trace_reader_regions(const struct trace_reader *r, size_t *count)
{
    *count = r->index.region_count;
    return r->index.regions;
}

static bool damaged(const struct trace_reader *r, uint64_t record, const char *what, struct hv_err *err)
{
    return hv_fail(err, "trace '%s' is damaged at record %" PRIu64 ": %s", r->in.name, record, what);
}

/* Reads a block, checks it against the index and its own checksum, and unpacks it for the decoder. */
static bool load_block(struct trace_reader *r, uint64_t block, struct hv_err *err)
{
    const struct trace_index *index = &r->index;
    uint64_t first = index->first_records[block];
    uint64_t records = index->first_records[block + 1] - first;
    size_t bytes = (size_t)(index->offsets[block + 1] - index->offsets[block]);
    if (!trace_input_read(&r->in, index->offsets[block], r->stored, bytes, err)) {
        return false;
    }
    if (!trace_block_header_fits(r->stored, bytes, first) || trace_get32(r->stored + 4) != records ||
        trace_get32(r->stored + 20) != bytes - TRACE_BLOCK_HEADER_BYTES) {
        return damaged(r, first, "the header of its block does not agree with the index", err);
    }
    if (!trace_block_sum_holds(r->stored)) {
        return damaged(r, first, "the checksum of its block does not hold", err);
    }
    struct trace_content content = {
        .data = r->content,
        .bytes = trace_get32(r->stored + 16),
        .records = (uint32_t)records,
        .columns = trace_get32(r->stored + 24),
        .version = index->info.version,
    };
    size_t got = ZSTD_decompressDCtx(r->zstd, r->content, content.bytes, r->stored + TRACE_BLOCK_HEADER_BYTES,
                                     bytes - TRACE_BLOCK_HEADER_BYTES);
    if (got != content.bytes || !trace_decoder_init(&r->decoder, &content)) {
        r->decoder = (struct trace_decoder){ 0 };
        return damaged(r, first, "its block cannot be unpacked", err);
    }
    if (r->decoder.defect == NULL && r->decoder.events != index->events[block]) {
        r->decoder = (struct trace_decoder){ 0 };
        return damaged(r, first, "its block has not as many events as the index says", err);
    }
    r->next_block = block + 1;
    return true;
}

size_t trace_reader_next(struct trace_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    if (capacity == 0) {
        return 0;
    }
    for (;;) {
        size_t got = trace_decoder_next(&r->decoder, batch, capacity);
        if (got > 0) {
            return got;
        }
        if (r->decoder.defect != NULL) {
            damaged(r, r->index.first_records[r->next_block - 1] + r->decoder.records, r->decoder.defect, err);
            return TRACE_READ_ERROR;
        }
        if (r->next_block == r->index.blocks) {
            return 0;
        }
        if (!load_block(r, r->next_block, err)) {
            return TRACE_READ_ERROR;
        }
    }
}

/* The block that holds a record, by halving. */
static uint64_t block_of(const struct trace_index *index, uint64_t record)
{
    uint64_t low = 0, high = index->blocks;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (index->first_records[middle] <= record) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The number of the next record. */
static uint64_t position(const struct trace_reader *r)
{
    bool inside = r->decoder.control != NULL;
    return r->index.first_records[r->next_block - inside] + (inside ? r->decoder.next : 0);
}

/* Reads on to a record of the block that the decoder reads. */
static bool pass_over(struct trace_reader *r, uint64_t record, struct hv_err *err)
{
    struct hv_access passed[SKIP_RECORDS];
    for (uint64_t left = record - position(r); left > 0;) {
        size_t got = trace_reader_next(r, passed, left < SKIP_RECORDS ? (size_t)left : SKIP_RECORDS, err);
        if (got == TRACE_READ_ERROR) {
            return false;
        }
        left -= got;
    }
    return true;
}

bool trace_reader_seek(struct trace_reader *r, uint64_t record, struct hv_err *err)
{
    const struct trace_index *index = &r->index;
    if (record > index->info.records) {
        return hv_fail(err, "trace '%s' has no record %" PRIu64 "; it holds %" PRIu64 " records", r->in.name, record,
                       index->info.records);
    }
    uint64_t block = block_of(index, record);
    if (r->decoder.control != NULL && r->next_block == block + 1 && record >= position(r)) {
        return pass_over(r, record, err);
    }
    r->decoder = (struct trace_decoder){ 0 };
    r->next_block = index->blocks;
    return record == index->info.records || (load_block(r, block, err) && pass_over(r, record, err));
}

uint64_t trace_reader_skip(struct trace_reader *r, uint64_t records, struct hv_err *err)
{
    const struct trace_index *index = &r->index;
    uint64_t start = position(r), at = start;
    uint64_t end = records < index->info.records - start ? start + records : index->info.records;
    for (uint64_t block = block_of(index, start); at < end && index->events[block] == 0; block++) {
        at = index->first_records[block + 1] < end ? index->first_records[block + 1] : end;
    }
    return at == start || trace_reader_seek(r, at, err) ? at - start : UINT64_MAX;
}
