/* SPDX-License-Identifier: MIT */
/*
 * A root port that is not there: memory of fixed latency that can refuse, and a record of all that a device does.
 *
 * The link of lab_params() moves one double word a cycle: 1000 MHz and 32000 Mb/s. A round trip is 400 cycles, half of
 * it each way, and memory takes 100.
 */
#ifndef HV_TESTS_DEV_LAB_H
#define HV_TESTS_DEV_LAB_H

#include "gtest.h"

#include "dev/dev_params.h"
#include "dev/pcie.h"
#include "mem/physmem.h"

enum {
    LAB_MHZ = 1000, LAB_MBPS = 32000, LAB_HALF = 200, LAB_MEMORY = 100,
    LAB_MEMORY_BYTES = 64 << 20,
    LAB_RECORDS = 1 << 16, /* of each kind; what comes after is counted only */
};

struct lab_dma {
    struct dev_dma d;
    hv_cycles at;
    bool ok;
};

struct lab_interrupt {
    uint16_t source;
    uint64_t address;
    uint32_t data;
    hv_cycles at;
};

struct lab {
    struct physmem memory;
    hv_cycles read_cycles, write_cycles, translate_cycles;
    uint64_t blocked_from, blocked_to;  /* addresses, untranslated ones, that are refused */
    bool blocked_reads, blocked_writes;
    uint16_t only_source;               /* not 0: others are refused */
    /* ATS: host address = address + offset; present pages are those below `present_below`. */
    uint64_t offset, present_below;
    uint32_t size_shift;
    bool ats_off, read_only;
    uint64_t dmas, interrupts, translations, page_requests;
    struct lab_dma dma[LAB_RECORDS];
    struct lab_interrupt interrupt[LAB_RECORDS];
    struct dev_page_request page_request[64];
};

struct lab *lab_make(void);
void lab_free(struct lab *lab);
struct dev_port lab_port(struct lab *lab);

/* The defaults, with the link that lab.h describes. */
struct dev_params lab_params(void);


#endif
