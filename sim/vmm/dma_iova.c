/* SPDX-License-Identifier: MIT */
#include "vmm/dma_iova.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Writes to these addresses are interrupts: VT-d, "Handling Requests to Interrupt Address Range". */
#define INTERRUPTS_START UINT64_C(0xfee00000)
#define INTERRUPTS_END UINT64_C(0xfef00000)
#define FIRST_END HV_GIB(4)

void dma_iova_init(struct dma_iova *v, uint64_t end, enum hv_page_size page)
{
    *v = (struct dma_iova){
        .low = hv_page_bytes(page),
        .next = end < FIRST_END ? end : FIRST_END,
        .end = end,
        .page_shift = hv_page_shift(page),
    };
}

void dma_iova_fini(struct dma_iova *v)
{
    for (unsigned size = 0; size < DMA_IOVA_SIZES; size++) {
        free(v->given_back[size].starts);
    }
    memset(v, 0, sizeof(*v));
}

unsigned dma_iova_size(uint64_t pages)
{
    return pages <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(pages - 1);
}

static uint64_t run_bytes(const struct dma_iova *v, unsigned size)
{
    return UINT64_C(1) << (v->page_shift + size);
}

void dma_iova_give(struct dma_iova *v, uint64_t start, unsigned size)
{
    struct dma_iova_list *list = &v->given_back[size];
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        list->starts = realloc(list->starts, list->capacity * sizeof(*list->starts));
        HV_ASSERT(list->starts != NULL, "out of memory");
    }
    list->starts[list->count++] = start;
}

/* Moves `next` down to an address; what is skipped counts as given back, in runs as large as can be. */
static void skip_to(struct dma_iova *v, uint64_t end)
{
    while (v->next > end) {
        unsigned size = 0;
        while (size + 1 < DMA_IOVA_SIZES && (v->next & (run_bytes(v, size + 1) - 1)) == 0 &&
               v->next - end >= run_bytes(v, size + 1)) {
            size++;
        }
        v->next -= run_bytes(v, size);
        dma_iova_give(v, v->next, size);
    }
}

static uint64_t take_new(struct dma_iova *v, unsigned size);

/* 32 bits are used up, but for a rest that is too small and counts as given back. */
static uint64_t take_beyond(struct dma_iova *v, unsigned size)
{
    skip_to(v, v->low);
    v->low = FIRST_END;
    v->next = v->end;
    v->end = FIRST_END;
    return take_new(v, size);
}

static uint64_t take_new(struct dma_iova *v, unsigned size)
{
    uint64_t bytes = run_bytes(v, size), end = v->next & ~(bytes - 1);
    bool interrupts = end > INTERRUPTS_START && end - bytes < INTERRUPTS_END;
    if (end < bytes || end - bytes < v->low) {
        return v->end > FIRST_END ? take_beyond(v, size) : DMA_IOVA_NONE;
    }
    if (interrupts) {
        /* What lies between the range and `next` may be used, and what lies below it. */
        uint64_t page = UINT64_C(1) << v->page_shift;
        skip_to(v, (INTERRUPTS_END + page - 1) & ~(page - 1));
        v->next = INTERRUPTS_START & ~(page - 1);
        return take_new(v, size);
    }
    skip_to(v, end);
    return v->next = end - bytes;
}

/* The latest of a size that was given back, or the lower part of a larger run, whose upper parts are given back. */
static uint64_t take_given_back(struct dma_iova *v, unsigned size)
{
    unsigned from = size;
    while (from < DMA_IOVA_SIZES && v->given_back[from].count == 0) {
        from++;
    }
    if (from == DMA_IOVA_SIZES) {
        return DMA_IOVA_NONE;
    }
    uint64_t start = v->given_back[from].starts[--v->given_back[from].count];
    while (from-- > size) {
        dma_iova_give(v, start + run_bytes(v, from), from);
    }
    return start;
}

uint64_t dma_iova_take(struct dma_iova *v, unsigned size)
{
    if (size >= DMA_IOVA_SIZES) {
        return DMA_IOVA_NONE;
    }
    uint64_t start = v->given_back[size].count == 0 ? take_new(v, size) : DMA_IOVA_NONE;
    return start != DMA_IOVA_NONE ? start : take_given_back(v, size);
}
