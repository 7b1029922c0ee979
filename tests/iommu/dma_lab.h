/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU with tables in memory, built entry by entry as software would: what the tests of translation stand on.
 *
 * The bare parameters have nothing that caches and no latencies but DMA_READ_CYCLES for each reference.
 */
#ifndef HV_TESTS_IOMMU_DMA_LAB_H
#define HV_TESTS_IOMMU_DMA_LAB_H

#include "gtest.h"

#include "iommu/iommu.h"
#include "iommu/iommu_faults.h"
#include "iommu/iommu_tables.h"

enum { DMA_READ_CYCLES = 100, DMA_MEMORY_MIB = 64 };

#define DMA_BEYOND HV_MIB(DMA_MEMORY_MIB) /* the first address without memory */

struct dma_lab {
    struct physmem memory;
    struct iommu *u;
    uint64_t next;      /* free page */
    uint64_t root;      /* root table */
    bool scalable;
    uint64_t reads;     /* references seen */
    uint64_t dram_reads; /* of these, past the LLC */
    hv_cycles last_read; /* when the last one began */
};

struct iommu_params dma_bare_params(void);
/* The bare parameters with `entries` in each cache. */
struct iommu_params dma_cached_params(uint64_t entries);

struct dma_lab *dma_lab_new(const struct iommu_params *params, enum iommu_table_mode mode);
void dma_lab_free(struct dma_lab *lab);

/* Programs the root table in a mode and turns translation on or off, through the registers. */
void dma_program(struct dma_lab *lab, enum iommu_table_mode mode, bool on);

uint64_t dma_take_page(struct dma_lab *lab);
uint64_t dma_peek(const struct dma_lab *lab, uint64_t address);
void dma_poke(struct dma_lab *lab, uint64_t address, uint64_t value);

/* Paging structures of one stage. */
struct dma_tables {
    struct dma_lab *lab;
    uint64_t root;
    unsigned levels;
    uint64_t table_bits, leaf_bits; /* of new entries */
    struct dma_tables *below;       /* nested: the stage that maps these tables, one to one, as they are made */
    enum hv_page_size below_size;
};

struct dma_tables dma_second_tables(struct dma_lab *lab, unsigned levels);
struct dma_tables dma_first_tables(struct dma_lab *lab, unsigned levels);
/* First-stage tables whose addresses go through `below`. */
struct dma_tables dma_nested_tables(struct dma_lab *lab, unsigned levels, struct dma_tables *below,
                                    enum hv_page_size below_size);

/* Where the entry of an address lies at a level, making the tables above. */
uint64_t dma_entry(struct dma_tables *t, uint64_t address, unsigned level);
void dma_map(struct dma_tables *t, uint64_t from, uint64_t to, enum hv_page_size size);

/* Where a source's entries lie, making the tables above. The PASID directory has 128 entries, for 8192 PASIDs. */
uint64_t dma_root_entry(struct dma_lab *lab, uint16_t source);
uint64_t dma_context_entry(struct dma_lab *lab, uint16_t source);
uint64_t dma_directory_entry(struct dma_lab *lab, uint16_t source, uint32_t pasid);
uint64_t dma_pasid_entry(struct dma_lab *lab, uint16_t source, uint32_t pasid);

/* Legacy: a context entry for second-stage tables, or (NULL) for pass-through with 4 levels' width. */
void dma_attach(struct dma_lab *lab, uint16_t source, uint16_t domain, const struct dma_tables *second);

/* Scalable: a PASID-table entry for what is not NULL: first stage, second, both, neither (pass-through). */
void dma_attach_pasid(struct dma_lab *lab, uint16_t source, uint32_t pasid, uint16_t domain,
                      const struct dma_tables *first, const struct dma_tables *second);

/* Requests. Those of PASID 0 have none: it is what contexts say of requests without one (RID_PASID). */
struct iommu_request dma_request(uint16_t source, uint64_t address, enum iommu_access access);
struct iommu_request dma_pasid_request(uint16_t source, uint32_t pasid, uint64_t address, enum iommu_access access);
struct iommu_reply dma_send(struct dma_lab *lab, const struct iommu_request *request);
struct iommu_reply dma_read(struct dma_lab *lab, uint16_t source, uint64_t address);
struct iommu_reply dma_write(struct dma_lab *lab, uint16_t source, uint64_t address);

/* Sends, and checks the address that comes out. */
void dma_expect(struct dma_lab *lab, const struct iommu_request *request, uint64_t address);
/* Sends, and checks that it is blocked for a reason, with one record. */
void dma_expect_fault(struct dma_lab *lab, const struct iommu_request *request, uint8_t reason);

#endif
