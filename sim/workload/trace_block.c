/* SPDX-License-Identifier: MIT */
#include "workload/trace_block.h"

/* All ones for the kind whose prediction is the end of the previous access, not its start. */
static const uint64_t advance_mask[HV_ELEMENT_KINDS] = { [HV_FETCH] = UINT64_MAX };

/* What of an address and of a length is the place within a line; nothing of an event's. */
static const uint64_t line_mask[HV_ELEMENT_KINDS] = {
    [HV_LOAD] = TRACE_LINE_BYTES - 1, [HV_STORE] = TRACE_LINE_BYTES - 1, [HV_FETCH] = TRACE_LINE_BYTES - 1,
};

/* The bits of a delta of that many bytes; lengths above 8 are never used. */
static const uint64_t length_mask[16] = {
    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, UINT64_MAX,
};

void trace_encoder_reset(struct trace_encoder *e)
{
    e->records = e->events = 0;
    e->columns = 0;
    e->delta_bytes = 0;
    memset(e->predicted, 0, sizeof(e->predicted));
}

void trace_encoder_add(struct trace_encoder *e, const struct hv_access *access)
{
    uint32_t i = e->records++;
    e->events += access->kind == HV_EVENT;
    uint64_t difference = access->gva.v - e->predicted[access->kind];
    uint64_t zigzag = (difference << 1) ^ -(difference >> 63);
    unsigned length = zigzag == 0 ? 0 : (71u - (unsigned)__builtin_clzll(zigzag)) / 8;
    unsigned flags = access->flags;
    e->control[i] = (uint8_t)(access->kind | flags << TRACE_CONTROL_FLAGS_SHIFT | length << TRACE_CONTROL_LENGTH_SHIFT);
    e->size[i] = access->bytes;
    e->asid[i] = access->asid;
    trace_put32(&e->gap[4 * i], access->gap);
    trace_put64(&e->delta[e->delta_bytes], zigzag); /* the bytes beyond length are overwritten by the next delta */
    e->delta_bytes += length;
    e->columns |= (access->gap != 0 ? TRACE_COLUMN_GAP : 0) | (access->asid != 0 ? TRACE_COLUMN_ASID : 0);
    e->predicted[access->kind] = access->gva.v + (access->bytes & advance_mask[access->kind]);
}

static uint8_t *append(uint8_t *at, const uint8_t *from, size_t bytes)
{
    memcpy(at, from, bytes);
    return at + bytes;
}

size_t trace_encoder_content(const struct trace_encoder *e, uint8_t *content)
{
    uint8_t *at = append(content, e->control, e->records);
    at = append(at, e->size, e->records);
    if (e->columns & TRACE_COLUMN_GAP) {
        at = append(at, e->gap, 4 * (size_t)e->records);
    }
    if (e->columns & TRACE_COLUMN_ASID) {
        at = append(at, e->asid, e->records);
    }
    at = append(at, e->delta, e->delta_bytes);
    return (size_t)(at - content);
}

/* Why a record cannot be read, or NULL. */
static const char *defect_of(uint8_t control, uint8_t size, uint32_t version)
{
    bool event = (control & TRACE_CONTROL_KIND) == HV_EVENT;
    if (event && (version < TRACE_VERSION_EVENTS || size >= HV_EVENTS)) {
        return "it is an event of a kind that this version does not know";
    }
    if (control >> TRACE_CONTROL_LENGTH_SHIFT > 8) {
        return "its address has more than 8 bytes";
    }
    return !event && (size < 1 || size > TRACE_LINE_BYTES) ? "its size is not 1 to 64 bytes" : NULL;
}

/* Cuts the block before its first record that is malformed or whose delta lies beyond the content. */
static void cut_at_defect(struct trace_decoder *d, size_t delta_bytes, uint32_t version)
{
    for (uint32_t i = 0; i < d->records; i++) {
        size_t length = d->control[i] >> TRACE_CONTROL_LENGTH_SHIFT;
        d->defect = defect_of(d->control[i], d->size[i], version);
        if (d->defect == NULL && length > delta_bytes) {
            d->defect = "its address is missing";
        }
        if (d->defect != NULL) {
            d->records = i;
            return;
        }
        delta_bytes -= length;
    }
}

/*
 * One quick pass decides whether every record is sound; which one is not matters only when one is. Counts the events
 * and returns the bytes of all deltas.
 */
static size_t scan(struct trace_decoder *d, uint32_t version, bool *sound)
{
    size_t delta_bytes = 0;
    uint32_t unsound = 0, events = 0, known_events = version < TRACE_VERSION_EVENTS ? 0 : HV_EVENTS;
    for (uint32_t i = 0; i < d->records; i++) {
        uint32_t length = d->control[i] >> TRACE_CONTROL_LENGTH_SHIFT;
        uint32_t event = (d->control[i] & TRACE_CONTROL_KIND) == HV_EVENT;
        /* 0 is the first number of an event, and 1 the least size of an access. */
        unsound |= (uint32_t)(length > 8) |
                   (uint32_t)(d->size[i] + event - 1u >= (event ? known_events : TRACE_LINE_BYTES));
        delta_bytes += length;
        events += event;
    }
    d->events = events;
    *sound = unsound == 0;
    return delta_bytes;
}

bool trace_decoder_init(struct trace_decoder *d, const struct trace_content *content)
{
    uint32_t records = content->records, columns = content->columns;
    uint32_t known = TRACE_COLUMN_GAP | (content->version < TRACE_VERSION_EVENTS ? 0 : TRACE_COLUMN_ASID);
    size_t gap_bytes = columns & TRACE_COLUMN_GAP ? 4 * (size_t)records : 0;
    size_t asid_bytes = columns & TRACE_COLUMN_ASID ? records : 0;
    size_t fixed = 2 * (size_t)records + gap_bytes + asid_bytes;
    if (columns & ~known || content->bytes < fixed) {
        return false;
    }
    *d = (struct trace_decoder){ .records = records, .control = content->data, .size = content->data + records };
    d->gap = gap_bytes ? d->size + records : NULL;
    d->asid = asid_bytes ? d->size + records + gap_bytes : NULL;
    d->delta = content->data + fixed;
    bool sound;
    size_t delta_bytes = scan(d, content->version, &sound);
    if (!sound || delta_bytes > content->bytes - fixed) {
        cut_at_defect(d, content->bytes - fixed, content->version);
    }
    return d->defect != NULL || delta_bytes == content->bytes - fixed;
}

/* Fills in the columns that most blocks do not have. */
static void read_rare_columns(const struct trace_decoder *d, struct hv_access *batch, size_t count)
{
    for (size_t i = 0; d->gap != NULL && i < count; i++) {
        batch[i].gap = trace_get32(&d->gap[4 * (d->next + i)]);
    }
    for (size_t i = 0; d->asid != NULL && i < count; i++) {
        batch[i].asid = d->asid[d->next + i];
    }
}

/* What is wrong with an address, or with an event's argument; NULL for nothing. */
static const char *address_defect(const struct hv_access *record)
{
    if (record->kind == HV_EVENT) {
        return hv_event_valid(record) ? NULL : "its argument is not of the form that its event has";
    }
    bool crosses = record->gva.v % TRACE_LINE_BYTES + record->bytes > TRACE_LINE_BYTES;
    return crosses ? "it crosses a line of 64 bytes" : NULL;
}

/* Returns how many of the records have sound addresses, and ends the block there. */
static size_t cut_at_address(struct trace_decoder *d, const struct hv_access *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *defect = address_defect(&batch[i]);
        if (defect != NULL) {
            d->records = d->next + (uint32_t)i;
            d->defect = defect;
            return i;
        }
    }
    return count;
}

size_t trace_decoder_next(struct trace_decoder *d, struct hv_access *batch, size_t capacity)
{
    size_t count = d->records - d->next < capacity ? d->records - d->next : capacity;
    const uint8_t *control = d->control + d->next, *size = d->size + d->next, *delta = d->delta;
    uint64_t crossing = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = control[i] & TRACE_CONTROL_KIND;
        unsigned length = control[i] >> TRACE_CONTROL_LENGTH_SHIFT;
        uint64_t zigzag = trace_get64(delta) & length_mask[length];
        uint64_t address = d->predicted[kind] + ((zigzag >> 1) ^ -(zigzag & 1));
        delta += length;
        d->predicted[kind] = address + (size[i] & advance_mask[kind]);
        crossing |= (address & line_mask[kind]) + ((size[i] - 1u) & line_mask[kind]);
        batch[i] = (struct hv_access){
            .gva = { address },
            .kind = kind,
            .flags = control[i] >> TRACE_CONTROL_FLAGS_SHIFT & TRACE_CONTROL_FLAGS,
            .bytes = size[i],
        };
    }
    d->delta = delta;
    read_rare_columns(d, batch, count);
    if (crossing >= TRACE_LINE_BYTES || d->events > 0) {
        count = cut_at_address(d, batch, count);
    }
    d->next += (uint32_t)count;
    return count;
}
