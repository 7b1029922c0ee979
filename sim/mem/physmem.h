/* SPDX-License-Identifier: MIT */
/*
 * Simulated host-physical memory: the real bytes of page tables and of every other architectural structure.
 *
 * The whole range is one reservation of host address space without backing store, so memory that nobody wrote
 * costs nothing, an access is one addition, and a machine of 1 TiB starts at once. The host's zero page answers
 * reads of memory never written, as freshly reset DRAM of an emulator does.
 *
 * An address beyond the installed memory is no error: a read returns all ones and a write is dropped, as on a bus
 * where nobody answers.
 */
#ifndef HV_MEM_PHYSMEM_H
#define HV_MEM_PHYSMEM_H

#include "base/err.h"
#include "base/types.h"

#define PHYSMEM_MAX_BYTES HV_GIB(1024)

struct physmem {
    uint8_t *bytes;
    uint64_t size; /* in bytes, a multiple of 4 KiB */
};

bool physmem_init(struct physmem *m, uint64_t size, struct hv_err *err);
void physmem_fini(struct physmem *m);

/*
 * Says that a range will be filled densely (page tables), so that the host may back it by large pages: this
 * halves the host's own TLB misses on page-table leaves and changes nothing that is modelled.
 */
void physmem_hint_dense(struct physmem *m, hv_hpa start, uint64_t bytes);

/* The host address of a simulated one, for prefetching and for filling tables; NULL beyond the memory. */
static inline void *physmem_pointer(const struct physmem *m, hv_hpa addr, uint64_t bytes)
{
    return addr.v < m->size && bytes <= m->size - addr.v ? m->bytes + addr.v : NULL;
}

/* Reads an aligned 8-byte entry. */
static inline uint64_t physmem_read64(const struct physmem *m, hv_hpa addr)
{
    if (__builtin_expect(addr.v >= m->size, 0)) {
        return UINT64_MAX;
    }
    return *(const uint64_t *)(const void *)(m->bytes + (addr.v & ~UINT64_C(7)));
}

/* Writes an aligned 8-byte entry. */
static inline void physmem_write64(struct physmem *m, hv_hpa addr, uint64_t value)
{
    if (__builtin_expect(addr.v < m->size, 1)) {
        *(uint64_t *)(void *)(m->bytes + (addr.v & ~UINT64_C(7))) = value;
    }
}

#endif
