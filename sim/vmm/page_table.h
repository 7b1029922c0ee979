/* SPDX-License-Identifier: MIT */
/*
 * Software that writes radix page tables: what an operating system does for its processes and a hypervisor for EPT.
 *
 * The tables are bytes in simulated memory; the addresses in entries are those of the space the tables live in
 * (guest-physical for a guest's own). Tables are taken from one contiguous arena, which maps to host memory with
 * one offset, so writing an entry needs no translation.
 */
#ifndef HV_VMM_PAGE_TABLE_H
#define HV_VMM_PAGE_TABLE_H

#include "mem/physmem.h"
#include "mmu/radix.h"
#include "vmm/frames.h"

struct page_table {
    struct physmem *memory;
    struct frames *arena;     /* where tables come from, in the tables' own address space */
    uint64_t host_offset;     /* host-physical address of a table = its own + host_offset */
    uint64_t root;            /* address of the top table, in the tables' own address space */
    unsigned levels;
    uint64_t table_bits;      /* of an entry that points to a table */
    uint64_t leaf_bits;       /* of an entry that maps a page */
    uint64_t last_region;     /* 2 MiB region whose leaf table was written last ... */
    uint64_t *last_leaf;      /* ... and that table: consecutive pages need no walk */
    uint64_t tables_given;    /* tables given back: what processors have cached of them has to be invalidated */
    void (*table_taken)(void *ctx, uint64_t table); /* a new table's own address; may be NULL */
    void (*entry_written)(void *ctx, uint32_t number, uint64_t address, unsigned level); /* may be NULL */
    void *ctx;
    uint32_t number;          /* which of its owner's tables it is, for that call */
};

/* Takes the top table. The other members have been set. False: the arena is used up. */
bool page_table_init(struct page_table *t);

/*
 * Maps one page; false when the arena is used up, or a larger page or a table that is not empty is in the way. An empty
 * table in a large page's way is given back.
 */
bool page_table_map(struct page_table *t, uint64_t address, enum hv_page_size size, uint64_t frame);

/* The entry of an address at a level, with the tables above it made as needed; NULL when page_table_map() is false. */
uint64_t *page_table_entry(struct page_table *t, uint64_t address, unsigned level);

/* Software has written the entry of an address at a level: who wants to know is told. */
static inline void page_table_written(const struct page_table *t, uint64_t address, unsigned level)
{
    if (t->entry_written != NULL) {
        t->entry_written(t->ctx, t->number, address, level);
    }
}

/* The first address from this one on that has a translation: the middle of the address space is not canonical. */
static inline uint64_t page_table_canonical(const struct page_table *t, uint64_t address)
{
    uint64_t half = UINT64_C(1) << (radix_shift(t->levels + 1) - 1);
    return address >= half && address < -half ? -half : address;
}

/* The entry that maps an address, or NULL; *level is the entry's, or that of the empty entry that ends the search. */
uint64_t *page_table_find(struct page_table *t, uint64_t address, unsigned *level);

/* Tables below the top one that mapping these many regions needs at most: see page_table.c. */
uint64_t page_table_bound(uint64_t span_bytes, uint64_t pieces);

#endif
