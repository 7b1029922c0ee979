/* SPDX-License-Identifier: MIT */
/*
 * The tables that tell an IOMMU what devices may reach: domains, and the devices attached to them.
 *
 * A domain is an address space of devices: a VM's memory, or the buffers that a driver has mapped. It has a second
 * stage, a first stage or both (nested), or neither (pass-through). A device is attached by an entry: of a context
 * table in legacy mode, of a PASID table in scalable mode. VT-d chapter 9, "Translation Structure Formats"; what the
 * bits are called is in iommu/iommu_tables.h.
 *
 * Everything here is bytes in simulated memory. Page tables grow and never shrink, so that unmapping changes leaf
 * entries only.
 */
#ifndef HV_VMM_DMA_TABLES_H
#define HV_VMM_DMA_TABLES_H

#include "vmm/dma_unit.h"
#include "vmm/page_table.h"

/* How a device's requests reach a domain. */
struct dma_device {
    uint16_t source;    /* requester id: bus 15:8, device 7:3, function 2:0 */
    bool has_pasid;     /* scalable mode: only its requests with this PASID */
    uint32_t pasid;
    bool device_tlb;    /* it keeps translations itself (ATS), so they have to be invalidated there too */
    bool page_requests; /* it may ask for pages (PRI) */
};

struct dma_domain {
    struct dma_unit *unit;
    uint16_t id;
    enum dma_mode mode;
    struct page_table second, first; /* as the mode says */
    struct dma_device *devices;      /* that are attached */
    size_t device_count;
};

struct dma_domain_config {
    uint16_t id;                    /* from 1 on: in caching mode 0 is the hardware's */
    enum dma_mode mode;
    unsigned first_levels, second_levels;
    const struct page_table *share; /* the second stage is this table, a VM's EPT; NULL: one of the domain's own */
    struct frames *first_frames;    /* nested: guest-physical frames for first-stage tables ... */
    uint64_t first_offset;          /* ... whose host-physical addresses are higher by so much */
};

/* Fails with a sentence when the hardware lacks the levels, or memory is too small. */
bool dma_domain_init(struct dma_domain *d, struct dma_unit *unit, const struct dma_domain_config *config,
                     struct hv_err *err);
void dma_domain_fini(struct dma_domain *d);

/* A run of the second stage, in pages as large as `largest` and both addresses allow. False: no memory for tables. */
bool dma_domain_map(struct dma_domain *d, uint64_t address, uint64_t host, uint64_t bytes, enum hv_page_size largest);

struct dma_done {
    bool ok;      /* false: there is no memory for tables, or the PASID is 32768 or more */
    hv_cycles at;
};

/* Attaches a device, which is attached to no domain yet, or detaches it. Both wait until the caches know. */
struct dma_done dma_attach(struct dma_domain *d, const struct dma_device *device, hv_cycles now);
hv_cycles dma_detach(struct dma_domain *d, const struct dma_device *device, hv_cycles now);

/* Invalidates what IOTLB and device TLBs hold of a range, or of the whole domain, and waits for it. */
hv_cycles dma_domain_invalidate(struct dma_domain *d, const struct dma_range *range, hv_cycles now);
hv_cycles dma_domain_flush(struct dma_domain *d, hv_cycles now);

#endif
