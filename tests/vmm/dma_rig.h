/* SPDX-License-Identifier: MIT */
/*
 * Memory, an IOMMU and the software that owns it, for the tests of that software: a device's access goes through the
 * IOMMU to bytes of memory.
 */
#ifndef HV_TESTS_VMM_DMA_RIG_H
#define HV_TESTS_VMM_DMA_RIG_H

#include "vmm/dma_map.h"
#include "vmm/irq_map.h"

/* What each thing costs: primes, so that no sum can be taken for another. */
enum {
    DMA_RIG_MAP = 139, DMA_RIG_UNMAP = 401, DMA_RIG_ENTRY = 503, DMA_RIG_WRITE_BACK = 211, DMA_RIG_REUSE = 101,
    DMA_RIG_DEFER = 199, DMA_RIG_SUBMIT = 1009, DMA_RIG_WAIT = 601, DMA_RIG_INTERRUPT = 307, DMA_RIG_HARDWARE = 499,
};

/* Frames for tables lie in [TABLES, TABLES_END), buffers from BUFFERS on, as do the VMs' memories. */
#define DMA_RIG_TABLES HV_MIB(2)
#define DMA_RIG_TABLES_END HV_MIB(64)
#define DMA_RIG_BUFFERS HV_GIB(1)

struct dma_rig {
    struct physmem memory;
    struct frames frames;
    struct iommu *iommu;
    struct iommu_params hardware; /* may be changed before dma_rig_start() */
    struct dma_cost_params cost;
    struct dma_unit unit;
    struct dma_domain domain;
    struct dma_map map;
    struct frames guest_frames;
    hv_cycles now;                /* when everything so far is done: the hardware is idle */
    uint64_t guest_offset;        /* nested: host-physical address behind guest-physical 0 */
    struct iommu_device_invalidation device_invalidation; /* the last that a device got, and how many */
    uint64_t device_invalidations;
    bool silent;                  /* the device does not answer them */
};

/* The function that the tests' device is. */
#define DMA_RIG_SOURCE 0x0310 /* bus 3, device 2, function 0 */

/* Default hardware; then the unit of a mode. */
void dma_rig_init(struct dma_rig *r);
void dma_rig_start(struct dma_rig *r, enum dma_mode mode);
void dma_rig_fini(struct dma_rig *r);

/* A domain of that mode with the device attached, and a map of a policy. */
struct dma_rig_setup {
    enum dma_mode mode;
    unsigned levels;
    enum hv_page_size page;
    enum dma_policy policy;
    uint64_t entries, us; /* of deferral; 0: 250 entries, 10000 us */
};

void dma_rig_attach(struct dma_rig *r, const struct dma_rig_setup *setup);

/* dma_rig_init(), _start() and _attach(). */
void dma_rig_begin(struct dma_rig *r, const struct dma_rig_setup *setup);

/* Where a buffer's address for dma_map() lies in host memory. */
uint64_t dma_rig_host(const struct dma_rig *r, uint64_t address);

/* An access of the device: the host-physical address, or UINT64_MAX if it is blocked. */
uint64_t dma_rig_access(struct dma_rig *r, uint16_t source, uint64_t iova, enum iommu_access access);

/* A page-table entry's word, or any other. */
uint64_t dma_rig_word(const struct dma_rig *r, uint64_t address);

#endif
