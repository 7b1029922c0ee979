/* SPDX-License-Identifier: MIT */
/*
 * A machine of sixteen virtual machines with one assigned function each, for the test of isolation: host memory whose
 * pages have owners, the tables of an IOMMU, and a hypervisor that moves pages from one virtual machine to another.
 */
#ifndef HV_TESTS_IOMMU_CLOUD_H
#define HV_TESTS_IOMMU_CLOUD_H

#include "base/rng.h"
#include "iommu/iommu.h"

enum {
    VMS = 16,
    ROGUES = 4,  /* every fourth one */
    PAGES = 24,  /* of a virtual machine */
    HANDLES = 4, /* of a virtual machine in each format */
    NOBODY = 0xff,
};

/* Host memory: structures, then pages with owners. */
enum {
    ROOT = 0x1000,
    CONTEXT = 0x2000,
    DIRECTORIES = 0x10000,
    PASID_TABLES = 0x40000,
    QUEUE = 0x80000,
    STATUS = 0x81000,
    INTERRUPTS = 0x82000,
    DESCRIPTORS = 0x84000,
    TABLES = 0x100000,
    OWNED = 0x1000000,
};

#define MEMORY_BYTES HV_MIB(32)
#define GUEST_TABLES HV_GIB(1) /* nested: guest-physical address of host address 0, for first-stage tables */
#define OWNED_PAGES (VMS * PAGES * 2)

enum kind { SECOND, FIRST, NESTED };

struct vm {
    enum kind kind;
    uint16_t source, domain;
    uint32_t pasid; /* of requests with PASID */
    uint64_t first_root, second_root;
    uint64_t page[PAGES]; /* where each lies; 0: nowhere */
};

struct cloud {
    bool scalable;
    struct iommu *iommu;
    struct physmem memory;
    struct hv_rng rng;
    hv_cycles now;
    uint64_t next_table, tail;
    struct vm vm[VMS];
    uint8_t owner[OWNED_PAGES];
    unsigned posting; /* the virtual machine whose function sends an interrupt */
    uint64_t reads, writes, remapped, posted, blocked;
};

struct cloud *cloud_new(bool scalable);
void cloud_free(struct cloud *c);

/* Takes a page from one virtual machine, invalidates, and gives a page to another. */
void cloud_take_and_give(struct cloud *c);

/* Where a virtual machine sees its nth page. */
uint64_t cloud_page_address(unsigned vm, unsigned page);

uint64_t cloud_below(struct cloud *c, uint64_t bound);
uint64_t cloud_get(const struct cloud *c, uint64_t at);
void cloud_put(struct cloud *c, uint64_t at, uint64_t word);

#endif
