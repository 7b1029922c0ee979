/* SPDX-License-Identifier: MIT */
#include "dev/nic.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dev/nic_parts.h"

void nic_wake(struct nic *n, uint32_t part, hv_cycles when)
{
    if (when < agenda_when(&n->agenda, part)) {
        agenda_set(&n->agenda, part, when);
    }
}

static bool functions_init(struct nic *n, uint16_t source)
{
    n->function = calloc(n->functions, sizeof(*n->function));
    if (n->function == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n->functions; i++) {
        struct nic_function *f = &n->function[i];
        f->number = i;
        f->source = (uint16_t)(i == 0 ? source : source + NIC_FIRST_VF + i - 1);
        f->queue = calloc(n->queues, sizeof(*f->queue));
        if (f->queue == NULL) {
            return false;
        }
        for (uint32_t q = 0; q < n->queues; q++) {
            f->queue[q].number = i * n->queues + q;
            f->queue[q].function = f;
        }
    }
    return true;
}

static bool wire_init(struct nic *n, const struct dev_params *params)
{
    struct nic_wire *w = n->wire = calloc(1, sizeof(*w));
    uint32_t queues = n->functions * n->queues;
    if (w == NULL || !dev_turns_init(&w->streams, n->functions) || !dev_turns_init(&w->receiving, queues) ||
        !dev_turns_init(&w->sending, queues)) {
        return false;
    }
    uint64_t offered = params->offered_mbps != 0 && params->offered_mbps < params->link_mbps ? params->offered_mbps
                                                                                            : params->link_mbps;
    dev_pace_init(&w->in, params->link_mbps, n->clock_mhz);
    dev_pace_init(&w->out, params->link_mbps, n->clock_mhz);
    dev_pace_init(&w->source, offered, n->clock_mhz);
    for (uint32_t i = 0; i < NIC_PACKETS; i++) {
        w->packet[i].next = i + 1;
    }
    return true;
}

bool nic_init(struct nic *n, const struct dev_params *params, const struct dev_port *port, uint64_t clock_mhz,
              uint16_t source, struct hv_err *err)
{
    memset(n, 0, sizeof(*n));
    n->clock_mhz = clock_mhz;
    n->functions = 1 + (uint32_t)params->functions;
    n->queues = (uint32_t)params->queues;
    n->batch = (uint32_t)params->descriptor_batch;
    n->buffer_bytes = params->buffer_bytes;
    n->engine_cycles = dev_cycles(params->engine_ns, clock_mhz);
    n->peer_cycles = dev_cycles(params->peer_ns, clock_mhz);
    n->packet_bytes = (uint32_t)params->packet_bytes;
    n->answers = params->pattern == DEV_REQUEST_RESPONSE;
    if (n->packet_bytes > n->buffer_bytes) {
        return hv_fail(err, "io.buffer_bytes is %llu, less than a packet of io.packet_bytes %u; raise it",
                       (unsigned long long)n->buffer_bytes, n->packet_bytes);
    }
    if (!pcie_init(&n->link, params, port, clock_mhz, err)) {
        return false;
    }
    agenda_init(&n->agenda, NIC_VECTORS + n->functions * (1 + 2 * n->queues));
    if (!functions_init(n, source) || !wire_init(n, params)) {
        return hv_fail(err, "no memory for a network card of %u functions", n->functions);
    }
    for (uint32_t i = 0; i < n->functions; i++) {
        nic_function_reset(n, &n->function[i]);
    }
    return true;
}

void nic_fini(struct nic *n)
{
    for (uint32_t i = 0; n->function != NULL && i < n->functions; i++) {
        free(n->function[i].queue);
    }
    if (n->wire != NULL) {
        dev_turns_fini(&n->wire->streams);
        dev_turns_fini(&n->wire->receiving);
        dev_turns_fini(&n->wire->sending);
    }
    free(n->function);
    free(n->wire);
    agenda_fini(&n->agenda);
    pcie_fini(&n->link);
    memset(n, 0, sizeof(*n));
}

uint16_t nic_source(const struct nic *n, unsigned function)
{
    HV_ASSERT(function < n->functions, "function %u of a network card", function);
    return n->function[function].source;
}

struct nic_counts nic_counts_of(const struct nic *n, unsigned function)
{
    HV_ASSERT(function < n->functions, "function %u of a network card", function);
    return n->function[function].counts;
}

void nic_complete(struct nic *n, const struct nic_completion *completion)
{
    struct nic_wire *w = n->wire;
    HV_ASSERT(w->completion_count < NIC_COMPLETIONS, "%u packets are being written back", w->completion_count);
    struct nic_completion *last = &w->completion[(w->completion_first + w->completion_count) % NIC_COMPLETIONS];
    const struct nic_completion *before =
        &w->completion[(w->completion_first + w->completion_count + NIC_COMPLETIONS - 1) % NIC_COMPLETIONS];
    *last = *completion;
    if (w->completion_count++ != 0) {
        last->when = nic_later(last->when, before->when);
    }
    nic_wake(n, NIC_COMPLETION, w->completion[w->completion_first].when);
}

static void count_packet(struct nic *n, const struct nic_completion *c)
{
    struct nic_counts *counts = &c->queue->function->counts;
    n->link.stats.packets++;
    n->link.stats.bytes += c->bytes;
    *(c->received ? &n->link.stats.received : &n->link.stats.transmitted) += 1;
    *(c->received ? &counts->received : &counts->transmitted) += 1;
    *(c->received ? &counts->received_bytes : &counts->transmitted_bytes) += c->bytes;
}

/* Software may see the head move, or why the queue has stopped; and a vector has an event. */
static void show(struct nic *n, const struct nic_completion *c, hv_cycles now)
{
    struct nic_ring *ring = c->received ? &c->queue->rx : &c->queue->tx;
    struct nic_function *f = c->queue->function;
    if (c->generation != ring->generation) {
        return;
    }
    if (c->error != NIC_RUNNING) {
        nic_ring_fail(n, c->queue, ring, c->error, now);
        return;
    }
    ring->head = ring->head + 1 < ring->length ? ring->head + 1 : 0;
    if (c->event) {
        msix_event(&f->msix, c->queue->vector, now);
        nic_wake(n, NIC_VECTORS + f->number, msix_next(&f->msix));
    }
}

/* A packet is done: its room in the buffer is free. */
static void completion_act(struct nic *n, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_completion c = w->completion[w->completion_first];
    w->completion_first = (w->completion_first + 1) % NIC_COMPLETIONS;
    if (--w->completion_count != 0) {
        nic_wake(n, NIC_COMPLETION, w->completion[w->completion_first].when);
    }
    if (!c.lost) {
        count_packet(n, &c);
    }
    if (c.received) {
        w->held_bytes -= c.bytes;
    } else {
        w->out_bytes -= c.bytes;
        w->unfinished--;
    }
    if (w->full) {
        w->full = false;
        nic_wake(n, NIC_SENDER, nic_later(now, w->sender_free));
    }
    show(n, &c, now);
}

static void vectors_act(struct nic *n, struct nic_function *f, hv_cycles now)
{
    uint64_t before = n->link.stats.interrupts;
    uint32_t sent = msix_act(&f->msix, &n->link, now);
    f->counts.interrupts += n->link.stats.interrupts - before;
    for (uint32_t v = 0; v < f->msix.count && (f->control & NIC_AUTO_MASK) != 0; v++) {
        if ((sent >> v & 1) != 0) {
            msix_enable(&f->msix, v, false, now);
        }
    }
    nic_wake(n, NIC_VECTORS + f->number, msix_next(&f->msix));
}

static void act(struct nic *n, uint32_t part, hv_cycles now)
{
    switch (part) {
    case NIC_WIRE: nic_wire_act(n, now); return;
    case NIC_RECEIVER: nic_receiver_act(n, now); return;
    case NIC_SENDER: nic_sender_act(n, now); return;
    case NIC_SENT: nic_sent_act(n, now); return;
    case NIC_COMPLETION: completion_act(n, now); return;
    default: break;
    }
    if (part < NIC_VECTORS + n->functions) {
        vectors_act(n, &n->function[part - NIC_VECTORS], now);
        return;
    }
    uint32_t ring = part - NIC_VECTORS - n->functions;
    struct nic_queue *q = nic_queue_of(n, ring / 2);
    nic_ring_act(n, q, ring % 2 == 0 ? &q->rx : &q->tx, now);
}

hv_cycles nic_next(const struct nic *n)
{
    return agenda_next(&n->agenda);
}

void nic_act(struct nic *n, hv_cycles now)
{
    uint32_t part;
    hv_cycles when;
    while (agenda_take(&n->agenda, now, &part, &when)) {
        n->now = nic_later(n->now, when);
        act(n, part, when);
    }
    n->now = nic_later(n->now, now);
}

/* Whatever waited for a page tries again. */
static void resume(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles when)
{
    if (ring->stalled) {
        ring->stalled = false;
        nic_wake(n, nic_ring_part(n, q, ring), when);
    }
}

void nic_page_response(struct nic *n, const struct dev_page_response *r, hv_cycles now)
{
    hv_cycles again = pcie_page_response(&n->link, r, now);
    for (uint32_t i = 0; again != DEV_NEVER && i < n->functions * n->queues; i++) {
        struct nic_queue *q = nic_queue_of(n, i);
        resume(n, q, &q->rx, again);
        resume(n, q, &q->tx, again);
    }
}
