/* SPDX-License-Identifier: MIT */
#include "vmm/dma_fault.h"

enum { RECORD_REASON_SHIFT = 32, DESTINATION_SHIFT = 12 };

#define RECORD_F (UINT64_C(1) << 63)
#define MESSAGE_ADDRESS UINT32_C(0xfee00000)

/* "Remapping Hardware Event Interrupt Programming": bits 31:8 of the destination are in the upper address. */
void dma_fault_route(struct dma_unit *u, uint8_t vector, uint32_t destination, hv_cycles now)
{
    iommu_write(u->iommu, IOMMU_FEDATA, 4, vector, now);
    iommu_write(u->iommu, IOMMU_FEADDR, 4, MESSAGE_ADDRESS | (destination & 0xff) << DESTINATION_SHIFT, now);
    iommu_write(u->iommu, IOMMU_FEUADDR, 4, destination & ~UINT32_C(0xff), now);
    iommu_write(u->iommu, IOMMU_FECTL, 4, 0, now);
}

unsigned dma_fault_begin(struct dma_unit *u, hv_cycles now)
{
    return iommu_read(u->iommu, IOMMU_FSTS, 4, now) >> IOMMU_FSTS_FRI_SHIFT & 0xff;
}

bool dma_fault_next(struct dma_unit *u, unsigned *record, struct dma_fault *fault, hv_cycles now)
{
    uint32_t low = u->caps.fault_offset + *record * IOMMU_FRCD_BYTES, high = low + 8;
    uint64_t word = iommu_read(u->iommu, high, 8, now);
    if ((word & RECORD_F) == 0) {
        return false;
    }
    *fault = (struct dma_fault){
        (uint16_t)word, (uint8_t)(word >> RECORD_REASON_SHIFT), iommu_read(u->iommu, low, 8, now),
    };
    iommu_write(u->iommu, high, 8, RECORD_F, now);
    *record = (*record + 1) % u->caps.fault_records;
    u->stats.fault_records++;
    return true;
}

bool dma_fault_is_lost(struct dma_unit *u, hv_cycles now)
{
    return (iommu_read(u->iommu, IOMMU_FSTS, 4, now) & IOMMU_FSTS_PFO) != 0;
}

void dma_fault_go_on(struct dma_unit *u, hv_cycles now)
{
    iommu_write(u->iommu, IOMMU_FSTS, 4, IOMMU_FSTS_PFO, now);
    u->stats.fault_overflows++;
}
