/* SPDX-License-Identifier: MIT */
/*
 * A DMA engine as that of pcie-bench (Neugebauer et al., SIGCOMM 2018): it reads or writes io.packet_bytes at a time
 * at addresses in a window, one after the other or at random, as fast as it may or at a rate.
 *
 * A transfer begins at the start of a unit: the transfer's size rounded up to whole cache lines. The next one begins
 * io.engine_ns after the last, when a read finds a tag and a write all but one of those before it sent. A transfer
 * that fails stops the engine.
 */
#ifndef HV_DEV_DMA_ENGINE_H
#define HV_DEV_DMA_ENGINE_H

#include "base/histogram.h"
#include "base/rng.h"
#include "dev/dev_pace.h"
#include "dev/pcie.h"

struct dma_engine {
    struct pcie link;
    uint16_t source;
    bool has_pasid, write, random, stalled, failed;
    uint32_t pasid;
    uint32_t bytes;             /* of a transfer */
    uint64_t base;              /* of the window, a bus address */
    uint64_t unit_bytes, units; /* places in the window where a transfer may begin */
    uint64_t at;                /* the place of the next one */
    uint64_t left;              /* transfers that are still to begin */
    hv_cycles engine_cycles;
    bool paced;                 /* io.offered_mbps counts payload here */
    struct dev_pace pace;
    hv_cycles next;             /* when the next transfer begins, if there is a tag */
    hv_cycles sent[2];          /* when the last two transfers were over: of writes, had been sent */
    hv_cycles first_begin, last_done;
    struct hv_rng rng;
    struct histogram latency;   /* of a transfer, from its begin until pcie_dma() was done */
};

/* The window is base .. base + io.window. Failures are sentences. */
bool dma_engine_init(struct dma_engine *e, const struct dev_params *params, const struct dev_port *port,
                     uint64_t clock_mhz, struct hv_err *err);
void dma_engine_fini(struct dma_engine *e);

/* Where the window lies and who the engine is; without this, bus address 0 and function 01:00.0. */
void dma_engine_place(struct dma_engine *e, uint16_t source, uint64_t base);

/* Begins `transfers` more at `now`. A failed engine is well again. */
void dma_engine_start(struct dma_engine *e, uint64_t transfers, hv_cycles now);

hv_cycles dma_engine_next(const struct dma_engine *e);
void dma_engine_act(struct dma_engine *e, hv_cycles now);

/* A page response for this function. */
void dma_engine_page_response(struct dma_engine *e, const struct dev_page_response *r, hv_cycles now);

#endif
