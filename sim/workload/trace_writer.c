/* SPDX-License-Identifier: MIT */
#include "workload/trace_writer.h"

#include <stdlib.h>
#include <zstd.h>

#include "workload/byte_sink.h"
#include "workload/page_set.h"
#include "workload/trace_block.h"
#include "workload/trace_format.h"

#define ZSTD_LEVEL 3
#define FIRST_BLOCKS 64u

struct index_entry {
    uint64_t offset, first_record;
};

struct trace_writer {
    char *path;
    struct byte_sink *sink;
    uint64_t offset; /* bytes written so far */
    struct index_entry *blocks;
    size_t block_count, block_capacity;
    struct page_set pages;
    uint64_t last_page[HV_ACCESS_KINDS]; /* most accesses are to the page of the one before: no look-up for them */
    uint64_t kinds[HV_ACCESS_KINDS];     /* records of each kind */
    uint64_t records, instructions;
    ZSTD_CCtx *zstd;
    uint8_t *stored; /* a block: its header and the compressed content */
    size_t stored_capacity;
    struct trace_encoder encoder;
    uint8_t content[TRACE_CONTENT_BYTES_MAX];
};

static bool no_memory(const char *path, struct hv_err *err)
{
    return hv_fail(err, "out of memory while writing trace '%s'", path);
}

static void writer_free(struct trace_writer *w)
{
    page_set_fini(&w->pages);
    ZSTD_freeCCtx(w->zstd);
    free(w->blocks);
    free(w->stored);
    free(w->path);
    free(w);
}

static bool put_bytes(struct trace_writer *w, const uint8_t *data, size_t bytes, struct hv_err *err)
{
    w->offset += bytes;
    return byte_sink_write(w->sink, data, bytes, err);
}

static bool put_header(struct trace_writer *w, const char *command, struct hv_err *err)
{
    const uint8_t *text = (const uint8_t *)command;
    size_t length = strnlen(command, TRACE_COMMAND_BYTES);
    uint8_t header[TRACE_HEADER_BYTES] = TRACE_MAGIC;
    trace_put32(header + 8, TRACE_VERSION);
    trace_put32(header + 16, (uint32_t)length);
    trace_put32(header + 20, trace_crc(header, 20, text, length));
    return put_bytes(w, header, sizeof(header), err) && put_bytes(w, text, length, err);
}

static bool allocate(struct trace_writer *w, const char *path)
{
    w->path = strdup(path);
    w->zstd = ZSTD_createCCtx();
    w->stored_capacity = TRACE_BLOCK_HEADER_BYTES + ZSTD_compressBound(TRACE_CONTENT_BYTES_MAX);
    w->stored = malloc(w->stored_capacity);
    w->block_capacity = FIRST_BLOCKS;
    w->blocks = malloc(w->block_capacity * sizeof(*w->blocks));
    return page_set_init(&w->pages) && w->path != NULL && w->zstd != NULL && w->stored != NULL && w->blocks != NULL;
}

struct trace_writer *trace_writer_open(const char *path, const char *command, struct hv_err *err)
{
    struct trace_writer *w = calloc(1, sizeof(*w));
    if (w == NULL || !allocate(w, path)) {
        no_memory(path, err);
        if (w != NULL) {
            writer_free(w);
        }
        return NULL;
    }
    for (unsigned kind = 0; kind < HV_ACCESS_KINDS; kind++) {
        w->last_page[kind] = UINT64_MAX;
    }
    trace_encoder_reset(&w->encoder);
    w->sink = byte_sink_open(path, BYTES_PLAIN, err);
    if (w->sink == NULL) {
        writer_free(w);
        return NULL;
    }
    if (!put_header(w, command, err)) {
        trace_writer_abort(w);
        return NULL;
    }
    return w;
}

static bool add_to_index(struct trace_writer *w, uint64_t first_record, struct hv_err *err)
{
    if (w->block_count == w->block_capacity) {
        struct index_entry *blocks = realloc(w->blocks, 2 * w->block_capacity * sizeof(*blocks));
        if (blocks == NULL) {
            return no_memory(w->path, err);
        }
        w->blocks = blocks;
        w->block_capacity *= 2;
    }
    w->blocks[w->block_count++] = (struct index_entry){ w->offset, first_record };
    return true;
}

static bool put_block(struct trace_writer *w, struct hv_err *err)
{
    struct trace_encoder *e = &w->encoder;
    uint64_t first_record = w->records - e->records;
    size_t content_bytes = trace_encoder_content(e, w->content);
    uint8_t *header = w->stored, *frame = w->stored + TRACE_BLOCK_HEADER_BYTES;
    size_t frame_bytes = ZSTD_compressCCtx(w->zstd, frame, w->stored_capacity - TRACE_BLOCK_HEADER_BYTES, w->content,
                                           content_bytes, ZSTD_LEVEL);
    if (ZSTD_isError(frame_bytes)) {
        return no_memory(w->path, err);
    }
    memcpy(header, TRACE_BLOCK_MAGIC, TRACE_BLOCK_MAGIC_BYTES);
    trace_put32(header + 4, e->records);
    trace_put64(header + 8, first_record);
    trace_put32(header + 16, (uint32_t)content_bytes);
    trace_put32(header + 20, (uint32_t)frame_bytes);
    trace_put32(header + 24, e->columns);
    trace_put32(header + 28, trace_crc(header, 28, frame, frame_bytes));
    trace_encoder_reset(e);
    return add_to_index(w, first_record, err) &&
           put_bytes(w, w->stored, TRACE_BLOCK_HEADER_BYTES + frame_bytes, err);
}

static bool add_one(struct trace_writer *w, const struct hv_access *access, struct hv_err *err)
{
    HV_ASSERT(access->kind < HV_ACCESS_KINDS && access->flags <= TRACE_CONTROL_FLAGS && access->bytes >= 1 &&
              access->gva.v % TRACE_LINE_BYTES + access->bytes <= TRACE_LINE_BYTES,
              "record %llu: kind %u, flags %u, %u bytes at %#llx", (unsigned long long)w->records, access->kind,
              access->flags, access->bytes, (unsigned long long)access->gva.v);
    uint64_t page = access->gva.v >> HV_PAGE_SHIFT;
    if (page != w->last_page[access->kind]) {
        w->last_page[access->kind] = page;
        if (!page_set_add(&w->pages, page)) {
            return no_memory(w->path, err);
        }
    }
    trace_encoder_add(&w->encoder, access);
    w->kinds[access->kind]++;
    w->instructions += access->gap + (access->flags & HV_ACCESS_SAME_INSTRUCTION ? 0u : 1u);
    w->records++;
    return w->encoder.records < TRACE_BLOCK_RECORDS || put_block(w, err);
}

bool trace_writer_add(struct trace_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!add_one(w, &batch[i], err)) {
            return false;
        }
    }
    return true;
}

uint64_t trace_writer_records(const struct trace_writer *w)
{
    return w->records;
}

static void fill_index(const struct trace_writer *w, uint8_t *at, const struct page_run *runs, size_t run_count)
{
    for (size_t i = 0; i < w->block_count; i++, at += TRACE_INDEX_ENTRY_BYTES) {
        trace_put64(at, w->blocks[i].offset);
        trace_put64(at + 8, w->blocks[i].first_record);
    }
    for (size_t i = 0; i < run_count; i++, at += TRACE_RUN_BYTES) {
        trace_put64(at, runs[i].first);
        trace_put64(at + 8, runs[i].pages);
    }
    trace_put64(at, w->records);
    trace_put64(at + 8, w->kinds[HV_LOAD]);
    trace_put64(at + 16, w->kinds[HV_STORE]);
    trace_put64(at + 24, w->kinds[HV_FETCH]);
    trace_put64(at + 32, w->instructions);
    trace_put64(at + 40, w->pages.count);
}

/* Index and trailer. */
static bool put_end(struct trace_writer *w, struct hv_err *err)
{
    size_t run_count = 0;
    struct page_run *runs = page_set_runs(&w->pages, &run_count);
    size_t bytes = w->block_count * TRACE_INDEX_ENTRY_BYTES + run_count * TRACE_RUN_BYTES + TRACE_SUMMARY_BYTES;
    uint8_t *index = malloc(bytes);
    if (runs == NULL || index == NULL) {
        free(runs);
        free(index);
        return no_memory(w->path, err);
    }
    fill_index(w, index, runs, run_count);
    uint8_t trailer[TRACE_TRAILER_BYTES] = { 0 };
    trace_put64(trailer, w->offset);
    trace_put64(trailer + 8, w->block_count);
    trace_put64(trailer + 16, run_count);
    trace_put32(trailer + 28, trace_crc(index, bytes, trailer, 28));
    memcpy(trailer + 32, TRACE_END_MAGIC, TRACE_MAGIC_BYTES);
    bool ok = put_bytes(w, index, bytes, err) && put_bytes(w, trailer, sizeof(trailer), err);
    free(runs);
    free(index);
    return ok;
}

bool trace_writer_close(struct trace_writer *w, struct hv_err *err)
{
    bool ok = w->records > 0 || hv_fail(err, "trace '%s' would hold no record, so it was not written", w->path);
    ok = ok && (w->encoder.records == 0 || put_block(w, err)) && put_end(w, err);
    if (!ok) {
        trace_writer_abort(w);
        return false;
    }
    ok = byte_sink_commit(w->sink, err);
    writer_free(w);
    return ok;
}

void trace_writer_abort(struct trace_writer *w)
{
    byte_sink_abort(w->sink);
    writer_free(w);
}
