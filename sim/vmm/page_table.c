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
            page_table_written(t, address, l);
        } else if ((*entry & RADIX_LARGE) != 0) {
            return NULL;
        }
        table = table_pointer(t, *entry & RADIX_ADDRESS_MASK);
    }
    return table;
}

/* Whether a table at a level maps nothing, nor any table below it. */
static bool maps_nothing(const struct page_table *t, uint64_t table, unsigned level)
{
    const uint64_t *entries = table_pointer(t, table);
    for (unsigned i = 0; i <= TABLE_MASK; i++) {
        bool empty = entries[i] == 0 || (level > 1 && (entries[i] & RADIX_LARGE) == 0 &&
                                         maps_nothing(t, entries[i] & RADIX_ADDRESS_MASK, level - 1));
        if (!empty) {
            return false;
        }
    }
    return true;
}

/* Gives a table that maps nothing back, all zero as a new one has to be, and the tables below it. */
static void give_table(struct page_table *t, uint64_t table, unsigned level)
{
    uint64_t *entries = table_pointer(t, table);
    for (unsigned i = 0; level > 1 && i <= TABLE_MASK; i++) {
        if (entries[i] != 0) {
            give_table(t, entries[i] & RADIX_ADDRESS_MASK, level - 1);
            entries[i] = 0;
        }
    }
    frames_give(t->arena, table, HV_PAGE_4K);
    t->tables_given++;
}

/* Makes room for a large page in an entry at a level; false when something is still mapped there. */
static bool clear_entry(struct page_table *t, uint64_t *entry, unsigned level)
{
    if (*entry == 0 || (*entry & RADIX_LARGE) != 0) {
        return true;
    }
    uint64_t table = *entry & RADIX_ADDRESS_MASK;
    if (!maps_nothing(t, table, level - 1)) {
        return false;
    }
    give_table(t, table, level - 1);
    t->last_region = UINT64_MAX; /* its table may have been one of them */
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
    if (size != HV_PAGE_4K && !clear_entry(t, entry, level)) {
        return false;
    }
    *entry = frame | t->leaf_bits | (size != HV_PAGE_4K ? RADIX_LARGE : 0);
    page_table_written(t, address, level);
    return true;
}

uint64_t *page_table_entry(struct page_table *t, uint64_t address, unsigned level)
{
    uint64_t *table = table_at(t, address, level);
    return table != NULL ? &table[address >> radix_shift(level) & TABLE_MASK] : NULL;
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
