/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdlib.h>

#include "gtest.h"

enum { MAX_MSHRS = 256, MAX_INSTRUCTIONS = 1 << 20 };

struct oracle {
    struct oracle_limits limits;
    uint64_t *retired;   /* by instruction, from 1 */
    uint64_t count;      /* instructions so far */
    uint64_t dispatched; /* the last one's slot */
    uint64_t usable;     /* the last load's data */
    uint64_t mshr[MAX_MSHRS];
    uint64_t written[LAB_STREAM + 1], stores; /* by store, from 1 */
    uint64_t data_there[LAB_WARM_LINE + 1], code_there[LAB_WARM_LINE + 1]; /* slot + 1; 0: not asked for yet */
    struct oracle_result result;
};

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The next instruction dispatches, and retires if nothing is the matter with it. */
static void next_instruction(struct oracle *o)
{
    uint64_t slot = o->dispatched + 1;
    o->count++;
    assert_true(o->count < MAX_INSTRUCTIONS);
    if (o->count > o->limits.rob) {
        slot = max(slot, o->retired[o->count - o->limits.rob] + 1);
    }
    o->dispatched = slot;
    o->retired[o->count] = max(o->retired[o->count - 1] + 1, slot);
}

static void retires_at(struct oracle *o, uint64_t slot)
{
    o->retired[o->count] = max(o->retired[o->count], slot);
}

static uint64_t miss(struct oracle *o, uint64_t start)
{
    uint64_t chosen = UINT64_MAX;
    for (uint64_t i = 0; i < o->limits.mshrs; i++) {
        if (o->mshr[i] <= start && (chosen == UINT64_MAX || o->mshr[i] > o->mshr[chosen])) {
            chosen = i;
        }
    }
    for (uint64_t i = 0; chosen == UINT64_MAX && i < o->limits.mshrs; i++) {
        bool first = true;
        for (uint64_t other = 0; other < o->limits.mshrs; other++) {
            first = first && o->mshr[i] <= o->mshr[other];
        }
        chosen = first ? i : chosen;
    }
    o->result.misses++;
    return o->mshr[chosen] = max(start, o->mshr[chosen]) + LAB_MISS * o->limits.width;
}

static void fetch(struct oracle *o, uint64_t line)
{
    uint64_t done = o->dispatched;
    if (o->code_there[line] == 0) {
        done += LAB_MISS * o->limits.width;
        o->code_there[line] = 1;
    }
    o->dispatched = done; /* the instruction itself, and so all that follow */
    retires_at(o, done);
}

static void load_or_store(struct oracle *o, const struct hv_access *a, uint64_t line)
{
    bool store = a->kind == HV_STORE;
    if (store && ++o->stores > o->limits.store_buffer) {
        o->dispatched = max(o->dispatched, o->written[o->stores - o->limits.store_buffer]);
    }
    uint64_t start = (a->flags & HV_ACCESS_DEPENDENT) != 0 ? max(o->dispatched, o->usable) : o->dispatched;
    uint64_t done = start;
    if (o->data_there[line] == 0) {
        done = miss(o, start);
        o->data_there[line] = done + 1;
    } else if (o->data_there[line] - 1 > start) {
        done = o->data_there[line] - 1;
        o->result.merges++;
    }
    retires_at(o, store ? start : done);
    if (store) {
        o->written[o->stores] = max(max(done, o->retired[o->count]), o->written[o->stores - 1]);
    } else {
        o->usable = max(done, start + LAB_HIT * o->limits.width);
    }
}

/* Everything has retired; then the software has its time, in which nothing dispatches. */
static void event(struct oracle *o, hv_cycles cycles)
{
    o->retired[o->count] += cycles * o->limits.width;
    o->dispatched = o->retired[o->count];
}

struct oracle_result oracle_run(const struct lab *l, const struct oracle_limits *limits)
{
    struct oracle *o = calloc(1, sizeof(*o));
    assert_non_null(o);
    o->limits = *limits;
    o->data_there[LAB_WARM_LINE] = 1;
    o->retired = calloc(MAX_INSTRUCTIONS, sizeof(*o->retired));
    assert_non_null(o->retired);
    for (size_t i = 0; i < l->count; i++) {
        const struct hv_access *a = &l->stream[i];
        uint64_t line = (a->gva.v - l->base) / CACHE_LINE_BYTES;
        bool starts_one = a->kind != HV_EVENT && (a->flags & HV_ACCESS_SAME_INSTRUCTION) == 0;
        for (uint64_t n = 0; n < a->gap + (uint64_t)starts_one; n++) {
            next_instruction(o);
        }
        if (a->kind == HV_EVENT) {
            event(o, l->event_cycles);
        } else if (a->kind == HV_FETCH) {
            fetch(o, line);
        } else {
            load_or_store(o, a, line);
        }
    }
    struct oracle_result result = o->result;
    result.cycles = o->retired[o->count] / limits->width;
    free(o->retired);
    free(o);
    return result;
}
