/* SPDX-License-Identifier: MIT */
#include "workload/trace_writer.h"

#include <stdlib.h>
#include <zstd.h>

#include "workload/byte_sink.h"
#include "workload/trace_block.h"
#include "workload/trace_format.h"
#include "workload/trace_tally.h"

#define ZSTD_LEVEL 3
#define FIRST_BLOCKS 64u

struct index_entry {
    uint64_t offset, first_record, events;
};

struct trace_writer {
    char *path, *command;
    struct byte_sink *sink;
    uint64_t offset; /* bytes written so far */
    struct index_entry *blocks;
    size_t block_count, block_capacity;
    struct trace_tally tally;
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
    trace_tally_fini(&w->tally);
    ZSTD_freeCCtx(w->zstd);
    free(w->blocks);
    free(w->stored);
    free(w->command);
    free(w->path);
    free(w);
}

static bool put_bytes(struct trace_writer *w, const uint8_t *data, size_t bytes, struct hv_err *err)
{
    w->offset += bytes;
    return byte_sink_write(w->sink, data, bytes, err);
}

/* The oldest version that can say what was written so far. */
static uint32_t version_of(const struct trace_writer *w)
{
    return w->tally.kinds[HV_EVENT] > 0 || w->tally.several ? TRACE_VERSION_EVENTS : TRACE_VERSION_PLAIN;
}

static void fill_header(const struct trace_writer *w, uint8_t header[TRACE_HEADER_BYTES])
{
    size_t length = strlen(w->command);
    memset(header, 0, TRACE_HEADER_BYTES);
    memcpy(header, TRACE_MAGIC, TRACE_MAGIC_BYTES);
    trace_put32(header + 8, version_of(w));
    trace_put32(header + 16, (uint32_t)length);
    trace_put32(header + 20, trace_crc(header, 20, (const uint8_t *)w->command, length));
}

static bool put_header(struct trace_writer *w, struct hv_err *err)
{
    uint8_t header[TRACE_HEADER_BYTES];
    fill_header(w, header);
    return put_bytes(w, header, sizeof(header), err) &&
           put_bytes(w, (const uint8_t *)w->command, strlen(w->command), err);
}

static bool allocate(struct trace_writer *w, const char *path, const char *command)
{
    w->path = strdup(path);
    w->command = strndup(command, TRACE_COMMAND_BYTES);
    w->zstd = ZSTD_createCCtx();
    w->stored_capacity = TRACE_BLOCK_HEADER_BYTES + ZSTD_compressBound(TRACE_CONTENT_BYTES_MAX);
    w->stored = malloc(w->stored_capacity);
    w->block_capacity = FIRST_BLOCKS;
    w->blocks = malloc(w->block_capacity * sizeof(*w->blocks));
    return trace_tally_init(&w->tally) && w->path != NULL && w->command != NULL && w->zstd != NULL &&
           w->stored != NULL && w->blocks != NULL;
}

struct trace_writer *trace_writer_open(const char *path, const char *command, struct hv_err *err)
{
    struct trace_writer *w = calloc(1, sizeof(*w));
    if (w == NULL || !allocate(w, path, command)) {
        no_memory(path, err);
        if (w != NULL) {
            writer_free(w);
        }
        return NULL;
    }
    trace_encoder_reset(&w->encoder);
    w->sink = byte_sink_open(path, BYTES_PLAIN, err);
    if (w->sink == NULL) {
        writer_free(w);
        return NULL;
    }
    if (!put_header(w, err)) {
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
    w->blocks[w->block_count++] = (struct index_entry){ w->offset, first_record, w->encoder.events };
    return true;
}

static bool put_block(struct trace_writer *w, struct hv_err *err)
{
    struct trace_encoder *e = &w->encoder;
    uint64_t first_record = w->tally.records - e->records;
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
    bool ok = add_to_index(w, first_record, err) &&
              put_bytes(w, w->stored, TRACE_BLOCK_HEADER_BYTES + frame_bytes, err);
    trace_encoder_reset(e);
    return ok;
}

static bool may_be_written(const struct hv_access *record)
{
    bool access = record->kind < HV_ACCESS_KINDS && record->bytes >= 1 &&
                  record->gva.v % TRACE_LINE_BYTES + record->bytes <= TRACE_LINE_BYTES;
    return record->flags <= TRACE_CONTROL_FLAGS && (access || hv_event_valid(record));
}

static bool add_one(struct trace_writer *w, const struct hv_access *record, struct hv_err *err)
{
    HV_ASSERT(may_be_written(record), "record %llu: kind %u, flags %u, %u bytes at %#llx",
              (unsigned long long)w->tally.records, record->kind, record->flags, record->bytes,
              (unsigned long long)record->gva.v);
    if (!trace_tally_add(&w->tally, record)) {
        return no_memory(w->path, err);
    }
    trace_encoder_add(&w->encoder, record);
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
    return w->tally.records;
}

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    trace_put64(at, number);
    return at + 8;
}

static void fill_index(const struct trace_writer *w, uint8_t *at, const struct page_run *runs, size_t run_count)
{
    bool events = version_of(w) == TRACE_VERSION_EVENTS;
    for (size_t i = 0; i < w->block_count; i++) {
        at = put_number(at, w->blocks[i].offset);
        at = put_number(at, w->blocks[i].first_record);
        at = events ? put_number(at, w->blocks[i].events) : at;
    }
    for (size_t i = 0; i < run_count; i++) {
        at = put_number(at, runs[i].first);
        at = put_number(at, runs[i].pages);
        at = events ? put_number(at, runs[i].process) : at;
    }
    const struct trace_tally *tally = &w->tally;
    at = put_number(at, tally->records);
    at = put_number(at, tally->kinds[HV_LOAD]);
    at = put_number(at, tally->kinds[HV_STORE]);
    at = put_number(at, tally->kinds[HV_FETCH]);
    at = put_number(at, tally->instructions);
    at = put_number(at, tally->pages.count);
    at = events ? put_number(at, trace_tally_vcpus(tally)) : at;
    for (unsigned i = 0; events && i < HV_EVENTS; i++) {
        at = put_number(at, tally->events[i]);
    }
}

/* Index and trailer. */
static bool put_end(struct trace_writer *w, struct hv_err *err)
{
    size_t run_count = 0;
    uint32_t version = version_of(w);
    struct page_run *runs = page_set_runs(&w->tally.pages, &run_count);
    size_t bytes = w->block_count * trace_index_entry_bytes(version) + run_count * trace_run_bytes(version) +
                   trace_summary_bytes(version, HV_EVENTS);
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
    trace_put32(trailer + 24, version == TRACE_VERSION_PLAIN ? 0 : HV_EVENTS);
    trace_put32(trailer + 28, trace_crc(index, bytes, trailer, 28));
    memcpy(trailer + 32, TRACE_END_MAGIC, TRACE_MAGIC_BYTES);
    bool ok = put_bytes(w, index, bytes, err) && put_bytes(w, trailer, sizeof(trailer), err);
    free(runs);
    free(index);
    return ok;
}

/* The header as it should have been: only at the end is it known what the trace holds. */
static bool correct_header(struct trace_writer *w, struct hv_err *err)
{
    uint8_t header[TRACE_HEADER_BYTES];
    fill_header(w, header);
    return version_of(w) == TRACE_VERSION_PLAIN || byte_sink_rewrite(w->sink, 0, header, sizeof(header), err);
}

bool trace_writer_close(struct trace_writer *w, struct hv_err *err)
{
    bool ok = w->tally.pages.count > 0 ||
              hv_fail(err, "trace '%s' would hold no record of an access, so it was not written", w->path);
    ok = ok && (w->encoder.records == 0 || put_block(w, err)) && put_end(w, err) && correct_header(w, err);
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
