/* SPDX-License-Identifier: MIT */
#include "vmm/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

enum { BLOCK_SHIFT = 21, PARTS = 512, SCATTER_STEP = 205 /* odd: a permutation of the block's frames */ };

/* --- rings ------------------------------------------------------------------------------------------------------- */

static void queue_push(struct frame_queue *q, uint64_t start)
{
    if (q->count == q->capacity) {
        size_t capacity = q->capacity == 0 ? 64 : 2 * q->capacity;
        uint64_t *starts = malloc(capacity * sizeof(*starts));
        HV_ASSERT(starts != NULL, "out of memory");
        for (size_t i = 0; i < q->count; i++) {
            starts[i] = q->starts[(q->head + i) % q->capacity];
        }
        free(q->starts);
        q->starts = starts;
        q->head = 0;
        q->capacity = capacity;
    }
    q->starts[(q->head + q->count++) % q->capacity] = start;
}

static uint64_t queue_pop(struct frame_queue *q)
{
    uint64_t start = q->starts[q->head];
    q->head = (q->head + 1) % q->capacity;
    q->count--;
    return start;
}

/* --- fragmentation ----------------------------------------------------------------------------------------------- */

static bool block_fragmented(const struct frames *f, uint64_t address)
{
    if (f->fragmentation <= 0) {
        return false;
    }
    double lot = (double)(rng_mix(f->seed ^ rng_mix(address >> BLOCK_SHIFT)) >> 11) * 0x1.0p-53;
    return lot < f->fragmentation;
}

/* The 4 KiB frame that comes in the turn of one at `start`: another of the same block where that is fragmented. */
static uint64_t scatter(const struct frames *f, uint64_t start)
{
    if (!block_fragmented(f, start)) {
        return start;
    }
    uint64_t block = start >> BLOCK_SHIFT, frame = start >> HV_PAGE_SHIFT & (PARTS - 1);
    uint64_t place = (frame * SCATTER_STEP + rng_mix(f->seed + block)) & (PARTS - 1);
    return block << BLOCK_SHIFT | place << HV_PAGE_SHIFT;
}

/* --- pieces that were given back ---------------------------------------------------------------------------------- */

static uint64_t parent_of(uint64_t start, enum hv_page_size size)
{
    return start >> hv_page_shift(size + 1);
}

/* Whether the parts of a piece may ever make it up again. */
static bool may_merge(const struct frames *f, uint64_t start, enum hv_page_size part)
{
    return part != HV_PAGE_4K || !block_fragmented(f, start);
}

void frames_give(struct frames *f, uint64_t start, enum hv_page_size size)
{
    struct frame_queue *q = &f->given_back[size];
    queue_push(q, start);
    if (size == HV_PAGE_1G) {
        return;
    }
    if (q->in_parent == NULL) {
        q->in_parent = calloc(parent_of(f->end, size) + 1, sizeof(*q->in_parent));
        HV_ASSERT(q->in_parent != NULL, "out of memory");
    }
    q->whole += ++q->in_parent[parent_of(start, size)] == PARTS && may_merge(f, start, size);
}

static uint64_t take_given_back(struct frames *f, enum hv_page_size size)
{
    struct frame_queue *q = &f->given_back[size];
    uint64_t start = queue_pop(q);
    if (size != HV_PAGE_1G) {
        q->whole -= q->in_parent[parent_of(start, size)]-- == PARTS && may_merge(f, start, size);
    }
    return start;
}

/* Of the pieces that can be merged whole, the one whose part was unused longest becomes one piece. */
static bool merge(struct frames *f, enum hv_page_size size)
{
    enum hv_page_size part = size - 1;
    struct frame_queue *q = &f->given_back[part];
    if (q->whole == 0) {
        return false;
    }
    size_t oldest = 0;
    uint64_t start = q->starts[q->head];
    while (q->in_parent[parent_of(start, part)] != PARTS || !may_merge(f, start, part)) {
        start = q->starts[(q->head + ++oldest) % q->capacity];
    }
    uint64_t parent = parent_of(start, part);
    size_t kept = oldest;
    for (size_t i = oldest; i < q->count; i++) {
        start = q->starts[(q->head + i) % q->capacity];
        if (parent_of(start, part) != parent) {
            q->starts[(q->head + kept++) % q->capacity] = start;
        }
    }
    q->count = kept;
    q->in_parent[parent] = 0;
    q->whole--;
    frames_give(f, parent << hv_page_shift(size), size);
    return true;
}

/* Makes a piece of this size from all the smaller ones that were given back. */
static bool merge_all(struct frames *f, enum hv_page_size size)
{
    if (size == HV_PAGE_4K) {
        return false;
    }
    while (size == HV_PAGE_1G && f->given_back[size - 1].whole == 0 && merge(f, size - 1)) {
    }
    return merge(f, size);
}

/* Splits a larger piece that was given back. */
static bool split(struct frames *f, enum hv_page_size size)
{
    if (size == HV_PAGE_1G || (f->given_back[size + 1].count == 0 && !split(f, size + 1))) {
        return false;
    }
    uint64_t whole = take_given_back(f, size + 1);
    for (uint64_t i = 0; i < PARTS; i++) {
        uint64_t start = whole + (i << hv_page_shift(size));
        frames_give(f, size == HV_PAGE_4K ? scatter(f, start) : start, size);
    }
    return true;
}

/* --- pieces that nobody has had ----------------------------------------------------------------------------------- */

/* Moves `next` up to an address; what is skipped counts as given back, in pieces as large as can be. */
static void skip_to(struct frames *f, uint64_t start)
{
    while (f->next < start) {
        bool large = (f->next & (hv_page_bytes(HV_PAGE_2M) - 1)) == 0 && start - f->next >= hv_page_bytes(HV_PAGE_2M);
        frames_give(f, large ? f->next : scatter(f, f->next), large ? HV_PAGE_2M : HV_PAGE_4K);
        f->next += hv_page_bytes(large ? HV_PAGE_2M : HV_PAGE_4K);
    }
}

static uint64_t take_new(struct frames *f, enum hv_page_size size)
{
    uint64_t bytes = hv_page_bytes(size);
    uint64_t start = (f->next + bytes - 1) & ~(bytes - 1);
    if (start < f->next || start > f->end || f->end - start < bytes) {
        return FRAMES_NONE;
    }
    skip_to(f, start);
    f->next = start + bytes;
    return size == HV_PAGE_4K ? scatter(f, start) : start;
}

uint64_t frames_take(struct frames *f, enum hv_page_size size)
{
    if (f->given_back[size].count > 0) {
        return take_given_back(f, size);
    }
    uint64_t start = take_new(f, size);
    if (start == FRAMES_NONE && (merge_all(f, size) || split(f, size))) {
        return take_given_back(f, size);
    }
    return start;
}

void frames_fini(struct frames *f)
{
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        free(f->given_back[size].starts);
        free(f->given_back[size].in_parent);
    }
    memset(f, 0, sizeof(*f));
}
