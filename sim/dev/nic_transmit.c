/* SPDX-License-Identifier: MIT */
/* Sending: payloads are read, go out in that order, and are written back. */
#include "dev/nic_parts.h"

/* When the sender may read the next payload. */
static hv_cycles sender_free(const struct nic *n, hv_cycles now)
{
    return nic_later(now, nic_later(n->wire->sender_free, pcie_tag_free(&n->link)));
}

static bool is_ready(const struct nic_queue *q)
{
    return q->tx.cached != 0 && !q->tx.stalled && nic_ring_runs(q, &q->tx);
}

/* Gives a queue its turn, if it has a descriptor. */
void nic_sender_ready(struct nic *n, struct nic_queue *q, hv_cycles now)
{
    if (!is_ready(q)) {
        return;
    }
    if (!q->tx_listed) {
        q->tx_listed = true;
        dev_turns_push(&n->wire->sending, q->number);
    }
    if (!n->wire->full) {
        nic_wake(n, NIC_SENDER, sender_free(n, now));
    }
}

/* Whether the transmit buffer has no room for a packet; one packet always fits. */
static bool is_full(const struct nic *n, uint32_t bytes)
{
    const struct nic_wire *w = n->wire;
    return w->unfinished == NIC_IN_FLIGHT || (w->unfinished != 0 && w->out_bytes + bytes > n->buffer_bytes);
}

/* Reads the payload of a queue's next descriptor, and knows then when it has gone out. */
static void read_packet(struct nic *n, struct nic_queue *q, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_descriptor descriptor = q->tx.cache[q->tx.first];
    struct dev_dma d = {.source = q->function->source, .address = descriptor.address, .bytes = descriptor.length};
    struct pcie_done done = pcie_dma(&n->link, &d, now);
    if (done.status == PCIE_STALLED) {
        q->tx.stalled = true;
        return;
    }
    q->tx.stopping = done.status == PCIE_BLOCKED;
    uint32_t index = q->tx.used;
    nic_ring_take(n, q, &q->tx, now);
    w->sender_free = now + n->engine_cycles;
    w->out_bytes += descriptor.length;
    w->unfinished++;
    /* Of an empty packet, and of one that could not be read, nothing goes out; but each is done in its turn. */
    hv_cycles sent = descriptor.length == 0 || q->tx.stopping ? nic_later(done.at, dev_pace_free(&w->out))
                                            : dev_pace_move(&w->out, nic_frame_bytes(descriptor.length), done.at);
    w->flight[(w->flight_first + w->flight_count++) % NIC_IN_FLIGHT] =
        (struct nic_flight){q, q->tx.generation, index, descriptor, q->tx.stopping, sent};
    nic_wake(n, NIC_SENT, sent);
}

/* The queue whose turn it is. */
void nic_sender_act(struct nic *n, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_queue *q = nic_queue_of(n, dev_turns_first(&w->sending));
    if (is_ready(q) && is_full(n, q->tx.cache[q->tx.first].length)) {
        w->full = true;
        return;
    }
    dev_turns_pop(&w->sending);
    q->tx_listed = false;
    if (is_ready(q)) {
        read_packet(n, q, now);
        nic_sender_ready(n, q, now);
    }
    if (w->sending.count != 0) {
        nic_wake(n, NIC_SENDER, sender_free(n, now));
    }
}

/* The oldest packet has gone out. */
void nic_sent_act(struct nic *n, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_flight flight = w->flight[w->flight_first];
    struct nic_queue *q = flight.queue;
    w->flight_first = (w->flight_first + 1) % NIC_IN_FLIGHT;
    w->flight_count--;
    if (w->flight_count != 0) {
        nic_wake(n, NIC_SENT, w->flight[w->flight_first].sent);
    }
    struct nic_completion completion = {.when = now, .queue = q, .bytes = flight.descriptor.length,
                                        .generation = flight.generation};
    if (flight.blocked) {
        completion.lost = true;
        completion.error = NIC_DATA_BLOCKED;
    } else if (flight.generation == q->tx.generation && (flight.descriptor.command & NIC_REPORT) != 0) {
        flight.descriptor.status |= NIC_DONE;
        bool written = nic_ring_write_back(n, q, &q->tx, flight.index, &flight.descriptor, now);
        completion.when = n->link.posted_sent;
        completion.event = (q->function->control & NIC_TRANSMIT_EVENTS) != 0;
        completion.error = written ? NIC_RUNNING : NIC_WRITE_BACK_BLOCKED;
    }
    if (n->answers && flight.descriptor.length != 0 && !flight.blocked) {
        nic_answer(n, q->function, now + n->peer_cycles);
    }
    nic_complete(n, &completion);
}
