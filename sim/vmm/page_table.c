/* SPDX-License-Identifier: MIT */
#include "vmm/page_table.h"

enum { REGION_SHIFT = 21, TABLE_MASK = 511 };

static uint64_t *table_pointer(const struct page_table *t, uint64_t table)
{
    uint64_t *entries = physmem_pointer(t->memory, (hv_hpa){table + t->host_offset}, HV_PAGE_BYTES);
    HV_ASSERT(entries != NULL, "a page table outside memory at %#llx", (unsigned long long)table);
    return entries;
}

/* Memory that nobody wrote reads as zero, so a new table is empty. */
static uint64_t take_table(struct page_table *t)
{
    uint64_t table = frames_take(t->arena, HV_PAGE_4K);
    if (table != FRAMES_NONE && t->table_taken != NULL) {
        t->table_taken(t->ctx, table);
    }
    return table;
}

bool page_table_init(struct page_table *t)
{
    t->last_region = UINT64_MAX;
    t->last_leaf = NULL;
    t->root = take_table(t);
    return t->root != FRAMES_NONE;
}

/* The table that holds the entry of `address` at `level`, made as needed; NULL when that cannot be. */
static uint64_t *table_at(struct page_table *t, uint64_t address, unsigned level)
{
    uint64_t *table = table_pointer(t, t->root);
    for (unsigned l = t->levels; l > level; l--) {
        uint64_t *entry = &table[address >> radix_shift(l) & TABLE_MASK];
        if (*entry == 0) {
            uint64_t below = take_table(t);
            if (below == FRAMES_NONE) {
                return NULL;
            }
            *entry = below | t->table_bits;
        } else if ((*entry & RADIX_LARGE) != 0) {
            return NULL;
        }
        table = table_pointer(t, *entry & RADIX_ADDRESS_MASK);
    }
    return table;
}

/*
 * Gives the table that an entry points to back if it maps nothing, so that a large page may take the entry. An empty
 * table is all zero, as a new one has to be.
 */
static bool give_empty_table(struct page_table *t, uint64_t entry)
{
    uint64_t address = entry & RADIX_ADDRESS_MASK;
    const uint64_t *table = table_pointer(t, address);
    for (unsigned i = 0; i <= TABLE_MASK; i++) {
        if (table[i] != 0) {
            return false;
        }
    }
    frames_give(t->arena, address, HV_PAGE_4K);
    return true;
}

bool page_table_map(struct page_table *t, uint64_t address, enum hv_page_size size, uint64_t frame)
{
    unsigned level = (unsigned)size + 1;
    uint64_t region = address >> REGION_SHIFT;
    uint64_t *table = t->last_leaf;
    if (size != HV_PAGE_4K || region != t->last_region) {
        table = table_at(t, address, level);
        if (table == NULL) {
            return false;
        }
        if (size == HV_PAGE_4K) {
            t->last_region = region;
            t->last_leaf = table;
        }
    }
    uint64_t *entry = &table[address >> radix_shift(level) & TABLE_MASK];
    if (size != HV_PAGE_4K && *entry != 0 && (*entry & RADIX_LARGE) == 0 && !give_empty_table(t, *entry)) {
        return false;
    }
    *entry = frame | t->leaf_bits | (size != HV_PAGE_4K ? RADIX_LARGE : 0);
    t->last_region = size == HV_PAGE_4K ? t->last_region : UINT64_MAX; /* its table may just have gone */
    return true;
}

uint64_t *page_table_find(struct page_table *t, uint64_t address, unsigned *level)
{
    uint64_t *table = table_pointer(t, t->root);
    for (*level = t->levels;; --*level) {
        uint64_t *entry = &table[address >> radix_shift(*level) & TABLE_MASK];
        if (*entry == 0) {
            return NULL;
        }
        if (*level == 1 || (*entry & RADIX_LARGE) != 0) {
            return entry;
        }
        table = table_pointer(t, *entry & RADIX_ADDRESS_MASK);
    }
}

/*
 * Mapping `pieces` runs that span `span_bytes` in all touches at each level at most one table per table's reach of
 * bytes, and two more per run for its ends.
 */
uint64_t page_table_bound(uint64_t span_bytes, uint64_t pieces)
{
    uint64_t tables = 1;
    for (unsigned level = 1; level < RADIX_MAX_LEVELS; level++) {
        tables += (span_bytes >> radix_shift(level + 1)) + 2 * pieces;
    }
    return tables;
}
