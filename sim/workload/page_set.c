/* SPDX-License-Identifier: MIT */
#include "workload/page_set.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024u

bool page_set_init(struct page_set *set)
{
    set->slots = calloc(FIRST_CAPACITY, sizeof(*set->slots));
    set->capacity = FIRST_CAPACITY;
    set->count = 0;
    return set->slots != NULL;
}

void page_set_fini(struct page_set *set)
{
    free(set->slots);
    set->slots = NULL;
}

/* The slot that holds the page, or the free one where it belongs. */
static uint64_t *find_slot(uint64_t *slots, size_t capacity, uint64_t page)
{
    size_t i = (size_t)((page * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (capacity - 1);
    while (slots[i] != 0 && slots[i] != page + 1) {
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

static bool grow(struct page_set *set)
{
    size_t capacity = 2 * set->capacity;
    uint64_t *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] != 0) {
            *find_slot(slots, capacity, set->slots[i] - 1) = set->slots[i];
        }
    }
    free(set->slots);
    set->slots = slots;
    set->capacity = capacity;
    return true;
}

bool page_set_add(struct page_set *set, uint64_t page)
{
    uint64_t *slot = find_slot(set->slots, set->capacity, page);
    if (*slot != 0) {
        return true;
    }
    *slot = page + 1;
    set->count++;
    return 2 * set->count <= set->capacity || grow(set);
}

static int compare_pages(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct page_run *page_set_runs(struct page_set *set, size_t *count)
{
    size_t pages = 0;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->slots[i] != 0) {
            set->slots[pages++] = set->slots[i];
        }
    }
    qsort(set->slots, pages, sizeof(*set->slots), compare_pages);
    struct page_run *runs = malloc((pages + 1) * sizeof(*runs));
    if (runs == NULL) {
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < pages; i++) {
        uint64_t page = set->slots[i] - 1;
        struct page_run *last = *count > 0 ? &runs[*count - 1] : NULL;
        if (last != NULL && last->first + last->pages == page) {
            last->pages++;
        } else {
            runs[(*count)++] = (struct page_run){ page, 1 };
        }
    }
    return runs;
}
