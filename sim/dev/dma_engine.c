/* SPDX-License-Identifier: MIT */
#include "dev/dma_engine.h"

#include <string.h>

enum { LINE_BYTES = 64, DEFAULT_SOURCE = 0x0100 };

/* Chooses the place of the next transfer. */
static void move_on(struct dma_engine *e)
{
    if (e->random) {
        e->at = rng_below(&e->rng, e->units);
    } else {
        e->at = e->at + 1 < e->units ? e->at + 1 : 0;
    }
}

bool dma_engine_init(struct dma_engine *e, const struct dev_params *params, const struct dev_port *port,
                     uint64_t clock_mhz, struct hv_err *err)
{
    memset(e, 0, sizeof(*e));
    e->bytes = (uint32_t)params->packet_bytes;
    e->unit_bytes = (params->packet_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    e->units = params->window / e->unit_bytes;
    if (e->units == 0) {
        return hv_fail(err, "io.window is %llu bytes, too small for one transfer of io.packet_bytes %llu; make it at "
                       "least %llu", (unsigned long long)params->window, (unsigned long long)params->packet_bytes,
                       (unsigned long long)e->unit_bytes);
    }
    e->source = DEFAULT_SOURCE;
    e->write = params->pattern == DEV_WRITE;
    e->random = params->order == DEV_RANDOM;
    e->engine_cycles = dev_cycles(params->engine_ns, clock_mhz);
    e->paced = params->offered_mbps != 0;
    if (e->paced) {
        dev_pace_init(&e->pace, params->offered_mbps, clock_mhz);
    }
    rng_init(&e->rng, params->seed);
    if (e->random) {
        move_on(e);
    }
    return pcie_init(&e->link, params, port, clock_mhz, err);
}

void dma_engine_fini(struct dma_engine *e)
{
    pcie_fini(&e->link);
}

void dma_engine_place(struct dma_engine *e, uint16_t source, uint64_t base)
{
    e->source = source;
    e->base = base;
}

void dma_engine_start(struct dma_engine *e, uint64_t transfers, hv_cycles now)
{
    if (e->link.stats.packets == 0 && e->left == 0) {
        e->first_begin = now;
    }
    e->failed = false;
    e->left += transfers;
    e->next = e->next > now ? e->next : now;
}

hv_cycles dma_engine_next(const struct dma_engine *e)
{
    if (e->left == 0 || e->failed || e->stalled) {
        return DEV_NEVER;
    }
    /* One write waits while another is on its way to the link, so the link never does. */
    hv_cycles free = e->write ? e->sent[0] : pcie_tag_free(&e->link);
    return e->next > free ? e->next : free;
}

static void transfer(struct dma_engine *e, hv_cycles now)
{
    struct dev_dma d = {.source = e->source, .has_pasid = e->has_pasid, .pasid = e->pasid, .write = e->write,
                        .address = e->base + e->at * e->unit_bytes, .bytes = e->bytes};
    struct pcie_done done = pcie_dma(&e->link, &d, now);
    if (done.status == PCIE_STALLED) {
        e->stalled = true;
        return;
    }
    e->left--;
    if (done.status == PCIE_BLOCKED) {
        e->failed = true;
        e->link.stats.queue_errors++;
        return;
    }
    e->link.stats.packets++;
    e->link.stats.bytes += e->bytes;
    histogram_add(&e->latency, done.at - now);
    e->last_done = done.at > e->last_done ? done.at : e->last_done;
    e->sent[0] = e->sent[1];
    e->sent[1] = done.at;
    e->next = now + e->engine_cycles;
    if (e->paced) {
        hv_cycles paced = dev_pace_move(&e->pace, e->bytes, now);
        e->next = paced > e->next ? paced : e->next;
    }
    move_on(e);
}

void dma_engine_act(struct dma_engine *e, hv_cycles now)
{
    for (hv_cycles next = dma_engine_next(e); next <= now && next != DEV_NEVER; next = dma_engine_next(e)) {
        transfer(e, next);
    }
}

void dma_engine_page_response(struct dma_engine *e, const struct dev_page_response *r, hv_cycles now)
{
    hv_cycles again = pcie_page_response(&e->link, r, now);
    if (again != DEV_NEVER && e->stalled) {
        e->stalled = false;
        e->next = again > e->next ? again : e->next;
    }
}
