/* SPDX-License-Identifier: MIT */
/*
 * The payload of a page translation: frame, permissions of both dimensions, and what made it.
 *
 * Permissions of guest paging and of EPT stay apart, because SDM Vol. 3A "Determination of Access Rights" (4.6.1)
 * tests the guest's against the CPU mode at the time of use, while EPT's are absolute. Whether an access may use
 * the entry is then one mask and one comparison (struct tlb_needs).
 */
#ifndef HV_TLB_TLB_ENTRY_H
#define HV_TLB_TLB_ENTRY_H

#include "base/types.h"

enum {
    TLB_GUEST_W = 1u << 0, /* R/W in every guest entry used */
    TLB_GUEST_U = 1u << 1, /* U/S in every guest entry used */
    TLB_GUEST_X = 1u << 2, /* XD in none */
    TLB_HOST_R = 1u << 3,
    TLB_HOST_W = 1u << 4,
    TLB_HOST_X = 1u << 5,  /* execute access; with mode-based execute control, from supervisor-mode addresses, and of a
                              linear address's translation from that address, of whichever mode it is */
    TLB_HOST_XU = 1u << 6, /* with mode-based execute control, from user-mode addresses; else as TLB_HOST_X */
    TLB_DIRTY = 1u << 7,   /* a store needs to set no dirty flag in either dimension */
    TLB_GLOBAL = 1u << 8,
    TLB_PREFETCHED = 1u << 9, /* second level only: brought by tlb.prefetch and not used yet */
    TLB_HOST_ALL = TLB_HOST_R | TLB_HOST_W | TLB_HOST_X | TLB_HOST_XU,
};

#define TLB_FRAME_MASK UINT64_C(0x000ffffffffff000)
enum { TLB_MEMORY_TYPE_SHIFT = 52, TLB_GUEST_SIZE_SHIFT = 55, TLB_HOST_SIZE_SHIFT = 57 };

/* What an access of one kind needs of an entry in the present mode: (payload & mask) == want. */
struct tlb_needs {
    uint64_t mask, want;
};

static inline hv_hpa tlb_entry_address(uint64_t payload, uint64_t address, unsigned shift)
{
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    return (hv_hpa){(payload & TLB_FRAME_MASK & ~offset) | (address & offset)};
}

/* The payload of the smaller page of 2^shift bytes at `address` within the larger one that payload describes. */
static inline uint64_t tlb_entry_splinter(uint64_t payload, uint64_t address, unsigned large_shift, unsigned shift)
{
    uint64_t inside = ((UINT64_C(1) << large_shift) - 1) & ~((UINT64_C(1) << shift) - 1);
    return (payload & ~(inside & TLB_FRAME_MASK)) | (address & inside);
}

#endif
