/* SPDX-License-Identifier: MIT */
/*
 * A PCIe link between a device and its root port: bandwidth, latency, and how many requests may be under way.
 *
 * Bandwidth is taken packet by packet as in the model of Neugebauer et al., "Understanding PCIe performance for end
 * host networking" (pcie-bench), SIGCOMM 2018, section 3: a write or a read request has 24 bytes besides its payload
 * (framing 2, data link layer 6, header 4 + 12), a completion 20. A write is cut at MPS, a read into requests of MRRS,
 * and its data into completions of MPS; nothing crosses 4 KiB. Each direction keeps its own reservations in double
 * words, so times are exact to a double word and requests may come in any order.
 *
 * A read holds a tag from its start until its last completion is there. A write is posted: the device goes on as soon
 * as the link has taken it. It holds a credit until memory has taken it and the credit has come back. An interrupt is
 * a write and passes none that was sent before it.
 *
 * MODEL: an invalidation of the device TLB removes entries when it is sent, half a round trip before it is there.
 * MODEL: no flow control of completions, no replays, and acknowledgements count as part of what the bandwidth lacks.
 * MODEL: a posted write has no completion, so a real device never learns that one was blocked. Here it does, and
 * stops, when the link has taken the write.
 */
#ifndef HV_DEV_PCIE_H
#define HV_DEV_PCIE_H

#include "base/calendar.h"
#include "dev/device_tlb.h"

enum {
    PCIE_REQUEST_BYTES = 24,    /* besides the payload of a write; a read request has none */
    PCIE_COMPLETION_BYTES = 20, /* besides the data */
    PCIE_MAX_IN_FLIGHT = 1024,
};

/* When each of `count` places is free again, as a heap: the earliest first. */
struct pcie_places {
    uint32_t count;
    hv_cycles free[PCIE_MAX_IN_FLIGHT];
};

struct pcie {
    struct dev_port port;
    hv_cycles up_cycles, down_cycles; /* the halves of the round trip: to the root port, and back */
    uint64_t mbps, clock_mhz;
    uint32_t payload_bytes, read_bytes;
    struct pcie_places tags, credits;
    uint64_t posted_slot;       /* the latest write has left the device: behind which slot of the link, and when */
    hv_cycles posted_sent;
    hv_cycles posted_until;     /* memory has taken every write so far */
    hv_cycles translated_until; /* DMAs with translations of the device TLB are over */
    struct device_tlb tlb;
    struct dev_stats stats;     /* the device's, which counts the rest of them */
    struct calendar up, down;
};

enum pcie_status {
    PCIE_OK,
    PCIE_BLOCKED,
    PCIE_STALLED, /* waits for a page (PRI): nothing was moved; do the same again when pcie_page_response() says so */
};

struct pcie_done {
    enum pcie_status status;
    hv_cycles at; /* a read: all data is there; a write: the link has taken it; when a failure is known */
};

bool pcie_init(struct pcie *p, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
               struct hv_err *err);
void pcie_fini(struct pcie *p);

/* Forgets what is under way, the device TLB and the statistics. */
void pcie_reset(struct pcie *p);

/* A transfer of any length, 0 included, at any address. The caller bounds it: each packet takes some host time. */
struct pcie_done pcie_dma(struct pcie *p, const struct dev_dma *d, hv_cycles now);

/* A message-signalled interrupt. Returns when it is at the root port. */
hv_cycles pcie_interrupt(struct pcie *p, uint16_t source, uint64_t address, uint32_t data, hv_cycles now);

/* From when on a tag, or a credit, is free. */
static inline hv_cycles pcie_tag_free(const struct pcie *p)
{
    return p->tags.free[0];
}

static inline hv_cycles pcie_credit_free(const struct pcie *p)
{
    return p->credits.free[0];
}

/*
 * Accesses of a core to the device's registers, from when they are at the root port: when a write arrives at the
 * device (its effects are X_write()'s), and when a read arrives there; and when the answer to that is back.
 */
hv_cycles pcie_register_write(struct pcie *p, unsigned bytes, hv_cycles now);
hv_cycles pcie_register_read(struct pcie *p, hv_cycles now);
hv_cycles pcie_register_answer(struct pcie *p, unsigned bytes, hv_cycles now);

/*
 * An invalidation of the device TLB that leaves the root port at `now`. Returns when its completion is back there:
 * requests that use what it removes have been completed by then.
 */
hv_cycles pcie_invalidate(struct pcie *p, const struct dev_invalidation *what, hv_cycles now);

/* A page response that leaves the root port at `now`. Returns when stalled DMAs may try again; DEV_NEVER: none may. */
hv_cycles pcie_page_response(struct pcie *p, const struct dev_page_response *r, hv_cycles now);

#endif
