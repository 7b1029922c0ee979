/* SPDX-License-Identifier: MIT */
/*
 * The driver of one IOMMU: what it offers, its registers, its invalidation queue. Software reaches the hardware by
 * iommu_read() and iommu_write() only.
 *
 * Source: VT-d, "Capability Register", "Extended Capability Register", "Queued Invalidation Interface" and "Software
 * Programming Considerations" (setting the root-table pointer, enabling translation).
 *
 * MODEL: one processor at a time submits to the queue, and waits until its own invalidations are done; the lock costs
 * what iommu.cost.submit_cycles says, however many processors there are.
 */
#ifndef HV_VMM_DMA_UNIT_H
#define HV_VMM_DMA_UNIT_H

#include "base/param.h"
#include "base/stat.h"
#include "iommu/iommu.h"
#include "vmm/frames.h"

/* How devices' addresses are translated: iommu.mode. Exclusion is no work of this driver, but of vmm/dev_map.h. */
enum dma_mode { DMA_OFF, DMA_PASSTHROUGH, DMA_LEGACY, DMA_FIRST, DMA_SECOND, DMA_NESTED, DMA_EXCLUSION };

/*
 * What becomes of a buffer that is unmapped: iommu.policy.
 *
 * strict      its entries are cleared and the IOTLB is invalidated before the call returns.
 * deferred    its entries are cleared; the IOTLB is invalidated later, for many at once, as Linux does by default.
 *             Until then its addresses are not used again, but a device may still reach it by a stale translation.
 * optimistic  its entries stay too, until then: mapped again in time, it costs next to nothing ("optimistic teardown"
 *             of Amit et al., "vIOMMU: Efficient IOMMU Emulation", USENIX ATC 2011).
 * static      it stays mapped for good: a device may always reach it.
 */
enum dma_policy { DMA_STRICT, DMA_DEFERRED, DMA_OPTIMISTIC, DMA_STATIC };

extern const char *const dma_mode_names[], *const dma_policy_names[];

struct dma_map_params {
#define P PARAM_MEMBER
#include "vmm/dma_map_params.def"
#undef P
};

struct dma_cost_params {
#define P PARAM_MEMBER
#include "vmm/dma_cost_params.def"
#undef P
};

extern const struct param_row dma_map_param_rows[], dma_cost_param_rows[];
extern const size_t dma_map_param_count, dma_cost_param_count;

struct dma_map_stats {
#define S STAT_MEMBER
#include "vmm/dma_map_stats.def"
#undef S
};

extern const struct stat_row dma_map_stat_rows[];
extern const size_t dma_map_stat_count;

/* What the capability registers say. */
struct dma_caps {
    bool scalable, first_stage, second_stage, nested, passthrough, pasid;
    bool queued, caching_mode, coherent, page_selective, device_tlb, page_requests;
    bool translated_pasid; /* requests that a device TLB has translated may have a PASID */
    bool interrupts, extended_interrupts, posted;
    bool first_1g, first_5;
    unsigned second_levels; /* bit L: second-stage tables may have L levels */
    unsigned second_sizes;  /* bit S: the second stage may use pages of enum hv_page_size S */
    unsigned fault_records; /* so many, the first at */
    uint32_t fault_offset;
    unsigned mask_max;      /* a page-selective invalidation covers at most 2^mask_max pages of 4 KiB */
};

struct dma_unit {
    struct iommu *iommu;
    struct physmem *memory;
    struct frames *frames;       /* of host memory: all tables of the hardware come from here */
    struct dma_caps caps;
    struct dma_cost_params cost;
    bool scalable;               /* tables are those of scalable mode */
    uint64_t root;               /* of the root table */
    uint64_t queue, tail;        /* of the invalidation queue: its address, and the offset of the next descriptor */
    uint64_t status;             /* where the hardware writes that it is done */
    uint32_t status_value;       /* what it writes next */
    struct dma_map_stats stats;  /* of everything that this driver does */
};

struct dma_unit_config {
    enum dma_mode mode;          /* of the devices behind it: decides between legacy and scalable tables */
    const struct dma_cost_params *cost;
    struct physmem *memory;
    struct frames *frames;
};

/*
 * Reads the capabilities and makes an empty root table, so that every request is blocked. Fails with a sentence when
 * the hardware lacks what the mode needs, or memory is too small.
 */
bool dma_unit_init(struct dma_unit *u, const struct dma_unit_config *config, struct iommu *iommu, struct hv_err *err);

/* Sets the root-table pointer, makes the queue, empties caches, turns translation on; returns when that is done. */
hv_cycles dma_unit_start(struct dma_unit *u, hv_cycles now);

/* A command of GCMD that sets one bit of GSTS (IOMMU_GSTS_...). */
void dma_unit_command(struct dma_unit *u, uint32_t bit, hv_cycles now);

/* A frame of 4 KiB, all zero; FRAMES_NONE when there is none left. */
uint64_t dma_unit_take_page(struct dma_unit *u);

/* --- dma_queue.c ------------------------------------------------------------------------------------------------- */

/* A descriptor of the invalidation queue: its first two words, of which the rest are zero. */
struct dma_command {
    uint64_t low, high;
};

/* A range to invalidate. */
struct dma_range {
    uint64_t address;    /* aligned to the size */
    unsigned pages_log2; /* 2^pages_log2 pages of 4 KiB */
    bool leaves_only;    /* no entry that points to a table was changed */
};

/* pages_log2 of an invalidation of everything that a device TLB holds. */
enum { DMA_EVERYTHING_LOG2 = 52 };

/* Makes the queue and turns it on. */
hv_cycles dma_queue_start(struct dma_unit *u, hv_cycles now);

/* Puts a descriptor into the queue; the hardware does not see it yet. */
void dma_queue_add(struct dma_unit *u, const struct dma_command *command);

/* Submits what was added and waits until all is done. Returns when the processor has noticed that. */
hv_cycles dma_queue_wait(struct dma_unit *u, hv_cycles now);

struct dma_command dma_command_context_all(void);
struct dma_command dma_command_context_device(uint16_t domain, uint16_t source);
struct dma_command dma_command_pasid_all(void);
struct dma_command dma_command_pasid(uint16_t domain, uint32_t pasid);
struct dma_command dma_command_iotlb_all(void);
struct dma_command dma_command_iotlb_domain(uint16_t domain);
struct dma_command dma_command_iotlb_pages(uint16_t domain, const struct dma_range *range);
struct dma_command dma_command_piotlb_pages(uint16_t domain, uint32_t pasid, const struct dma_range *range);
struct dma_command dma_command_device_tlb(uint16_t source, uint64_t address, unsigned pages_log2);
struct dma_command dma_command_device_tlb_pasid(uint16_t source, uint32_t pasid, uint64_t address,
                                                unsigned pages_log2);
struct dma_command dma_command_interrupt_all(void);
struct dma_command dma_command_interrupt(uint32_t index);

#endif
