/* SPDX-License-Identifier: MIT */
#include "dev/pcie.h"

#include <string.h>

enum { SLOT_BYTES = 4, SLOT_BITS = 32, TAKE_MAX = 64, MSI_BYTES = 4, TRANSLATION_BYTES = 8 };

bool pcie_init(struct pcie *p, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
               struct hv_err *err)
{
    if (!dev_params_check(params, err)) {
        return false;
    }
    hv_cycles round_trip = dev_cycles(params->pcie_round_trip_ns, clock_mhz);
    p->port = *port;
    p->up_cycles = round_trip / 2;
    p->down_cycles = round_trip - p->up_cycles;
    p->mbps = params->pcie_mbps;
    p->clock_mhz = clock_mhz;
    p->payload_bytes = (uint32_t)params->pcie_payload_bytes;
    p->read_bytes = (uint32_t)params->pcie_read_bytes;
    p->tags.count = (uint32_t)params->outstanding;
    p->credits.count = (uint32_t)params->posted_credits;
    p->tlb.entries = NULL;
    if (!device_tlb_init(&p->tlb, params, err)) {
        return false;
    }
    pcie_reset(p);
    return true;
}

void pcie_fini(struct pcie *p)
{
    device_tlb_fini(&p->tlb);
}

void pcie_reset(struct pcie *p)
{
    memset(p->tags.free, 0, sizeof(p->tags.free));
    memset(p->credits.free, 0, sizeof(p->credits.free));
    p->posted_slot = 0;
    p->posted_sent = p->posted_until = p->translated_until = 0;
    device_tlb_reset(&p->tlb);
    memset(&p->stats, 0, sizeof(p->stats));
    calendar_reset(&p->up);
    calendar_reset(&p->down);
}

/* The slot of the link that a cycle lies in, and the first cycle at which a slot has passed. */
static uint64_t slot_of(const struct pcie *p, hv_cycles now)
{
    return (uint64_t)((unsigned __int128)now * p->mbps / (SLOT_BITS * p->clock_mhz));
}

static hv_cycles cycle_of(const struct pcie *p, uint64_t slot)
{
    return (hv_cycles)(((unsigned __int128)slot * SLOT_BITS * p->clock_mhz + p->mbps - 1) / p->mbps);
}

/* A packet takes a direction of the link for its bytes, from slot `from` on. Returns the slot behind it. */
static uint64_t take(struct calendar *direction, uint64_t from, uint64_t bytes)
{
    uint64_t slots = (bytes + SLOT_BYTES - 1) / SLOT_BYTES;
    for (; slots > TAKE_MAX; slots -= TAKE_MAX) {
        from = calendar_take(direction, from, TAKE_MAX);
    }
    return calendar_take(direction, from, (unsigned)slots);
}

static hv_cycles send_up(struct pcie *p, uint64_t bytes, hv_cycles now)
{
    p->stats.link_up_bytes += bytes;
    return cycle_of(p, take(&p->up, slot_of(p, now), bytes));
}

static hv_cycles send_down(struct pcie *p, uint64_t bytes, hv_cycles now)
{
    p->stats.link_down_bytes += bytes;
    return cycle_of(p, take(&p->down, slot_of(p, now), bytes));
}

/* Posted requests leave the device in their order. Returns when this one has left. */
static hv_cycles send_posted(struct pcie *p, uint64_t bytes, hv_cycles now)
{
    uint64_t slot = slot_of(p, now), from = slot > p->posted_slot ? slot : p->posted_slot;
    p->stats.link_up_bytes += bytes;
    p->posted_slot = take(&p->up, from, bytes);
    return p->posted_sent = cycle_of(p, p->posted_slot);
}

/* The place that is free first is taken until `until`. */
static void places_take(struct pcie_places *places, hv_cycles until)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= places->count) {
            break;
        }
        child += child + 1 < places->count && places->free[child + 1] < places->free[child];
        if (places->free[child] >= until) {
            break;
        }
        places->free[at] = places->free[child];
        at = child;
    }
    places->free[at] = until;
}

static hv_cycles later(hv_cycles a, hv_cycles b)
{
    return a > b ? a : b;
}

/* From when on a request may go out that would like to at `now`; what it waits goes to a statistic. */
static hv_cycles places_begin(const struct pcie_places *places, hv_cycles now, uint64_t *wait_cycles)
{
    hv_cycles begin = later(now, places->free[0]);
    *wait_cycles += begin - now;
    return begin;
}

/* One packet. The link has taken it, and memory has, when it is over; a credit has to come back. */
static struct pcie_done write_packet(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    hv_cycles begin = places_begin(&p->credits, now, &p->stats.credit_wait_cycles);
    hv_cycles sent = send_posted(p, PCIE_REQUEST_BYTES + d->bytes, begin), arrived = sent + p->up_cycles;
    struct dev_done done = p->port.dma(p->port.ctx, d, arrived);
    hv_cycles taken = later(done.at, arrived);
    places_take(&p->credits, taken + p->down_cycles);
    p->posted_until = later(p->posted_until, taken);
    p->stats.dma_writes++;
    p->stats.dma_write_bytes += d->bytes;
    return (struct pcie_done){done.ok ? PCIE_OK : PCIE_BLOCKED, sent};
}

/* The completions of a read, which end at multiples of the largest payload. Returns when the last one is there. */
static hv_cycles complete(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    uint64_t from = slot_of(p, now);
    for (uint32_t left = d->bytes; left > 0;) {
        uint32_t room = p->payload_bytes - (uint32_t)((d->address + d->bytes - left) & (p->payload_bytes - 1));
        uint32_t bytes = left < room ? left : room;
        from = take(&p->down, from, PCIE_COMPLETION_BYTES + bytes);
        p->stats.link_down_bytes += PCIE_COMPLETION_BYTES + bytes;
        left -= bytes;
    }
    return cycle_of(p, from) + p->down_cycles;
}

static struct pcie_done read_packet(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    hv_cycles begin = places_begin(&p->tags, now, &p->stats.tag_wait_cycles);
    hv_cycles arrived = send_up(p, PCIE_REQUEST_BYTES, begin) + p->up_cycles;
    struct dev_done done = p->port.dma(p->port.ctx, d, arrived);
    hv_cycles answered = later(done.at, arrived);
    hv_cycles at = done.ok ? complete(p, d, answered)
                           : send_down(p, PCIE_COMPLETION_BYTES, answered) + p->down_cycles;
    places_take(&p->tags, at);
    p->stats.dma_reads++;
    p->stats.dma_read_bytes += done.ok ? d->bytes : 0;
    p->stats.dma_read_cycles += at - begin;
    return (struct pcie_done){done.ok ? PCIE_OK : PCIE_BLOCKED, at};
}

/* Replaces the address by that of the device TLB. False: it is not there any more. */
static bool use_translation(struct pcie *p, struct dev_dma *packet)
{
    const struct device_tlb_entry *e = device_tlb_find(&p->tlb, packet);
    if (e == NULL) {
        return false;
    }
    packet->address = e->host + (packet->address & ((UINT64_C(1) << e->shift) - 1));
    packet->translated = true;
    return true;
}

/* Asks for the translation of an address and keeps it. */
static struct pcie_done request_translation(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    struct dev_translation_request request = {d->source, d->has_pasid, d->pasid, d->address, d->write};
    hv_cycles begin = places_begin(&p->tags, now, &p->stats.tag_wait_cycles);
    hv_cycles arrived = send_up(p, PCIE_REQUEST_BYTES, begin) + p->up_cycles;
    struct dev_translation answer = p->port.translate(p->port.ctx, &request, arrived);
    uint64_t bytes = PCIE_COMPLETION_BYTES + (answer.ok ? TRANSLATION_BYTES : 0);
    hv_cycles at = send_down(p, bytes, later(answer.at, arrived)) + p->down_cycles;
    places_take(&p->tags, at);
    if (!answer.ok) {
        return (struct pcie_done){PCIE_BLOCKED, at};
    }
    if (answer.read || answer.write) {
        p->stats.device_tlb_evictions += device_tlb_fill(&p->tlb, d, &answer);
    }
    return (struct pcie_done){(d->write ? answer.write : answer.read) ? PCIE_OK : PCIE_STALLED, at};
}

/* The translation of one page of a DMA is there, comes later, or never. */
static struct pcie_done translate_page(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    if (device_tlb_find(&p->tlb, d) != NULL) {
        p->stats.device_tlb_hits++;
        return (struct pcie_done){PCIE_OK, now};
    }
    p->stats.device_tlb_misses++;
    struct pcie_done done = request_translation(p, d, now);
    if (done.status != PCIE_STALLED) {
        return done;
    }
    struct dev_page_request request;
    switch (device_tlb_refused(&p->tlb, d, &request)) {
    case DEVICE_TLB_BLOCKED: return (struct pcie_done){PCIE_BLOCKED, done.at};
    case DEVICE_TLB_WAIT: return done;
    case DEVICE_TLB_SEND: break;
    }
    p->stats.page_requests++;
    p->port.request_page(p->port.ctx, &request, send_posted(p, PCIE_REQUEST_BYTES, done.at) + p->up_cycles);
    return done;
}

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* The bytes that are left of a page at an address. */
static uint64_t page_rest(uint64_t address)
{
    return HV_PAGE_BYTES - (address & (HV_PAGE_BYTES - 1));
}

/* All pages of a DMA are translated before any of its data moves, so that it can begin again when one is missing. */
static struct pcie_done translate_all(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    struct pcie_done all = {PCIE_OK, now};
    struct dev_dma page = *d;
    for (uint32_t left = d->bytes; left > 0 && all.status != PCIE_BLOCKED;) {
        struct pcie_done one = translate_page(p, &page, now);
        all.at = later(all.at, one.at);
        all.status = one.status != PCIE_OK ? one.status : all.status;
        uint32_t bytes = least(left, page_rest(page.address));
        page.address += bytes;
        left -= bytes;
    }
    return all;
}

/* One packet of a DMA whose translations, if it needs any, have come. */
static struct pcie_done move_packet(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    struct dev_dma packet = *d;
    if (p->tlb.count == 0 || d->translated) {
        return d->write ? write_packet(p, &packet, now) : read_packet(p, &packet, now);
    }
    if (!use_translation(p, &packet)) { /* another page of the same DMA has replaced it */
        struct pcie_done again = request_translation(p, d, now);
        if (again.status != PCIE_OK || !use_translation(p, &packet)) {
            return (struct pcie_done){PCIE_BLOCKED, again.at};
        }
        now = again.at;
    }
    struct pcie_done done = d->write ? write_packet(p, &packet, now) : read_packet(p, &packet, now);
    p->translated_until = later(p->translated_until, done.at);
    return done;
}

/* Cuts a DMA into packets, which all would like to go out now. */
static struct pcie_done move_all(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    struct pcie_done all = {PCIE_OK, now};
    struct dev_dma packet = *d;
    uint32_t most = d->write ? p->payload_bytes : p->read_bytes;
    for (uint32_t left = d->bytes; left > 0 && all.status == PCIE_OK; left -= packet.bytes) {
        packet.bytes = least(least(left, most), page_rest(packet.address));
        struct pcie_done one = move_packet(p, &packet, now);
        all.at = later(all.at, one.at);
        all.status = one.status;
        packet.address += packet.bytes;
        packet.data = packet.data != NULL ? (uint8_t *)packet.data + packet.bytes : NULL;
    }
    return all;
}

struct pcie_done pcie_dma(struct pcie *p, const struct dev_dma *d, hv_cycles now)
{
    struct pcie_done done = {PCIE_OK, now};
    if (p->tlb.count != 0 && !d->translated) {
        done = translate_all(p, d, now);
    }
    if (done.status == PCIE_OK) {
        done = move_all(p, d, done.at);
    }
    p->stats.dma_failed += done.status == PCIE_BLOCKED;
    return done;
}

hv_cycles pcie_interrupt(struct pcie *p, uint16_t source, uint64_t address, uint32_t data, hv_cycles now)
{
    hv_cycles begin = places_begin(&p->credits, now, &p->stats.credit_wait_cycles);
    hv_cycles arrived = send_posted(p, PCIE_REQUEST_BYTES + MSI_BYTES, begin) + p->up_cycles;
    hv_cycles at = later(arrived, p->posted_until);
    places_take(&p->credits, at + p->down_cycles);
    p->posted_until = at;
    p->stats.interrupts++;
    p->port.interrupt(p->port.ctx, source, address, data, at);
    return at;
}

hv_cycles pcie_register_write(struct pcie *p, unsigned bytes, hv_cycles now)
{
    return send_down(p, PCIE_REQUEST_BYTES + bytes, now) + p->down_cycles;
}

hv_cycles pcie_register_read(struct pcie *p, hv_cycles now)
{
    return send_down(p, PCIE_REQUEST_BYTES, now) + p->down_cycles;
}

hv_cycles pcie_register_answer(struct pcie *p, unsigned bytes, hv_cycles now)
{
    return send_up(p, PCIE_COMPLETION_BYTES + bytes, now) + p->up_cycles;
}

hv_cycles pcie_invalidate(struct pcie *p, const struct dev_invalidation *what, hv_cycles now)
{
    p->stats.device_tlb_invalidations += device_tlb_invalidate(&p->tlb, what);
    hv_cycles arrived = send_down(p, PCIE_REQUEST_BYTES + TRANSLATION_BYTES, now) + p->down_cycles;
    return send_posted(p, PCIE_REQUEST_BYTES, later(arrived, p->translated_until)) + p->up_cycles;
}

hv_cycles pcie_page_response(struct pcie *p, const struct dev_page_response *r, hv_cycles now)
{
    hv_cycles arrived = send_down(p, PCIE_REQUEST_BYTES, now) + p->down_cycles;
    return device_tlb_response(&p->tlb, r) ? arrived : DEV_NEVER;
}
