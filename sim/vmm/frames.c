/* SPDX-License-Identifier: MIT */
#include "vmm/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

enum { BLOCK_SHIFT = 21, BLOCK_FRAMES = 512, SCATTER_STEP = 205 /* odd: a permutation of the block's frames */ };

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
        *q = (struct frame_queue){starts, 0, q->count, capacity};
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

static bool block_fragmented(const struct frames *f, uint64_t address)
{
    double lot = (double)(rng_mix(f->seed ^ rng_mix(address >> BLOCK_SHIFT)) >> 11) * 0x1.0p-53;
    return lot < f->fragmentation;
}

/* Where the n-th frame of a fragmented block lies. */
static uint64_t scatter(const struct frames *f, uint64_t start)
{
    uint64_t block = start >> BLOCK_SHIFT, frame = start >> HV_PAGE_SHIFT & (BLOCK_FRAMES - 1);
    uint64_t place = (frame * SCATTER_STEP + rng_mix(f->seed + block)) & (BLOCK_FRAMES - 1);
    return block << BLOCK_SHIFT | place << HV_PAGE_SHIFT;
}

uint64_t frames_take(struct frames *f, enum hv_page_size size)
{
    struct frame_queue *q = &f->given_back[size];
    if (q->count > 0) {
        return queue_pop(q);
    }
    uint64_t bytes = hv_page_bytes(size);
    uint64_t start = (f->next + bytes - 1) & ~(bytes - 1);
    if (start < f->next || start > f->end || f->end - start < bytes) {
        return FRAMES_NONE;
    }
    f->next = start + bytes;
    bool scattered = size == HV_PAGE_4K && f->fragmentation > 0 && block_fragmented(f, start);
    return scattered ? scatter(f, start) : start;
}

void frames_give(struct frames *f, uint64_t start, enum hv_page_size size)
{
    queue_push(&f->given_back[size], start);
}

void frames_fini(struct frames *f)
{
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        free(f->given_back[size].starts);
    }
    memset(f, 0, sizeof(*f));
}
