/* SPDX-License-Identifier: MIT */
/*
 * Hands out the addresses that devices see (IOVAs): runs of pages, of a power of two, aligned to their size.
 *
 * As in Linux, new addresses come from the top of 32 bits downwards, and each size has a list of those that were given
 * back, of which the latest is handed out first: its page tables and its translations are the likeliest to be cached.
 * When 32 bits are used up, addresses come from the rest of what the tables translate; a run that is larger than asked
 * for is split in the end. Runs are never merged. The range of interrupt addresses is left out.
 */
#ifndef HV_VMM_DMA_IOVA_H
#define HV_VMM_DMA_IOVA_H

#include "base/types.h"

enum { DMA_IOVA_SIZES = 21 }; /* runs of 2^0 to 2^20 pages */

struct dma_iova_list {
    uint64_t *starts;
    size_t count, capacity;
};

struct dma_iova {
    uint64_t low, next; /* what nobody has had: [low, next) */
    uint64_t end;       /* and, once that is used up, [4 GiB, end) */
    unsigned page_shift;
    struct dma_iova_list given_back[DMA_IOVA_SIZES];
};

#define DMA_IOVA_NONE UINT64_MAX

/* Addresses below `end`, a multiple of the page size; the first page is never handed out. */
void dma_iova_init(struct dma_iova *v, uint64_t end, enum hv_page_size page);
void dma_iova_fini(struct dma_iova *v);

/* The size, as a power of two, of the run that holds so many pages. */
unsigned dma_iova_size(uint64_t pages);

/* A run of 2^size pages; DMA_IOVA_NONE when there is none left. */
uint64_t dma_iova_take(struct dma_iova *v, unsigned size);
void dma_iova_give(struct dma_iova *v, uint64_t start, unsigned size);

#endif
