/* SPDX-License-Identifier: MIT */
#include "workload/page_set.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024u
#define PAGE_BITS 52u /* of the number of a 4 KiB page; the process stands above them */

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

/* The slot that holds the key, or the free one where it belongs. */
static uint64_t *find_slot(uint64_t *slots, size_t capacity, uint64_t key)
{
    /* Processes use the same addresses: without the shift, they would all meet in the same slots. */
    size_t i = (size_t)(((key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (capacity - 1);
    while (slots[i] != 0 && slots[i] != key + 1) {
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

bool page_set_add(struct page_set *set, uint8_t process, uint64_t page)
{
    uint64_t key = (uint64_t)process << PAGE_BITS | page;
    uint64_t *slot = find_slot(set->slots, set->capacity, key);
    if (*slot != 0) {
        return true;
    }
    *slot = key + 1;
    set->count++;
    return 2 * set->count <= set->capacity || grow(set);
}

static int compare_keys(const void *a, const void *b)
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
    qsort(set->slots, pages, sizeof(*set->slots), compare_keys);
    struct page_run *runs = malloc((pages + 1) * sizeof(*runs));
    if (runs == NULL) {
        return NULL;
    }
    *count = 0;
    for (size_t i = 0; i < pages; i++) {
        uint64_t page = (set->slots[i] - 1) & ((UINT64_C(1) << PAGE_BITS) - 1);
        uint32_t process = (uint32_t)((set->slots[i] - 1) >> PAGE_BITS);
        struct page_run *last = *count > 0 ? &runs[*count - 1] : NULL;
        if (last != NULL && last->process == process && last->first + last->pages == page) {
            last->pages++;
        } else {
            runs[(*count)++] = (struct page_run){ page, 1, process };
        }
    }
    return runs;
}
