/* SPDX-License-Identifier: MIT */
/*
 * Maps a driver's buffers for its device and unmaps them, as an operating system's interface for DMA does.
 *
 * Each buffer gets an address for the device (IOVA) and entries in the domain's tables, the first stage's of a nested
 * domain. What becomes of it when it is unmapped is the policy (enum dma_policy). From the return of unmapping the
 * system may use the memory for something else; as long as the device can reach it still, it is exposed: the window of
 * vulnerability, which the statistics measure.
 *
 * MODEL: the processor's reads and writes of tables and of the queue cost what iommu.cost says and no cache accesses.
 */
#ifndef HV_VMM_DMA_MAP_H
#define HV_VMM_DMA_MAP_H

#include "vmm/dma_iova.h"
#include "vmm/dma_kept.h"
#include "vmm/dma_tables.h"

/* What the device does with a buffer. */
enum dma_direction { DMA_DEVICE_READS = 1, DMA_DEVICE_WRITES, DMA_DEVICE_BOTH };

/* A buffer that was unmapped and waits for its invalidation. */
struct dma_pending {
    uint64_t iova, pages;
    hv_cycles since;
};

struct dma_map {
    struct dma_domain *domain;
    struct page_table *table; /* that mappings are written to; NULL: addresses are taken as they are */
    enum hv_page_size page;
    enum dma_policy policy;
    uint64_t deferred_entries;
    hv_cycles deferred_cycles;
    struct dma_iova iova;
    struct dma_pending *pending; /* deferred: room for deferred_entries */
    uint64_t pending_count;
    struct dma_kept kept;        /* optimistic and static */
    hv_cycles accounted;         /* exposure until then was counted by dma_map_account() */
};

struct dma_map_config {
    const struct dma_map_params *params;
    uint64_t clock_mhz;  /* what makes deferred_us cycles */
    uint64_t iova_end;   /* addresses that the device has, 32 bits first; 0: as many as the tables translate */
};

/* Fails with a sentence when the hardware lacks the page size. */
bool dma_map_init(struct dma_map *m, struct dma_domain *domain, const struct dma_map_config *config,
                  struct hv_err *err);
void dma_map_fini(struct dma_map *m);

struct dma_mapping {
    bool ok;       /* false: no addresses are left, or no memory for tables */
    uint64_t iova; /* of the first byte */
    hv_cycles done;
};

/* Maps `bytes` from an address on: host-physical, of a nested domain guest-physical. Busy until done. */
struct dma_mapping dma_map(struct dma_map *m, uint64_t address, uint64_t bytes, enum dma_direction direction,
                           hv_cycles now);

/* Unmaps what dma_map() has mapped. */
hv_cycles dma_unmap(struct dma_map *m, uint64_t iova, uint64_t bytes, hv_cycles now);

/* Deferred and optimistic: when the timer is due (UINT64_MAX: never), and what it does. */
hv_cycles dma_map_next(const struct dma_map *m);
hv_cycles dma_map_act(struct dma_map *m, hv_cycles now);

/* Counts the exposure until now of what is exposed at present: at the end of a run or of its warm-up. */
void dma_map_account(struct dma_map *m, hv_cycles now);

/* --- dma_map.c, dma_defer.c: for each other ---------------------------------------------------------------------- */

/* Clears entries; returns the time that takes. */
hv_cycles dma_map_clear(struct dma_map *m, uint64_t iova, uint64_t pages);

/* Invalidates the translations of one buffer, and waits for it. */
hv_cycles dma_map_invalidate(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now);

/* The same in caching mode for a buffer that was mapped, and perhaps tables with it. */
hv_cycles dma_map_announce(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now);

/* Buffers that wait for an invalidation, and that invalidation. */
uint64_t dma_map_waiting(const struct dma_map *m);
hv_cycles dma_map_flush(struct dma_map *m, hv_cycles now);

/* A device could reach pages from the return of their unmapping until now. */
void dma_map_exposed(struct dma_map *m, uint64_t pages, hv_cycles since, hv_cycles now);

#endif
