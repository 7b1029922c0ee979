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

/* Has the fault event sent to a processor, and unmasks it: what is pending is sent at once. */
void dma_fault_route(struct dma_unit *u, uint8_t vector, uint32_t destination, hv_cycles now);

/* Reads the status register: the number of the first record. One access to a register. */
unsigned dma_fault_begin(struct dma_unit *u, hv_cycles now);

/*
 * Reads a record, gives it back, and moves on to the next: DMA_FAULT_ACCESSES accesses to registers. False, after one
 * access: there is none.
 */
enum { DMA_FAULT_ACCESSES = 3 };
bool dma_fault_next(struct dma_unit *u, unsigned *record, struct dma_fault *fault, hv_cycles now);

/*
 * After the last one: reads the status again. True: faults have found no record, and none is recorded any more until
 * dma_fault_go_on(), which clears the overflow. An access each.
 */
bool dma_fault_is_lost(struct dma_unit *u, hv_cycles now);
void dma_fault_go_on(struct dma_unit *u, hv_cycles now);

#endif
