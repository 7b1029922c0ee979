/* SPDX-License-Identifier: MIT */
/*
 * Invalidation: which entries each granularity names (VT-d chapter 6, "Invalidation of Translation Caches").
 *
 *                                context  PASID  IOTLB, paging-structure caches
 *                                cache    cache  second stage    nested           first stage
 *     context: all, domain, device  x
 *     PASID: all, domain, one                x
 *     IOTLB: all                                all             all              all
 *     IOTLB: domain                             of the domain   of the domain    of the domain
 *     IOTLB: page                               at the address  of the domain    -
 *     PASID-based IOTLB: PASID                  -               of the PASID     of the PASID
 *     PASID-based IOTLB: page                   -               at the address   at the address
 *
 * A page of the second stage may be below any nested translation of its domain, and below any first-stage table that
 * a paging-structure cache points to, so these go as a whole. With the leaf hint (IH) a page-selective invalidation
 * keeps what the paging-structure caches have of the stage that was changed.
 *
 * MODEL: with caching mode an error that the PASID cache holds is named by any domain.
 */
#include "iommu/iommu_parts.h"

/* Names the spaces of one kind, of a domain and of a PASID where these are not NULL. */
static struct tlb_spaces *name_spaces(struct iommu *u, unsigned kinds, const uint16_t *domain, const uint32_t *pasid)
{
    struct tlb_spaces *spaces = &u->caches.spaces;
    for (uint32_t id = 1; id < spaces->count; id++) {
        const struct tlb_space *s = &spaces->items[id];
        spaces->named[id] = (kinds >> s->mapping & 1) != 0 && (domain == NULL || s->vpid == *domain) &&
                            (pasid == NULL || s->ep4ta == *pasid);
    }
    return spaces;
}

enum {
    FIRST = 1u << TLB_LINEAR,
    SECOND = 1u << TLB_GUEST_PHYSICAL,
    NESTED = 1u << TLB_COMBINED,
    EVERYTHING = 64, /* as a size: all addresses */
};

static void drop_pages(struct iommu *u, const struct tlb_spaces *spaces, uint64_t address, unsigned bytes_log2)
{
    u->caches.iotlb_stats.invalidations +=
        tlb_invalidate_range(&u->caches.iotlb, spaces, address, bytes_log2);
}

/* Of both stages' caches: which entries they hold of a space follows from the kind of the space. */
static void drop_tables(struct iommu *u, const struct tlb_spaces *spaces, uint64_t address, unsigned bytes_log2)
{
    for (unsigned d = HV_GUEST; d <= HV_HOST; d++) {
        for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
            tlb_invalidate_range(&u->caches.pwc.cache[d][level], spaces, address, bytes_log2);
        }
    }
}

static void drop_all(struct iommu *u, const struct tlb_spaces *spaces)
{
    drop_pages(u, spaces, 0, EVERYTHING);
    drop_tables(u, spaces, 0, EVERYTHING);
}

void iommu_invalidate_iotlb(struct iommu *u, enum iommu_iotlb_scope scope, uint16_t domain, uint64_t address,
                            unsigned mask_log2, bool leaf_hint)
{
    unsigned bytes_log2 = HV_PAGE_SHIFT + mask_log2;
    u->stats.invalidations_iotlb++;
    switch (scope) {
    case IOMMU_IOTLB_ALL:
        drop_all(u, name_spaces(u, FIRST | SECOND | NESTED, NULL, NULL));
        break;
    case IOMMU_IOTLB_DOMAIN:
        drop_all(u, name_spaces(u, FIRST | SECOND | NESTED, &domain, NULL));
        break;
    case IOMMU_IOTLB_PAGE: {
        const struct tlb_spaces *second = name_spaces(u, SECOND, &domain, NULL);
        drop_pages(u, second, address, bytes_log2);
        if (!leaf_hint) {
            drop_tables(u, second, address, bytes_log2);
        }
        drop_all(u, name_spaces(u, NESTED, &domain, NULL));
        break;
    }
    }
}

void iommu_invalidate_piotlb(struct iommu *u, enum iommu_piotlb_scope scope, uint16_t domain, uint32_t pasid,
                             uint64_t address, unsigned mask_log2, bool leaf_hint)
{
    unsigned bytes_log2 = scope == IOMMU_PIOTLB_PAGE ? HV_PAGE_SHIFT + mask_log2 : EVERYTHING;
    const struct tlb_spaces *spaces = name_spaces(u, FIRST | NESTED, &domain, &pasid);
    u->stats.invalidations_iotlb++;
    drop_pages(u, spaces, address, bytes_log2);
    if (scope == IOMMU_PIOTLB_PASID || !leaf_hint) {
        drop_tables(u, spaces, address, bytes_log2);
    }
}

/* The function-mask field: how many of the function number's bits, from bit 2 down, are not compared. */
static bool same_function(uint16_t a, uint16_t b, unsigned function_mask)
{
    static const uint16_t ignored[] = {0, 4, 6, 7};
    return ((a ^ b) & ~ignored[function_mask & 3]) == 0;
}

void iommu_invalidate_context(struct iommu *u, enum iommu_context_scope scope, uint16_t domain, uint16_t source,
                              unsigned function_mask)
{
    struct iommu_context_cache *c = &u->caches.context;
    u->stats.invalidations_context++;
    for (size_t slot = 0; c->tags.sets != 0 && slot < assoc_slots(&c->tags); slot++) {
        uint64_t tag = c->tags.tags[slot];
        const struct iommu_mapping *m = &c->entries[slot].mapping;
        /* A scalable-mode context entry holds no domain. */
        bool named = scope == IOMMU_CONTEXT_ALL || m->scalable || m->tag_domain == domain;
        if (scope == IOMMU_CONTEXT_DEVICE) {
            named = named && same_function((uint16_t)tag, source, function_mask);
        }
        if (tag != 0 && named) {
            assoc_drop(&c->tags, slot);
            c->stats.invalidations++;
        }
    }
}

void iommu_invalidate_pasid(struct iommu *u, enum iommu_pasid_scope scope, uint16_t domain, uint32_t pasid)
{
    struct iommu_pasid_cache *c = &u->caches.pasid;
    u->stats.invalidations_pasid++;
    for (size_t slot = 0; c->tags.sets != 0 && slot < assoc_slots(&c->tags); slot++) {
        uint64_t tag = c->tags.tags[slot];
        const struct iommu_mapping *m = &c->entries[slot];
        bool named = scope == IOMMU_PASID_ALL || m->fault != IOMMU_FAULT_NONE || m->tag_domain == domain;
        if (scope == IOMMU_PASID_ONE) {
            named = named && (tag & ((UINT64_C(1) << 20) - 1)) == pasid;
        }
        if (tag != 0 && named) {
            assoc_drop(&c->tags, slot);
            c->stats.invalidations++;
        }
    }
}
