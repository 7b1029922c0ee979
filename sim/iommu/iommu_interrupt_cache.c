/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_interrupt_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigmem.h"

bool iommu_interrupt_cache_init(struct iommu_interrupt_cache *c, const struct iommu_cache_params *p,
                                struct hv_err *err)
{
    memset(c, 0, sizeof(*c));
    if (p->entries == 0) {
        return true;
    }
    uint64_t ways = p->ways == PARAM_WAYS_FULL ? p->entries : p->ways;
    if (ways > p->entries || p->entries % ways != 0) {
        return hv_fail(err, "iommu.interrupt_cache: %llu entries cannot be divided into sets of %llu ways; choose "
                       "ways that divide entries", (unsigned long long)p->entries, (unsigned long long)ways);
    }
    if (!assoc_init(&c->tags, p->entries, ways, (enum assoc_policy)p->replacement, false, err)) {
        return false;
    }
    c->entries = bigmem_take(assoc_slots(&c->tags), sizeof(*c->entries));
    if (c->entries == NULL) {
        assoc_fini(&c->tags);
        return hv_fail(err, "no memory for the IOMMU's cache of %llu interrupt-remapping entries",
                       (unsigned long long)p->entries);
    }
    return true;
}

void iommu_interrupt_cache_reset(struct iommu_interrupt_cache *c)
{
    if (c->entries != NULL) {
        assoc_reset(&c->tags);
    }
    c->stats = (struct iommu_cache_stats){0};
}

void iommu_interrupt_cache_fini(struct iommu_interrupt_cache *c)
{
    if (c->entries != NULL) {
        assoc_fini(&c->tags);
        free(c->entries);
        c->entries = NULL;
    }
}

/* A tag may not be 0. */
static uint64_t tag_of(uint32_t index)
{
    return (uint64_t)index + 1;
}

const struct iommu_irte *iommu_interrupt_cache_find(struct iommu_interrupt_cache *c, uint32_t index)
{
    ptrdiff_t slot = c->entries == NULL ? ASSOC_NONE : assoc_find(&c->tags, index, tag_of(index), 0);
    if (slot == ASSOC_NONE) {
        c->stats.misses++;
        return NULL;
    }
    c->stats.hits++;
    assoc_touch(&c->tags, (size_t)slot);
    return &c->entries[slot];
}

void iommu_interrupt_cache_fill(struct iommu_interrupt_cache *c, uint32_t index, const struct iommu_irte *entry)
{
    if (c->entries == NULL) {
        return;
    }
    size_t slot = assoc_victim(&c->tags, index);
    c->stats.evictions += c->tags.tags[slot] != 0;
    assoc_place(&c->tags, index, slot, tag_of(index));
    c->entries[slot] = *entry;
}

void iommu_interrupt_cache_drop(struct iommu_interrupt_cache *c, bool all, uint32_t index, unsigned mask_log2)
{
    for (size_t slot = 0; c->entries != NULL && slot < assoc_slots(&c->tags); slot++) {
        uint64_t tag = c->tags.tags[slot];
        if (tag != 0 && (all || (tag - 1) >> mask_log2 == index >> mask_log2)) {
            assoc_drop(&c->tags, slot);
            c->stats.invalidations++;
        }
    }
}
