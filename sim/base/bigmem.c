/* SPDX-License-Identifier: MIT */
#include "base/bigmem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE_BYTES = 64, LARGE_PAGE_BYTES = 2 << 20, WORTH_A_LARGE_PAGE = LARGE_PAGE_BYTES / 8 };

void *bigmem_take(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - LARGE_PAGE_BYTES) / size) {
        return NULL;
    }
    size_t align = count * size >= WORTH_A_LARGE_PAGE ? LARGE_PAGE_BYTES : LINE_BYTES;
    size_t bytes = (count * size + align - 1) / align * align;
    void *memory = aligned_alloc(align, bytes);
    if (memory == NULL) {
        return NULL;
    }
    if (align == LARGE_PAGE_BYTES) {
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a hint: without it all is slower, not wrong */
    }
    memset(memory, 0, count * size);
    return memory;
}
