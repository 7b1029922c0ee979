/* SPDX-License-Identifier: MIT */
#include "vmm/dma_kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

enum { FIRST_CAPACITY = 64 };

#define NONE UINT32_MAX

static uint32_t number_of(const struct dma_kept *k, const struct dma_kept_buffer *b)
{
    return (uint32_t)(b - k->buffers);
}

static struct dma_kept_buffer *buffer_at(const struct dma_kept *k, uint32_t number)
{
    return number != NONE ? &k->buffers[number] : NULL;
}

static uint32_t *bucket_of(const struct dma_kept *k, uint64_t frame, uint64_t pages)
{
    return &k->buckets[rng_mix(frame ^ pages) & (k->capacity - 1)];
}

void dma_kept_init(struct dma_kept *k)
{
    *k = (struct dma_kept){.free = NONE, .oldest = NONE, .newest = NONE};
}

void dma_kept_fini(struct dma_kept *k)
{
    free(k->buffers);
    free(k->buckets);
    dma_kept_init(k);
}

static void chain(struct dma_kept *k, struct dma_kept_buffer *b)
{
    uint32_t *bucket = bucket_of(k, b->frame, b->pages);
    b->chain = *bucket;
    *bucket = number_of(k, b);
}

/* Doubles the room, of which the lower half is in use, and deals the buffers out to twice as many buckets. */
static void grow(struct dma_kept *k)
{
    uint32_t used = k->capacity;
    k->capacity = used == 0 ? FIRST_CAPACITY : 2 * used;
    k->buffers = realloc(k->buffers, k->capacity * sizeof(*k->buffers));
    k->buckets = realloc(k->buckets, k->capacity * sizeof(*k->buckets));
    HV_ASSERT(k->buffers != NULL && k->buckets != NULL, "out of memory");
    memset(k->buckets, 0xff, k->capacity * sizeof(*k->buckets));
    for (uint32_t i = 0; i < used; i++) {
        chain(k, &k->buffers[i]);
    }
    for (uint32_t i = k->capacity; i-- > used;) {
        k->buffers[i].chain = k->free;
        k->free = i;
    }
}

struct dma_kept_buffer *dma_kept_find(const struct dma_kept *k, uint64_t frame, uint64_t pages)
{
    if (k->capacity == 0) {
        return NULL;
    }
    struct dma_kept_buffer *b = buffer_at(k, *bucket_of(k, frame, pages));
    while (b != NULL && (b->frame != frame || b->pages != pages)) {
        b = buffer_at(k, b->chain);
    }
    return b;
}

struct dma_kept_buffer *dma_kept_add(struct dma_kept *k, uint64_t frame, uint64_t pages, uint64_t iova)
{
    if (k->free == NONE) {
        grow(k);
    }
    struct dma_kept_buffer *b = &k->buffers[k->free];
    k->free = b->chain;
    *b = (struct dma_kept_buffer){
        .frame = frame, .pages = pages, .iova = iova, .users = 1, .older = NONE, .newer = NONE,
    };
    chain(k, b);
    return b;
}

/* Takes a buffer out of those that are idle. */
static void wake(struct dma_kept *k, struct dma_kept_buffer *b)
{
    *(b->older != NONE ? &k->buffers[b->older].newer : &k->oldest) = b->newer;
    *(b->newer != NONE ? &k->buffers[b->newer].older : &k->newest) = b->older;
    b->older = b->newer = NONE;
    k->idle--;
}

void dma_kept_use(struct dma_kept *k, struct dma_kept_buffer *b)
{
    if (b->users++ == 0) {
        wake(k, b);
    }
}

void dma_kept_leave(struct dma_kept *k, struct dma_kept_buffer *b, hv_cycles now)
{
    HV_ASSERT(b->users > 0, "a buffer at %#llx is unmapped twice", (unsigned long long)b->frame);
    if (--b->users > 0) {
        return;
    }
    b->idle_since = now;
    b->older = k->newest;
    *(k->newest != NONE ? &k->buffers[k->newest].newer : &k->oldest) = number_of(k, b);
    k->newest = number_of(k, b);
    k->idle++;
}

struct dma_kept_buffer *dma_kept_oldest(const struct dma_kept *k)
{
    return buffer_at(k, k->oldest);
}

struct dma_kept_buffer *dma_kept_next(const struct dma_kept *k, const struct dma_kept_buffer *b)
{
    return buffer_at(k, b->newer);
}

void dma_kept_remove(struct dma_kept *k, struct dma_kept_buffer *b)
{
    wake(k, b);
    uint32_t *link = bucket_of(k, b->frame, b->pages);
    while (*link != number_of(k, b)) {
        link = &k->buffers[*link].chain;
    }
    *link = b->chain;
    b->chain = k->free;
    k->free = number_of(k, b);
}
