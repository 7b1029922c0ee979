/* SPDX-License-Identifier: MIT */
/*
 * Hands out ranges of an address space in ascending order: frames of host memory, guest-physical frames, tables.
 */
#ifndef HV_VMM_FRAMES_H
#define HV_VMM_FRAMES_H

#include "base/types.h"

struct frames {
    uint64_t next, end;
};

#define FRAMES_NONE UINT64_MAX

/* An aligned range of `bytes` (a power of two), or FRAMES_NONE when the space is used up. */
static inline uint64_t frames_take(struct frames *f, uint64_t bytes)
{
    uint64_t start = (f->next + bytes - 1) & ~(bytes - 1);
    if (start < f->next || start > f->end || f->end - start < bytes) {
        return FRAMES_NONE;
    }
    f->next = start + bytes;
    return start;
}

#endif
