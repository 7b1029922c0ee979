/* SPDX-License-Identifier: MIT */
/*
 * Buffers that stay mapped after they were unmapped, so that mapping them again costs nothing: found by the memory
 * that they are. Those that nobody has mapped at present are idle; the one that is idle for longest is known.
 */
#ifndef HV_VMM_DMA_KEPT_H
#define HV_VMM_DMA_KEPT_H

#include "base/types.h"

struct dma_kept_buffer {
    uint64_t frame;   /* address of its first page, and the way of access in the low bits */
    uint64_t pages;
    uint64_t iova;
    hv_cycles idle_since;
    uint32_t users;   /* how often it is mapped at present; 0: it is idle */
    uint32_t older, newer; /* its neighbours among the idle ones */
    uint32_t chain;   /* the next one of its bucket, or of those that are free */
};

struct dma_kept {
    struct dma_kept_buffer *buffers;
    uint32_t capacity, free;
    uint32_t *buckets; /* as many as buffers */
    uint32_t oldest, newest;
    uint64_t idle;     /* how many are idle */
};

void dma_kept_init(struct dma_kept *k);
void dma_kept_fini(struct dma_kept *k);

/* A pointer is valid until the next dma_kept_add(). */
struct dma_kept_buffer *dma_kept_find(const struct dma_kept *k, uint64_t frame, uint64_t pages);

/* Adds a buffer, with one user. */
struct dma_kept_buffer *dma_kept_add(struct dma_kept *k, uint64_t frame, uint64_t pages, uint64_t iova);

/* One user more, or one less. */
void dma_kept_use(struct dma_kept *k, struct dma_kept_buffer *b);
void dma_kept_leave(struct dma_kept *k, struct dma_kept_buffer *b, hv_cycles now);

/* The one that is idle for longest, and the next after one; NULL: there is none. */
struct dma_kept_buffer *dma_kept_oldest(const struct dma_kept *k);
struct dma_kept_buffer *dma_kept_next(const struct dma_kept *k, const struct dma_kept_buffer *b);

/* Forgets an idle one. */
void dma_kept_remove(struct dma_kept *k, struct dma_kept_buffer *b);

#endif
