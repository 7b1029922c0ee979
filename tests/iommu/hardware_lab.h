/* SPDX-License-Identifier: MIT */
/* An IOMMU by itself: registers, queues, faults and interrupts, and a log of everything that its wires were told. */
#ifndef HV_TESTS_IOMMU_HARDWARE_LAB_H
#define HV_TESTS_IOMMU_HARDWARE_LAB_H

#include "gtest.h"

#include "iommu/iommu.h"

enum {
    LAB_LOG = 64,
    LAB_READ_CYCLES = 100,  /* of a line of memory */
    LAB_INVALIDATION_CYCLES = 500,
    LAB_QUEUE = 0x10000,    /* where lab_queue() puts the invalidation queue, */
    LAB_STATUS = 0x20000,   /* wait descriptors their status, */
    LAB_REQUESTS = 0x30000, /* devices their page requests */
    LAB_INTERRUPTS = 0x40000, /* and software interrupt-remapping entries and */
    LAB_DESCRIPTORS = 0x60000, /* posted-interrupt descriptors */
    LAB_TABLES = 0x100000,  /* free for translation tables */
};

struct lab_msi {
    uint64_t address;
    uint32_t data;
    hv_cycles now;
};

struct hardware_lab {
    struct physmem memory;
    struct iommu u;
    size_t msis, invalidations, responses, posts; /* how many there were; the first LAB_LOG are kept */
    struct lab_msi msi[LAB_LOG];
    struct iommu_device_invalidation invalidation[LAB_LOG];
    struct iommu_page_response response[LAB_LOG];
    bool silent_device; /* does not answer device-TLB invalidations */
    size_t reads, writes; /* lines of memory */
    uint64_t last_written_line;
    uint32_t tail;      /* of the invalidation queue, in bytes */
};

/* The default parameters, with LAB_INVALIDATION_CYCLES and no time for hits. */
struct iommu_params lab_params(void);
struct hardware_lab *hardware_lab_make(const struct iommu_params *params);
void hardware_lab_free(struct hardware_lab *lab);

uint64_t lab_get64(struct hardware_lab *lab, uint32_t offset);
uint32_t lab_get32(struct hardware_lab *lab, uint32_t offset);
void lab_put64(struct hardware_lab *lab, uint32_t offset, uint64_t value);
void lab_put32(struct hardware_lab *lab, uint32_t offset, uint32_t value);

/* A global command: sets or clears one bit of GCMD, the others as GSTS has them. */
void lab_command(struct hardware_lab *lab, uint32_t bit, bool on);

/* Words of simulated memory. */
uint64_t lab_peek(struct hardware_lab *lab, uint64_t address);
void lab_poke(struct hardware_lab *lab, uint64_t address, uint64_t value);

/* Turns on an invalidation queue of one page at LAB_QUEUE, of descriptors of 16 or 32 bytes. */
void lab_queue(struct hardware_lab *lab, bool wide);
/* Writes a descriptor of the queue's width at the tail, and moves the tail. */
void lab_push(struct hardware_lab *lab, uint64_t low, uint64_t high);

/* Points RTADDR at LAB_TABLES in a table mode. */
void lab_table_mode(struct hardware_lab *lab, enum iommu_table_mode mode);

/* Unmasks fault, invalidation and page request events, with data 0x41, 0x42 and 0x43. */
void lab_events(struct hardware_lab *lab);

#endif
