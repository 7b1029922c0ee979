/* SPDX-License-Identifier: MIT */
/*
 * The translation cache: one structure that serves as L1 and L2 TLB, nested TLB, every paging-structure cache and
 * IOTLB.
 *
 * A key is page number, size code and space (tlb_space.h) packed into one word, so a probe is one comparison per
 * way. What a size code means in address bits belongs to the structure: 4K/2M/1G pages in a TLB, the reach of a
 * level in a paging-structure cache. The payload is a word of the owner's (tlb_entry.h for pages).
 *
 * Like silicon, it goes stale: nothing here looks at memory. Software must invalidate.
 */
#ifndef HV_TLB_TLB_H
#define HV_TLB_TLB_H

#include "base/assoc.h"
#include "base/param.h"
#include "tlb/tlb_entry.h"
#include "tlb/tlb_space.h"

extern const char *const hv_page_size_names[]; /* "4k", "2m", "1g", NULL */

struct tlb_params {
#define P PARAM_MEMBER
#include "tlb/tlb_params.def"
#undef P
};

extern const struct param_row tlb_param_rows[];
extern const size_t tlb_param_count;

struct tlb_geometry {
    uint64_t entries; /* 0: the structure is absent */
    uint64_t ways;    /* or PARAM_WAYS_FULL */
    enum assoc_policy policy;
    uint8_t shifts[HV_PAGE_SIZES]; /* address bits that size code 0, 1, 2 leaves out of the page number */
};

struct tlb {
    struct assoc entries;          /* sets is 0 when absent */
    uint8_t shifts[HV_PAGE_SIZES];
    uint32_t live[HV_PAGE_SIZES];  /* entries held of each size code: a probe for a size not held is skipped */
    uint32_t live_global;
    uint32_t special;              /* entries held that are global or not of size code 0 */
};

/* `name` is for the sentence when the geometry is impossible ("tlb.l2"). */
bool tlb_init(struct tlb *t, const char *name, const struct tlb_geometry *geometry, struct hv_err *err);
void tlb_fini(struct tlb *t);
void tlb_reset(struct tlb *t);

static inline bool tlb_present(const struct tlb *t)
{
    return t->entries.sets != 0;
}

/* Key: page number 62:18 (of a 57-bit address), size code 17:16, space 15:0. */
enum { TLB_KEY_SIZE_SHIFT = 16, TLB_KEY_PAGE_SHIFT = 18, TLB_ADDRESS_BITS = 57 };

static inline uint64_t tlb_page_number(uint64_t address, unsigned shift)
{
    return (address & ((UINT64_C(1) << TLB_ADDRESS_BITS) - 1)) >> shift;
}

static inline uint64_t tlb_key(uint64_t page_number, unsigned size, tlb_space_id space)
{
    return page_number << TLB_KEY_PAGE_SHIFT | (uint64_t)size << TLB_KEY_SIZE_SHIFT | space;
}

/*
 * The payload that translates `address` at one size in one space, touched as a hit; NULL on a miss. The caller has
 * checked that the structure is present.
 */
static inline __attribute__((always_inline)) uint64_t *tlb_lookup(struct tlb *t, uint64_t address, unsigned size,
                                                                 tlb_space_id space)
{
    uint64_t page = tlb_page_number(address, t->shifts[size]);
    ptrdiff_t slot = assoc_find(&t->entries, page, tlb_key(page, size, space), 0);
    if (slot == ASSOC_NONE) {
        return NULL;
    }
    assoc_touch(&t->entries, (size_t)slot);
    return t->entries.payload + slot;
}

/* What an insertion did, for the counters. */
enum tlb_insertion { TLB_FILLED, TLB_FILLED_EVICTING, TLB_REPLACED };

/* Puts a translation in, replacing the one of the same key if there is one. */
enum tlb_insertion tlb_insert(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space, uint64_t payload);

/*
 * The shortest insertion: of a page of size code 0 that is not global and not here, into a structure that holds nothing
 * special. Returns whether it pushed one out.
 */
ASSOC_INLINE bool tlb_insert_plain(struct tlb *t, uint64_t page, uint64_t key, uint64_t payload)
{
    struct assoc *entries = &t->entries;
    size_t slot = assoc_victim(entries, page);
    bool evicts = entries->tags[slot] != 0;
    assoc_place(entries, page, slot, key);
    entries->payload[slot] = payload;
    t->live[0] += !evicts;
    return evicts;
}

/* Drops the entries whose space is named (by tlb_spaces_name); returns how many. */
uint64_t tlb_invalidate(struct tlb *t, const struct tlb_spaces *spaces);

/* The same, but only entries that cover `address`. */
uint64_t tlb_invalidate_address(struct tlb *t, const struct tlb_spaces *spaces, uint64_t address);

/* The same, but only entries that cover any of the 2^bytes_log2 bytes at a multiple of that size. */
uint64_t tlb_invalidate_range(struct tlb *t, const struct tlb_spaces *spaces, uint64_t address, unsigned bytes_log2);

/* Drops the one entry of this key if it is there (what a fault removes for its own address); returns how many. */
uint64_t tlb_drop(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space);

/* Drops everything; returns how many. */
uint64_t tlb_flush(struct tlb *t);

#endif
