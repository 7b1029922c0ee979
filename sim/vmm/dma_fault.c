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

struct dma_fault_scan dma_fault_begin(struct dma_unit *u, hv_cycles now)
{
    uint64_t status = iommu_read(u->iommu, IOMMU_FSTS, 4, now);
    return (struct dma_fault_scan){status >> IOMMU_FSTS_FRI_SHIFT & 0xff, (status & IOMMU_FSTS_PFO) != 0};
}

bool dma_fault_next(struct dma_unit *u, struct dma_fault_scan *scan, struct dma_fault *fault, hv_cycles now)
{
    uint32_t low = u->caps.fault_offset + scan->next * IOMMU_FRCD_BYTES, high = low + 8;
    uint64_t record = iommu_read(u->iommu, high, 8, now);
    if ((record & RECORD_F) == 0) {
        return false;
    }
    *fault = (struct dma_fault){
        (uint16_t)record, (uint8_t)(record >> RECORD_REASON_SHIFT), iommu_read(u->iommu, low, 8, now),
    };
    iommu_write(u->iommu, high, 8, RECORD_F, now);
    scan->next = (scan->next + 1) % u->caps.fault_records;
    u->stats.fault_records++;
    return true;
}

void dma_fault_end(struct dma_unit *u, const struct dma_fault_scan *scan, hv_cycles now)
{
    if (scan->overflow) {
        iommu_write(u->iommu, IOMMU_FSTS, 4, IOMMU_FSTS_PFO, now);
        u->stats.fault_overflows++;
    }
}
