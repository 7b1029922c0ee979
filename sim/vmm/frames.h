/* SPDX-License-Identifier: MIT */
/*
 * Hands out aligned pieces of an address space: frames of host memory, guest-physical frames, pages for tables.
 *
 * What has been given back is handed out again first, the longest unused first; otherwise pieces come in ascending
 * order. When there is neither, a larger piece that was given back is split, or smaller ones that make up a whole one
 * are merged, as a buddy allocator does. With `fragmentation`, the 4 KiB frames of that share of the 2 MiB blocks come
 * in scattered order and are never merged, as in a memory that has been in use for long.
 */
#ifndef HV_VMM_FRAMES_H
#define HV_VMM_FRAMES_H

#include "base/types.h"

/* Pieces of one size that were given back: a ring. */
struct frame_queue {
    uint64_t *starts;
    size_t head, count, capacity;
    uint16_t *in_parent; /* by number of the next larger piece: how many of its 512 parts are in the ring */
    uint64_t whole;      /* next larger pieces of which all parts are, and may be merged */
};

struct frames {
    uint64_t next, end;
    double fragmentation; /* 0..1: then `next` begins at a multiple of 2 MiB */
    uint64_t seed;        /* which blocks are fragmented */
    struct frame_queue given_back[HV_PAGE_SIZES];
};

#define FRAMES_NONE UINT64_MAX

/* A piece of a page size, aligned to it; FRAMES_NONE when there is none left. */
uint64_t frames_take(struct frames *f, enum hv_page_size size);

/* Gives a piece back. */
void frames_give(struct frames *f, uint64_t start, enum hv_page_size size);

void frames_fini(struct frames *f);

#endif
