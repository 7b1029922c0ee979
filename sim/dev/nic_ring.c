/* SPDX-License-Identifier: MIT */
/* Descriptor rings of the network card: switched on and off, fetched from, written back to. */
#include "base/err.h"
#include "dev/nic_parts.h"

/* From index `from` to index `to`, going around. */
static uint32_t distance(const struct nic_ring *ring, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + ring->length - from;
}

static uint32_t advance(const struct nic_ring *ring, uint32_t index, uint32_t count)
{
    index += count;
    return index >= ring->length ? index - ring->length : index;
}

bool nic_ring_runs(const struct nic_queue *q, const struct nic_ring *ring)
{
    return ring->enabled && ring->error == NIC_RUNNING && !ring->stopping &&
           (q->function->control & NIC_ENABLE) != 0;
}

/* What was under way is forgotten. */
static void abandon(struct nic *n, struct nic_queue *q, struct nic_ring *ring)
{
    ring->generation++;
    ring->stalled = ring->stopping = ring->blocked = false;
    ring->cached = ring->arriving = 0;
    agenda_set(&n->agenda, nic_ring_part(n, q, ring), DEV_NEVER);
    if (ring == &q->rx) {
        nic_drop_waiting(n, q);
    }
}

void nic_ring_fail(struct nic *n, struct nic_queue *q, struct nic_ring *ring, enum nic_error error, hv_cycles now)
{
    abandon(n, q, ring);
    ring->error = (uint8_t)error;
    n->link.stats.queue_errors++;
    msix_event(&q->function->msix, q->vector, now);
    nic_wake(n, NIC_VECTORS + q->function->number, msix_next(&q->function->msix));
}

void nic_ring_switch(struct nic *n, struct nic_queue *q, struct nic_ring *ring, bool on, hv_cycles now)
{
    if (!on || !ring->enabled) {
        abandon(n, q, ring);
        ring->head = ring->used = ring->fetched = ring->tail = ring->first = 0;
        ring->error = NIC_RUNNING;
        ring->base = ring->base_register;
        ring->length = ring->length_register;
    }
    ring->enabled = on;
    if (on && (ring->length == 0 || ring->length > NIC_RING_MAX)) {
        nic_ring_fail(n, q, ring, NIC_BAD_RING, now);
    }
}

void nic_ring_doorbell(struct nic *n, struct nic_queue *q, struct nic_ring *ring, uint32_t tail, hv_cycles now)
{
    if (!ring->enabled || ring->error != NIC_RUNNING) {
        return;
    }
    if (tail >= ring->length) {
        nic_ring_fail(n, q, ring, NIC_BAD_RING, now);
        return;
    }
    ring->tail = tail;
    nic_wake(n, nic_ring_part(n, q, ring), now);
}

uint32_t nic_ring_owned(const struct nic_ring *ring)
{
    return distance(ring, ring->used, ring->tail);
}

/*
 * Fetches a batch when the card holds no more than one. A tail that software moves back behind what was fetched makes
 * the distance long, not wrong: whatever descriptors are there are used.
 */
static void fetch(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles now)
{
    uint32_t count = distance(ring, ring->fetched, ring->tail), to_end = ring->length - ring->fetched;
    count = count < n->batch ? count : n->batch;
    count = count < to_end ? count : to_end;
    uint32_t at = (ring->first + ring->cached) % NIC_CACHE;
    count = count < NIC_CACHE - at ? count : NIC_CACHE - at;
    if (count == 0 || ring->cached > n->batch) {
        return;
    }
    struct dev_dma d = {
        .source = q->function->source,
        .address = ring->base + (uint64_t)ring->fetched * NIC_DESCRIPTOR_BYTES,
        .bytes = count * NIC_DESCRIPTOR_BYTES,
        .data = &ring->cache[at],
    };
    struct pcie_done done = pcie_dma(&n->link, &d, now);
    if (done.status == PCIE_STALLED) {
        ring->stalled = true;
        return;
    }
    ring->blocked = done.status == PCIE_BLOCKED;
    ring->arriving = count;
    ring->arrives = done.at;
    ring->fetched = advance(ring, ring->fetched, count);
    nic_wake(n, nic_ring_part(n, q, ring), done.at);
}

/* A fetch has arrived, or one may begin. */
void nic_ring_act(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles now)
{
    if (!nic_ring_runs(q, ring) || ring->stalled) {
        return;
    }
    if (ring->arriving != 0 && now < ring->arrives) {
        nic_wake(n, nic_ring_part(n, q, ring), ring->arrives);
        return;
    }
    if (ring->blocked) {
        nic_ring_fail(n, q, ring, NIC_DESCRIPTOR_BLOCKED, now);
        return;
    }
    ring->cached += ring->arriving;
    ring->arriving = 0;
    fetch(n, q, ring, now);
    if (ring->cached == 0) {
        return;
    }
    if (ring == &q->rx) {
        nic_receiver_ready(n, q, now);
    } else {
        nic_sender_ready(n, q, now);
    }
}

struct nic_descriptor nic_ring_take(struct nic *n, struct nic_queue *q, struct nic_ring *ring, hv_cycles now)
{
    HV_ASSERT(ring->cached > 0, "no descriptor is held");
    struct nic_descriptor descriptor = ring->cache[ring->first];
    ring->first = (ring->first + 1) % NIC_CACHE;
    ring->cached--;
    ring->used = advance(ring, ring->used, 1);
    if (ring->cached <= n->batch && ring->fetched != ring->tail) {
        nic_wake(n, nic_ring_part(n, q, ring), now);
    }
    return descriptor;
}

bool nic_ring_write_back(struct nic *n, struct nic_queue *q, const struct nic_ring *ring, uint32_t index,
                         struct nic_descriptor *descriptor, hv_cycles now)
{
    struct dev_dma d = {
        .source = q->function->source,
        .write = true,
        .address = ring->base + (uint64_t)index * NIC_DESCRIPTOR_BYTES,
        .bytes = NIC_DESCRIPTOR_BYTES,
        .data = descriptor,
    };
    return pcie_dma(&n->link, &d, now).status == PCIE_OK;
}
