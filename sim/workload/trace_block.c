/* SPDX-License-Identifier: MIT */
#include "workload/trace_block.h"

/* All ones for the kind whose prediction is the end of the previous access, not its start. */
static const uint64_t advance_mask[TRACE_KINDS] = { [HV_FETCH] = UINT64_MAX };

/* The bits of a delta of that many bytes; lengths above 8 are never used. */
static const uint64_t length_mask[16] = {
    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, UINT64_MAX,
};

void trace_encoder_reset(struct trace_encoder *e)
{
    e->records = 0;
    e->columns = 0;
    e->delta_bytes = 0;
    memset(e->predicted, 0, sizeof(e->predicted));
}

void trace_encoder_add(struct trace_encoder *e, const struct hv_access *access)
{
    uint32_t i = e->records++;
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
static const char *defect_of(uint8_t control, uint8_t size)
{
    if ((control & TRACE_CONTROL_KIND) == TRACE_KIND_EVENT) {
        return "it is an event of a kind that this version does not know";
    }
    if (control >> TRACE_CONTROL_LENGTH_SHIFT > 8) {
        return "its address has more than 8 bytes";
    }
    return size < 1 || size > TRACE_LINE_BYTES ? "its size is not 1 to 64 bytes" : NULL;
}

/* Cuts the block before its first record that is malformed or whose delta lies beyond the content. */
static void cut_at_defect(struct trace_decoder *d, size_t delta_bytes)
{
    for (uint32_t i = 0; i < d->records; i++) {
        size_t length = d->control[i] >> TRACE_CONTROL_LENGTH_SHIFT;
        d->defect = defect_of(d->control[i], d->size[i]);
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

bool trace_decoder_init(struct trace_decoder *d, const uint8_t *content, size_t bytes, uint32_t records,
                        uint32_t columns)
{
    size_t gap_bytes = columns & TRACE_COLUMN_GAP ? 4 * (size_t)records : 0;
    size_t asid_bytes = columns & TRACE_COLUMN_ASID ? records : 0;
    size_t fixed = 2 * (size_t)records + gap_bytes + asid_bytes;
    if (columns & ~(uint32_t)(TRACE_COLUMN_GAP | TRACE_COLUMN_ASID) || bytes < fixed) {
        return false;
    }
    *d = (struct trace_decoder){ .records = records, .control = content, .size = content + records };
    d->gap = gap_bytes ? d->size + records : NULL;
    d->asid = asid_bytes ? d->size + records + gap_bytes : NULL;
    d->delta = content + fixed;

    /* One quick pass decides whether every record is sound; which one is not matters only when one is. */
    size_t delta_bytes = 0;
    uint32_t unsound = 0;
    for (uint32_t i = 0; i < records; i++) {
        uint32_t length = d->control[i] >> TRACE_CONTROL_LENGTH_SHIFT;
        delta_bytes += length;
        unsound |= (uint32_t)((d->control[i] & TRACE_CONTROL_KIND) == TRACE_KIND_EVENT) | (uint32_t)(length > 8) |
                   (uint32_t)(d->size[i] - 1u >= TRACE_LINE_BYTES);
    }
    if (unsound || delta_bytes > bytes - fixed) {
        cut_at_defect(d, bytes - fixed);
    }
    return d->defect != NULL || delta_bytes == bytes - fixed;
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

/* Returns how many of the records stay within a line, and ends the block there. */
static size_t cut_at_crossing(struct trace_decoder *d, const struct hv_access *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (batch[i].gva.v % TRACE_LINE_BYTES + batch[i].bytes > TRACE_LINE_BYTES) {
            d->records = d->next + (uint32_t)i;
            d->defect = "it crosses a line of 64 bytes";
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
        crossing |= address % TRACE_LINE_BYTES + size[i] - 1u;
        batch[i] = (struct hv_access){
            .gva = { address },
            .kind = kind,
            .flags = control[i] >> TRACE_CONTROL_FLAGS_SHIFT & TRACE_CONTROL_FLAGS,
            .bytes = size[i],
        };
    }
    d->delta = delta;
    read_rare_columns(d, batch, count);
    if (crossing >= TRACE_LINE_BYTES) {
        count = cut_at_crossing(d, batch, count);
    }
    d->next += (uint32_t)count;
    return count;
}
