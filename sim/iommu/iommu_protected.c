/* SPDX-License-Identifier: MIT */
/*
 * Protected memory regions: VT-d "Protected Memory Enable Register", "Handling Requests to Protected Memory Regions".
 *
 * Two regions of host-physical memory that devices may not touch before software has set up translation. Limits are
 * inclusive; a base above its limit is an empty region.
 */
#include "iommu/iommu_register_parts.h"

#define REGION_BYTES HV_MIB(1) /* the alignment of base and limit: their lower bits read as zero */

static bool meets(uint64_t base, uint64_t limit, uint64_t first, uint64_t last)
{
    return base <= limit && first <= (limit | (REGION_BYTES - 1)) && last >= base;
}

bool iommu_protected(const struct iommu *u, uint64_t address, uint64_t bytes)
{
    const struct iommu_regs *r = &u->regs;
    if ((iommu_reg32(r, IOMMU_PMEN) & IOMMU_PMEN_PRS) == 0) {
        return false;
    }
    uint64_t last = bytes == 0 ? address : address + (bytes - 1);
    if (last < address) {
        last = UINT64_MAX;
    }
    return meets(iommu_reg32(r, IOMMU_PLMBASE), iommu_reg32(r, IOMMU_PLMLIMIT), address, last) ||
           meets(iommu_reg64(r, IOMMU_PHMBASE), iommu_reg64(r, IOMMU_PHMLIMIT), address, last);
}
