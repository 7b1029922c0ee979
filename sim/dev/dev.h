/* SPDX-License-Identifier: MIT */
/*
 * The wires between a device and the machine that it is plugged into.
 *
 * A device is event-driven. X_next() says when it does something next, DEV_NEVER for never; X_act(d, now) does all
 * that is due by `now`, each thing at its own time. X_read() and X_write() are accesses to its registers, with the
 * times at which they arrive; they do first what is due by then, and after them X_next() may be earlier than before.
 *
 * The port is called with times that are at least half a round trip of the link later than what was due and, since
 * requests wait for each other in different places, not always in the order of time.
 *
 * MODEL: the bytes of a DMA are moved when the port is called, which is before its time by the time on the link.
 */
#ifndef HV_DEV_DEV_H
#define HV_DEV_DEV_H

#include "base/types.h"

#define DEV_NEVER UINT64_MAX

/* A memory read or write as it arrives at the root port: one packet on the link, so within one 4 KiB page. */
struct dev_dma {
    uint16_t source; /* requester id: bus 15:8, and with ARI function 7:0 */
    bool has_pasid;
    bool write;
    bool translated; /* the address is host-physical, from the device's own TLB (PCIe: AT 10b) */
    uint32_t pasid;
    uint64_t address;
    uint32_t bytes;
    void *data; /* read into or written from; NULL: a payload that nobody looks at, time only */
};

struct dev_done {
    bool ok;      /* false: blocked, an unsuccessful completion */
    hv_cycles at; /* when memory has answered, at the root port */
};

/* ATS: a translation request (PCIe: AT 01b) and its completion. */
struct dev_translation_request {
    uint16_t source;
    bool has_pasid;
    uint32_t pasid;
    uint64_t address;
    bool write; /* write permission is wanted; else the request has No Write set */
};

struct dev_translation {
    bool ok;             /* false: an unsuccessful completion; the function may not use ATS */
    bool read, write;    /* what is granted; neither: there is no translation */
    uint64_t address;    /* host-physical */
    uint32_t size_shift; /* of the range that the translation holds for: 12, 21, 30 */
    hv_cycles at;
};

/* PRI: a page request message. */
struct dev_page_request {
    uint16_t source;
    bool has_pasid, read, write, last;
    uint32_t pasid;
    uint64_t address;
    uint16_t group; /* page request group index, 9 bits */
};

/* PCIe, page request group response message, response code. */
enum dev_page_code { DEV_PAGE_SUCCESS = 0, DEV_PAGE_INVALID = 1, DEV_PAGE_FAILURE = 15 };

struct dev_page_response {
    uint16_t source;
    uint16_t group;
    uint8_t code; /* enum dev_page_code; others count as failures */
};

/* ATS: an invalidation request. */
struct dev_invalidation {
    uint16_t source;
    bool has_pasid; /* false: translations without PASID */
    bool global;    /* with has_pasid: of every PASID */
    uint32_t pasid;
    uint64_t address;
    uint32_t size_shift; /* 12..63 the range is address with that many low bits cleared; 64: everything */
};

/* The root port. All times are those at which a request arrives there, or an answer leaves. */
struct dev_port {
    struct dev_done (*dma)(void *ctx, const struct dev_dma *d, hv_cycles now);
    void (*interrupt)(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now);
    struct dev_translation (*translate)(void *ctx, const struct dev_translation_request *r, hv_cycles now);
    void (*request_page)(void *ctx, const struct dev_page_request *r, hv_cycles now);
    void *ctx;
};

#endif
