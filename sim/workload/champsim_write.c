/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "workload/champsim.h"
#include "workload/champsim_format.h"
#include "workload/trace_format.h"

/* The register that each load writes, and that a load reads when it depends on the one before. */
#define LOADED_REGISTER 1u

void champsim_writer_init(struct champsim_writer *w, struct byte_sink *sink)
{
    w->sink = sink;
    w->open = false;
    w->used = 0;
}

static bool flush(struct champsim_writer *w, struct hv_err *err)
{
    size_t used = w->used;
    w->used = 0;
    w->open = false;
    return used == 0 || byte_sink_write(w->sink, w->buffer, used, err);
}

/* Begins an empty record, of an instruction of its own or of more of the last one. NULL when the sink fails. */
static uint8_t *begin_record(struct champsim_writer *w, bool continues, struct hv_err *err)
{
    if (w->used + CHAMPSIM_RECORD_BYTES > CHAMPSIM_BUFFER_BYTES && !flush(w, err)) {
        return NULL;
    }
    uint8_t *record = w->buffer + w->used;
    memset(record, 0, CHAMPSIM_RECORD_BYTES);
    record[CHAMPSIM_AT_TAKEN] = continues;
    w->used += CHAMPSIM_RECORD_BYTES;
    w->open = true;
    w->loads = w->stores = 0;
    return record;
}

static bool put_gap(struct champsim_writer *w, uint32_t gap, struct hv_err *err)
{
    for (uint32_t left = gap < CHAMPSIM_GAP_MAX ? gap : CHAMPSIM_GAP_MAX; left > 0; left--) {
        if (begin_record(w, false, err) == NULL) {
            return false;
        }
    }
    return true;
}

/* Whether the element can stand in the record before it, read after what is there, as the same instruction. */
static bool joins(const struct champsim_writer *w, const struct hv_access *access)
{
    if (!w->open || access->gap != 0 || (access->flags & HV_ACCESS_SAME_INSTRUCTION) == 0) {
        return false;
    }
    bool first_only = access->flags & HV_ACCESS_DEPENDENT;
    return (access->kind == HV_LOAD && w->stores == 0 && w->loads < (first_only ? 1 : CHAMPSIM_LOADS)) ||
           (access->kind == HV_STORE && w->stores < CHAMPSIM_STORES);
}

static void put_access(struct champsim_writer *w, const struct hv_access *access, uint8_t *record)
{
    uint64_t address = access->gva.v == 0 ? 1 : access->gva.v;
    if (access->kind == HV_FETCH) {
        trace_put64(record + CHAMPSIM_AT_IP, address);
    } else if (access->kind == HV_STORE) {
        trace_put64(record + CHAMPSIM_AT_STORES + 8 * w->stores++, address);
    } else {
        bool depends = access->flags & HV_ACCESS_DEPENDENT;
        record[CHAMPSIM_AT_REGISTERS_OUT] = LOADED_REGISTER;
        record[CHAMPSIM_AT_REGISTERS_IN] |= depends ? LOADED_REGISTER : 0;
        trace_put64(record + CHAMPSIM_AT_LOADS + 8 * w->loads++, address);
    }
}

static bool add_one(struct champsim_writer *w, const struct hv_access *access, struct hv_err *err)
{
    uint8_t *record = w->buffer + w->used - CHAMPSIM_RECORD_BYTES;
    if (!joins(w, access)) {
        bool continues = access->flags & HV_ACCESS_SAME_INSTRUCTION;
        record = put_gap(w, access->gap, err) ? begin_record(w, continues, err) : NULL;
    }
    if (record == NULL) {
        return false;
    }
    put_access(w, access, record);
    return true;
}

bool champsim_writer_add(struct champsim_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (batch[i].kind != HV_EVENT && !add_one(w, &batch[i], err)) {
            return false;
        }
    }
    return true;
}

bool champsim_writer_finish(struct champsim_writer *w, struct hv_err *err)
{
    return flush(w, err);
}

bool champsim_expresses(const struct hv_access *element)
{
    bool dependent = element->flags & HV_ACCESS_DEPENDENT;
    return element->kind != HV_EVENT && element->asid == 0 && element->gva.v != 0 &&
           element->gap <= CHAMPSIM_GAP_MAX && !(dependent && element->kind != HV_LOAD) &&
           element->bytes == champsim_bytes((enum hv_access_kind)element->kind, element->gva.v);
}
