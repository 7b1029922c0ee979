/* SPDX-License-Identifier: MIT */
/*
 * The TLB of a device and its page requests: PCIe Address Translation Services (PCI Express Base Specification 6.0,
 * chapter 10: ATS, and Page Request Interface).
 *
 * A DMA that has its translation here goes out with the translated address; otherwise a translation request asks the
 * IOMMU, and the answer is kept. With PRI a translation that grants too little becomes a page request, and the DMA
 * begins again when the response has come; without, it is blocked. A second refusal after a successful response is
 * final, so a device never asks for ever.
 *
 * MODEL: one page a group and one translation a request; devices that prefetch translations do better on streams.
 */
#ifndef HV_DEV_DEVICE_TLB_H
#define HV_DEV_DEVICE_TLB_H

#include "dev/dev.h"
#include "dev/dev_params.h"

enum { DEVICE_TLB_PAGE_REQUESTS = 32 };

struct device_tlb_entry {
    uint64_t page;      /* address >> shift */
    uint64_t host;      /* of the page's first byte */
    uint64_t used;      /* for LRU; 0: empty */
    uint32_t pasid;
    uint16_t source;
    uint8_t shift;
    bool has_pasid, read, write;
};

/* A page request that has been sent: it waits for the response, or its response for the device to try again. */
struct device_tlb_page {
    bool taken, answered;
    uint8_t code;
    struct dev_page_request request;
};

struct device_tlb {
    struct device_tlb_entry *entries;
    uint32_t count; /* 0: the device has none */
    uint32_t latest; /* the entry that was used last is tried first; host time only */
    bool pri;
    uint64_t clock;
    struct device_tlb_page pages[DEVICE_TLB_PAGE_REQUESTS]; /* the index is the page request group */
};

bool device_tlb_init(struct device_tlb *t, const struct dev_params *params, struct hv_err *err);
void device_tlb_fini(struct device_tlb *t);

/* Forgets all translations and page requests. */
void device_tlb_reset(struct device_tlb *t);

/* The entry that grants this access, or NULL. */
const struct device_tlb_entry *device_tlb_find(struct device_tlb *t, const struct dev_dma *d);

/* Keeps an answer. True: a translation was replaced for it. */
bool device_tlb_fill(struct device_tlb *t, const struct dev_dma *d, const struct dev_translation *answer);

/* Removes what an invalidation names and returns how many that were. */
uint64_t device_tlb_invalidate(struct device_tlb *t, const struct dev_invalidation *what);

/* What a DMA whose translation grants too little comes to. */
enum device_tlb_verdict {
    DEVICE_TLB_BLOCKED, /* final */
    DEVICE_TLB_SEND,    /* the page request in *request is to be sent; then wait */
    DEVICE_TLB_WAIT,    /* for the response to an earlier one */
};

enum device_tlb_verdict device_tlb_refused(struct device_tlb *t, const struct dev_dma *d,
                                           struct dev_page_request *request);

/* A page request group response. False: it answers nothing that is waiting. */
bool device_tlb_response(struct device_tlb *t, const struct dev_page_response *r);

#endif
