/* SPDX-License-Identifier: MIT */
#include "workload/trace_index.h"

#include <inttypes.h>
#include <stdlib.h>

#define PAGES_MAX (UINT64_C(1) << (64 - HV_PAGE_SHIFT))

static bool no_memory(const struct trace_input *in, struct hv_err *err)
{
    return hv_fail(err, "out of memory for the index of trace '%s'", in->name);
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
    index->info.version = trace_get32(header + 8);
    if (index->info.version < TRACE_VERSION_PLAIN || index->info.version > TRACE_VERSION_EVENTS) {
        return hv_fail(err, "trace '%s' has format version %" PRIu32 "; this hvsim reads versions %u to %u", in->name,
                       index->info.version, TRACE_VERSION_PLAIN, TRACE_VERSION_EVENTS);
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
    uint32_t event_numbers;
    size_t entry_bytes, run_bytes, summary_bytes;
    uint8_t *bytes;
};

/* Takes what the trailer says, and how long the parts of the index are therefore. */
static void read_trailer(struct raw_index *raw, const uint8_t *trailer, uint32_t version)
{
    raw->offset = trace_get64(trailer);
    raw->blocks = trace_get64(trailer + 8);
    raw->runs = trace_get64(trailer + 16);
    raw->event_numbers = trace_get32(trailer + 24);
    raw->entry_bytes = trace_index_entry_bytes(version);
    raw->run_bytes = trace_run_bytes(version);
    raw->summary_bytes = trace_summary_bytes(version, raw->event_numbers);
}

/* Whether the trailer describes what lies between the header and itself, at `end`. */
static bool trailer_fits(const struct raw_index *raw, const struct trace_index *index, uint64_t end)
{
    /* The counts are compared with the length of the file first, so that nothing below can overflow. */
    return raw->event_numbers <= (index->info.version == TRACE_VERSION_PLAIN ? 0 : TRACE_EVENT_NUMBERS) &&
           raw->offset >= index->header_bytes && raw->offset <= end && raw->blocks <= end && raw->runs <= end &&
           end - raw->offset == raw->blocks * raw->entry_bytes + raw->runs * raw->run_bytes + raw->summary_bytes;
}

/* Leaves raw->bytes NULL when the file does not end with a sound index; false only when reading fails. */
static bool load_raw(struct raw_index *raw, const struct trace_index *index, const struct trace_input *in,
                     struct hv_err *err)
{
    uint8_t trailer[TRACE_TRAILER_BYTES];
    if (in->bytes < index->header_bytes + TRACE_SUMS_BYTES + TRACE_TRAILER_BYTES) {
        return true;
    }
    uint64_t end = in->bytes - TRACE_TRAILER_BYTES;
    if (!trace_input_read(in, end, trailer, sizeof(trailer), err)) {
        return false;
    }
    read_trailer(raw, trailer, index->info.version);
    if (memcmp(trailer + 32, TRACE_END_MAGIC, TRACE_MAGIC_BYTES) != 0 || !trailer_fits(raw, index, end)) {
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
    const uint8_t *entry = raw->bytes;
    for (uint64_t i = 0; i < raw->blocks; i++, entry += raw->entry_bytes) {
        index->offsets[i] = trace_get64(entry);
        index->first_records[i] = trace_get64(entry + 8);
        index->events[i] = index->info.version < TRACE_VERSION_EVENTS ? 0 : trace_get64(entry + 16);
    }
    index->offsets[raw->blocks] = raw->offset;
    index->first_records[raw->blocks] = index->info.records;
    bool sound = index->offsets[0] == index->header_bytes && index->first_records[0] == 0;
    uint64_t events = 0;
    for (uint64_t i = 0; i < raw->blocks; i++) {
        uint64_t bytes = index->offsets[i + 1] - index->offsets[i];
        uint64_t records = index->first_records[i + 1] - index->first_records[i];
        sound = sound && index->offsets[i + 1] > index->offsets[i] && bytes > TRACE_BLOCK_HEADER_BYTES &&
                bytes <= trace_block_bytes_max() && records >= 1 && records <= TRACE_BLOCK_RECORDS &&
                index->events[i] <= records;
        events += index->events[i];
    }
    return sound && events == index->info.events;
}

/* Runs ascend without touching, process by process. */
static bool take_runs(struct trace_index *index, const struct raw_index *raw)
{
    const uint8_t *run = raw->bytes + raw->blocks * raw->entry_bytes;
    uint64_t end = 0, pages = 0, process = 0;
    for (size_t i = 0; i < index->region_count; i++, run += raw->run_bytes) {
        uint64_t first = trace_get64(run), count = trace_get64(run + 8), before = process;
        process = index->info.version < TRACE_VERSION_EVENTS ? 0 : trace_get64(run + 16);
        end = i > 0 && process == before ? end : 0;
        if (process < before || process > HV_EVENT_NUMBER_MAX || first < end || first >= PAGES_MAX || count == 0 ||
            count > PAGES_MAX - first) {
            return false;
        }
        index->regions[i] = (struct workload_region){ { first << HV_PAGE_SHIFT }, count, (uint32_t)process };
        index->info.processes += i == 0 || process != before;
        end = first + count;
        pages += count;
    }
    return index->region_count > 0 && pages == index->info.pages;
}

static void take_summary(struct trace_info *info, const struct raw_index *raw)
{
    const uint8_t *summary = raw->bytes + raw->blocks * raw->entry_bytes + raw->runs * raw->run_bytes;

    info->records = trace_get64(summary);
    info->loads = trace_get64(summary + 8);
    info->stores = trace_get64(summary + 16);
    info->fetches = trace_get64(summary + 24);
    info->instructions = trace_get64(summary + 32);
    info->pages = trace_get64(summary + 40);
    info->vcpus = 1;
    if (info->version >= TRACE_VERSION_EVENTS) {
        summary += TRACE_SUMS_BYTES;
        info->vcpus = trace_get64(summary);
        for (unsigned number = 0; number < raw->event_numbers; number++) {
            info->events_of[number] = trace_get64(summary + 8 + 8 * number);
            info->events += info->events_of[number];
        }
    }
}

/* Whether the kinds sum to the records; a sum that wraps around does not. */
static bool kinds_add_up(const struct trace_info *info)
{
    uint64_t left = info->records;
    bool fits = info->loads <= left;
    left -= info->loads;
    fits = fits && info->stores <= left;
    left -= info->stores;
    fits = fits && info->fetches <= left;
    return fits && info->events == left - info->fetches;
}

static bool take_raw(struct trace_index *index, const struct raw_index *raw, const struct trace_input *in,
                     struct hv_err *err)
{
    struct trace_info *info = &index->info;
    take_summary(info, raw);
    info->command = index->command;
    info->file_bytes = in->bytes;
    info->blocks = index->blocks = raw->blocks;
    index->region_count = (size_t)raw->runs;
    index->offsets = calloc(raw->blocks + 1, sizeof(*index->offsets));
    index->first_records = calloc(raw->blocks + 1, sizeof(*index->first_records));
    index->events = calloc(raw->blocks + 1, sizeof(*index->events));
    index->regions = calloc(raw->runs + 1, sizeof(*index->regions));
    if (index->offsets == NULL || index->first_records == NULL || index->events == NULL || index->regions == NULL) {
        return no_memory(in, err);
    }
    if (info->records == 0) {
        return hv_fail(err, "trace '%s' holds no record", in->name);
    }
    if (!take_blocks(index, raw) || !take_runs(index, raw) || !kinds_add_up(info)) {
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
    ok = ok && load_raw(&raw, index, in, err);
    if (ok && raw.bytes == NULL) {
        ok = trace_count_whole(in, index->header_bytes, &whole, err) &&
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
    free(index->events);
    free(index->regions);
    memset(index, 0, sizeof(*index));
}
