/* SPDX-License-Identifier: MIT */
/*
 * What software does about requests that the IOMMU blocks: it has an interrupt sent (the fault event), reads the fault
 * records, gives them back, and clears an overflow, in the way of VT-d's "Primary Fault Logging" and "Non-Recoverable
 * Fault Event". Each step is one that takes time on a processor, so who calls decides when it happens.
 */
#ifndef HV_VMM_DMA_FAULT_H
#define HV_VMM_DMA_FAULT_H

#include "vmm/dma_unit.h"

/* A fault as its record has it. */
struct dma_fault {
    uint16_t source; /* requester id */
    uint8_t reason;  /* of iommu_faults.def */
    uint64_t address;
};

/* A look at the records: the next one, and whether some faults found none. */
struct dma_fault_scan {
    unsigned next;
    bool overflow;
};

/* Has the fault event sent to a processor, and unmasks it: what is pending is sent at once. */
void dma_fault_route(struct dma_unit *u, uint8_t vector, uint32_t destination, hv_cycles now);

/* Reads the status register, where the first record is named. One access to a register. */
struct dma_fault_scan dma_fault_begin(struct dma_unit *u, hv_cycles now);

/*
 * Reads the next record and gives it back. False: there is none. Accesses to registers: DMA_FAULT_ACCESSES, or one when
 * there is none.
 */
enum { DMA_FAULT_ACCESSES = 3 };
bool dma_fault_next(struct dma_unit *u, struct dma_fault_scan *scan, struct dma_fault *fault, hv_cycles now);

/* After the last one: an overflow is cleared, and the hardware records again. One access, if there was one. */
void dma_fault_end(struct dma_unit *u, const struct dma_fault_scan *scan, hv_cycles now);

#endif
