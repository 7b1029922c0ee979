/* SPDX-License-Identifier: MIT */
/* The set of 4 KiB pages that a trace touches: a hash table that grows, then a sorted list of runs. */
#ifndef HV_WORKLOAD_PAGE_SET_H
#define HV_WORKLOAD_PAGE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_set {
    uint64_t *slots; /* page number + 1, or 0 when free */
    size_t capacity; /* a power of two */
    size_t count;
};

struct page_run {
    uint64_t first, pages;
};

/* False when memory runs out. */
bool page_set_init(struct page_set *set);
void page_set_fini(struct page_set *set);

bool page_set_add(struct page_set *set, uint64_t page);

/* The pages as ascending runs in memory that the caller frees; NULL when memory runs out. The set is used up. */
struct page_run *page_set_runs(struct page_set *set, size_t *count);

#endif
