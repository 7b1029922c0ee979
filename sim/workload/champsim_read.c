/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "workload/champsim.h"
#include "workload/champsim_format.h"
#include "workload/trace_format.h"

_Static_assert(CHAMPSIM_GAP_MAX == 65536, "a sentence below says so");

void champsim_reader_init(struct champsim_reader *r, const char *name, byte_read_fn *read, void *ctx)
{
    memset(r, 0, offsetof(struct champsim_reader, element));
    r->name = name;
    r->read = read;
    r->ctx = ctx;
    /* What the program loaded before the trace began may be in any register. */
    memset(r->fed, 0xff, sizeof(r->fed));
}

static bool fail_record(const struct champsim_reader *r, const char *what, struct hv_err *err)
{
    return hv_fail(err, "%s, record %" PRIu64 ": %s", r->name, r->record, what);
}

/* Moves the last, unfinished record to the front and reads until there is a whole one or the end. */
static bool refill(struct champsim_reader *r, struct hv_err *err)
{
    struct hv_err cause = { "" };
    r->end -= r->pos;
    memmove(r->buffer, r->buffer + r->pos, r->end);
    r->pos = 0;
    while (r->end < CHAMPSIM_RECORD_BYTES && !r->ended) {
        size_t got = r->read(r->ctx, r->buffer + r->end, CHAMPSIM_BUFFER_BYTES - r->end, &cause);
        if (got == CHAMPSIM_READ_ERROR) {
            return fail_record(r, cause.text, err);
        }
        r->ended = got == 0;
        r->end += got;
    }
    if (r->end > 0 && r->end < CHAMPSIM_RECORD_BYTES) {
        return hv_fail(err, "%s, record %" PRIu64 ": the trace ends after %zu of the record's %u bytes", r->name,
                       r->record, r->end, CHAMPSIM_RECORD_BYTES);
    }
    return true;
}

/* ---- Which loads depend ---- */

static bool is_fed(const struct champsim_reader *r, uint8_t number)
{
    return r->fed[number / 64] >> number % 64 & 1;
}

static void set_fed(struct champsim_reader *r, uint8_t number, bool fed)
{
    uint64_t bit = UINT64_C(1) << number % 64;
    r->fed[number / 64] = fed ? r->fed[number / 64] | bit : r->fed[number / 64] & ~bit;
}

/* Whether a register may hold an address or a number of the program's. */
static bool is_general(uint8_t number)
{
    return number != 0 && number != CHAMPSIM_STACK_POINTER && number != CHAMPSIM_FLAGS &&
           number != CHAMPSIM_INSTRUCTION_POINTER;
}

/* Whether one of the registers that are read holds what the last load loaded; a load's own results are no address. */
static bool reads_fed(const struct champsim_reader *r, const uint8_t *in, const uint8_t *out, bool load)
{
    unsigned general = 0;
    bool fed = false, fed_result = false;
    for (unsigned i = 0; i < CHAMPSIM_REGISTERS_IN; i++) {
        if (is_general(in[i])) {
            bool result = memchr(out, in[i], CHAMPSIM_REGISTERS_OUT) != NULL;
            general++;
            *(result && load ? &fed_result : &fed) |= is_fed(r, in[i]);
        }
    }
    return fed || (fed_result && general == 1);
}

/* Follows the loaded data through the registers; returns whether the instruction is a load that depends on it. */
static bool follow(struct champsim_reader *r, const uint8_t *record, bool load)
{
    const uint8_t *out = record + CHAMPSIM_AT_REGISTERS_OUT;
    bool fed = reads_fed(r, record + CHAMPSIM_AT_REGISTERS_IN, out, load);
    if (load) {
        memset(r->fed, 0, sizeof(r->fed));
    }
    for (unsigned i = 0; i < CHAMPSIM_REGISTERS_OUT; i++) {
        if (is_general(out[i])) {
            set_fed(r, out[i], load || fed);
        }
    }
    return load && fed;
}

/* ---- Records ---- */

/* What an element of the record is next to begin with: only the first has the gap and may begin an instruction. */
struct start {
    uint32_t gap;
    uint8_t flags;
};

static struct hv_access *emit(struct hv_access *out, struct start *start, enum hv_access_kind kind, uint64_t address)
{
    *out = (struct hv_access){
        .gva = { address },
        .gap = start->gap,
        .kind = (uint8_t)kind,
        .flags = start->flags,
        .bytes = champsim_bytes(kind, address),
    };
    *start = (struct start){ 0, HV_ACCESS_SAME_INSTRUCTION };
    return out + 1;
}

/* The elements of a record: CHAMPSIM_RECORD_ELEMENTS at most. Returns the end of those. */
static struct hv_access *emit_record(struct champsim_reader *r, const uint8_t *record, struct hv_access *out)
{
    struct hv_access *first = out, *first_load;
    bool continues = record[CHAMPSIM_AT_TAKEN] != 0 && record[CHAMPSIM_AT_BRANCH] == 0;
    struct start start = { r->gap, continues ? HV_ACCESS_SAME_INSTRUCTION : 0 };
    uint64_t ip = trace_get64(record + CHAMPSIM_AT_IP);
    if (ip != 0) {
        out = emit(out, &start, HV_FETCH, ip);
    }
    first_load = out;
    for (unsigned i = 0; i < CHAMPSIM_LOADS; i++) {
        uint64_t address = trace_get64(record + CHAMPSIM_AT_LOADS + 8 * i);
        out = address != 0 ? emit(out, &start, HV_LOAD, address) : out;
    }
    bool load = out > first_load;
    for (unsigned i = 0; i < CHAMPSIM_STORES; i++) {
        uint64_t address = trace_get64(record + CHAMPSIM_AT_STORES + 8 * i);
        out = address != 0 ? emit(out, &start, HV_STORE, address) : out;
    }
    if (follow(r, record, load)) {
        first_load->flags |= HV_ACCESS_DEPENDENT;
    }
    r->gap = out > first ? 0 : r->gap + !continues;
    return out;
}

/* Why the next record is none of ChampSim's, or NULL. A file of zeros would otherwise be one endless gap. */
static const char *defect_of(const struct champsim_reader *r, const uint8_t *record)
{
    if (record[CHAMPSIM_AT_BRANCH] > 1) {
        return "whether it is a branch is neither 0 nor 1; is this a trace of ChampSim's?";
    }
    bool endless = r->gap > CHAMPSIM_GAP_MAX;
    return endless ? "more than 65536 records before it have no address at all; is this a trace of ChampSim's?" : NULL;
}

static size_t take_pending(struct champsim_reader *r, struct hv_access *batch, size_t capacity)
{
    size_t count = r->pending_end - r->pending < capacity ? r->pending_end - r->pending : capacity;
    memcpy(batch, r->element + r->pending, count * sizeof(*batch));
    r->pending += count;
    return count;
}

/* The whole records of the buffer, until they end, the batch is full, or one is damaged. */
static size_t take_records(struct champsim_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct hv_access *out = batch, *full = batch + capacity;
    while (out < full && r->end - r->pos >= CHAMPSIM_RECORD_BYTES) {
        const uint8_t *record = r->buffer + r->pos;
        const char *defect = defect_of(r, record);
        if (defect != NULL && out == batch) {
            fail_record(r, defect, err);
            return CHAMPSIM_READ_ERROR;
        }
        if (defect != NULL) {
            break; /* Reported when the elements before it have been taken. */
        }
        if ((size_t)(full - out) >= CHAMPSIM_RECORD_ELEMENTS) {
            out = emit_record(r, record, out);
        } else {
            r->pending = 0;
            r->pending_end = (size_t)(emit_record(r, record, r->element) - r->element);
            out += take_pending(r, out, (size_t)(full - out));
        }
        r->pos += CHAMPSIM_RECORD_BYTES;
        r->record++;
    }
    return (size_t)(out - batch);
}

size_t champsim_next(struct champsim_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    size_t count = take_pending(r, batch, capacity);
    while (count == 0 && capacity > 0) {
        if (r->end - r->pos < CHAMPSIM_RECORD_BYTES) {
            if (!refill(r, err)) {
                return CHAMPSIM_READ_ERROR;
            }
            if (r->end == 0) {
                return 0;
            }
        }
        count = take_records(r, batch, capacity, err);
    }
    return count;
}
