/* SPDX-License-Identifier: MIT */
#include "mem/physmem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

bool physmem_init(struct physmem *m, uint64_t size, struct hv_err *err)
{
    HV_ASSERT(size > 0 && size % HV_PAGE_BYTES == 0 && size <= PHYSMEM_MAX_BYTES, "size %#llx",
              (unsigned long long)size);
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) {
        return hv_fail(err,
                       "cannot reserve %llu MiB of address space for machine.memory (%s); lower machine.memory, or "
                       "raise the limits of `ulimit -v` and vm.overcommit_memory",
                       (unsigned long long)(size >> 20), strerror(errno));
    }
    m->bytes = bytes;
    m->size = size;
    return true;
}

void physmem_fini(struct physmem *m)
{
    if (m->bytes != NULL) {
        munmap(m->bytes, m->size);
    }
    m->bytes = NULL;
    m->size = 0;
}

void physmem_hint_dense(struct physmem *m, hv_hpa start, uint64_t bytes)
{
    if (physmem_pointer(m, start, bytes) != NULL) {
        uint64_t first = start.v & ~(HV_PAGE_BYTES - 1);
        /* Only a hint: a host without large pages is slower, not wrong. */
        (void)madvise(m->bytes + first, start.v + bytes - first, MADV_HUGEPAGE);
    }
}
