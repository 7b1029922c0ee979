/* SPDX-License-Identifier: MIT */
/*
 * The types that every block shares.
 *
 * Mixing address spaces is the classic bug of a two-dimensional walk, so each space is a struct of its own:
 * passing a guest-physical address where a host-physical one is wanted does not compile.
 */
#ifndef HV_BASE_TYPES_H
#define HV_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t v; } hv_gva;  /* guest-virtual (SDM: linear) address */
typedef struct { uint64_t v; } hv_gpa;  /* guest-physical address: what the guest's page tables yield */
typedef struct { uint64_t v; } hv_hpa;  /* host-physical address: what the memory system sees */
typedef struct { uint64_t v; } hv_iova; /* the address a device puts on the bus before the IOMMU */

/* Time, in cycles of the core clock. Every timed call takes the present and returns when it is done. */
typedef uint64_t hv_cycles;

enum hv_access_kind { HV_LOAD, HV_STORE, HV_FETCH, HV_ACCESS_KINDS };

#define HV_KIB(n) ((uint64_t)(n) << 10)
#define HV_MIB(n) ((uint64_t)(n) << 20)
#define HV_GIB(n) ((uint64_t)(n) << 30)

#define HV_PAGE_SHIFT 12u
#define HV_PAGE_BYTES HV_KIB(4)

/* The sizes of a page that the x86-64, EPT and VT-d radix tables can map. */
enum hv_page_size { HV_PAGE_4K, HV_PAGE_2M, HV_PAGE_1G, HV_PAGE_SIZES };

static inline unsigned hv_page_shift(enum hv_page_size size)
{
    return HV_PAGE_SHIFT + 9u * (unsigned)size;
}

static inline uint64_t hv_page_bytes(enum hv_page_size size)
{
    return UINT64_C(1) << hv_page_shift(size);
}

#define HV_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
