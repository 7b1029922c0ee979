/* SPDX-License-Identifier: MIT */
/* The set of 4 KiB pages that a trace's processes touch: a hash table that grows, then a sorted list of runs. */
#ifndef HV_WORKLOAD_PAGE_SET_H
#define HV_WORKLOAD_PAGE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_set {
    uint64_t *slots; /* key of process and page, plus 1; 0 when free */
    size_t capacity; /* a power of two */
    size_t count;
};

struct page_run {
    uint64_t first, pages;
    uint32_t process;
};

/* False when memory runs out. */
bool page_set_init(struct page_set *set);
void page_set_fini(struct page_set *set);

bool page_set_add(struct page_set *set, uint8_t process, uint64_t page);

/*
 * The pages as runs, ascending by process and page, in memory that the caller frees; NULL when memory runs out. The
 * set is used up.
 */
struct page_run *page_set_runs(struct page_set *set, size_t *count);

#endif
