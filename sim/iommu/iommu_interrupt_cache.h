/* SPDX-License-Identifier: MIT */
/*
 * The cache of interrupt-remapping entries: VT-d "Interrupt Entry Cache", by index.
 */
#ifndef HV_IOMMU_IOMMU_INTERRUPT_CACHE_H
#define HV_IOMMU_IOMMU_INTERRUPT_CACHE_H

#include "base/assoc.h"
#include "iommu/iommu_cache.h"
#include "iommu/iommu_irte.h"

struct iommu_interrupt_cache {
    struct assoc tags;          /* index + 1 */
    struct iommu_irte *entries; /* by slot; NULL: there is no cache */
    struct iommu_cache_stats stats;
};

/* False, with a sentence: memory is short or the geometry impossible. */
bool iommu_interrupt_cache_init(struct iommu_interrupt_cache *c, const struct iommu_cache_params *p,
                                struct hv_err *err);
void iommu_interrupt_cache_reset(struct iommu_interrupt_cache *c);
void iommu_interrupt_cache_fini(struct iommu_interrupt_cache *c);

/* The entry of an index, or NULL. Counts. */
const struct iommu_irte *iommu_interrupt_cache_find(struct iommu_interrupt_cache *c, uint32_t index);
void iommu_interrupt_cache_fill(struct iommu_interrupt_cache *c, uint32_t index, const struct iommu_irte *entry);

/* Drops the entries whose index equals `index` but for its lowest mask_log2 bits; with all, every one. */
void iommu_interrupt_cache_drop(struct iommu_interrupt_cache *c, bool all, uint32_t index, unsigned mask_log2);

#endif
