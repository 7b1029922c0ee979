/* SPDX-License-Identifier: MIT */
/* Receiving: packets come from the network into the packet buffer, and from there into memory. */
#include "base/err.h"
#include "dev/nic_parts.h"

/* The network's next packet may begin when the link is free and a stream or the peer has one. */
static void schedule_wire(struct nic *n)
{
    struct nic_wire *w = n->wire;
    hv_cycles ready = w->streams.count != 0 ? w->source_next : DEV_NEVER;
    if (w->answer_count != 0 && w->answer[w->answer_first].ready < ready) {
        ready = w->answer[w->answer_first].ready;
    }
    if (w->to == NULL) {
        agenda_set(&n->agenda, NIC_WIRE, ready == DEV_NEVER ? DEV_NEVER : nic_later(ready, dev_pace_free(&w->in)));
    }
}

/* A packet begins to come in; of a stream and an answer that are both ready, the one that was so first. */
static void begin_packet(struct nic *n, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_answer *answer = &w->answer[w->answer_first];
    if (w->answer_count != 0 && answer->ready <= now && (w->streams.count == 0 || answer->ready <= w->source_next)) {
        w->to = answer->function;
        w->answer_first = (w->answer_first + 1) % NIC_ANSWERS;
        w->answer_count--;
    } else {
        uint32_t number = dev_turns_pop(&w->streams);
        w->to = &n->function[number];
        if (--w->to->stream != 0) {
            dev_turns_push(&w->streams, number);
        }
        w->source_next = dev_pace_move(&w->source, nic_frame_bytes(n->packet_bytes), w->source_next);
    }
    agenda_set(&n->agenda, NIC_WIRE, dev_pace_move(&w->in, nic_frame_bytes(n->packet_bytes), now));
}

/* The queue that gets a function's next packet; NULL: all are off. */
static struct nic_queue *choose_queue(struct nic *n, struct nic_function *f)
{
    for (uint32_t tried = 0; tried < n->queues; tried++) {
        struct nic_queue *q = &f->queue[f->turn];
        f->turn = f->turn + 1 < n->queues ? f->turn + 1 : 0;
        if (nic_ring_runs(q, &q->rx)) {
            return q;
        }
    }
    return NULL;
}

/* Keeps a packet in the buffer until it is written to memory. */
static void keep(struct nic *n, struct nic_queue *q, uint32_t bytes)
{
    struct nic_wire *w = n->wire;
    uint32_t place = w->free_packet;
    w->free_packet = w->packet[place].next;
    w->packet[place] = (struct nic_packet){bytes, NIC_PACKETS};
    w->held_bytes += bytes;
    if (q->waiting++ == 0) {
        q->oldest = place;
    } else {
        w->packet[q->newest].next = place;
    }
    q->newest = place;
}

/* The oldest packet of a queue leaves the list; its bytes stay held. Returns how many that are. */
static uint32_t take_waiting(struct nic *n, struct nic_queue *q)
{
    struct nic_wire *w = n->wire;
    uint32_t place = q->oldest, bytes = w->packet[place].bytes;
    q->oldest = w->packet[place].next;
    q->waiting--;
    w->packet[place].next = w->free_packet;
    w->free_packet = place;
    return bytes;
}

static void drop(struct nic *n, struct nic_function *f)
{
    f->counts.dropped++;
    n->link.stats.dropped++;
}

void nic_drop_waiting(struct nic *n, struct nic_queue *q)
{
    while (q->waiting != 0) {
        n->wire->held_bytes -= take_waiting(n, q);
        drop(n, q->function);
    }
}

static void arrive(struct nic *n, struct nic_function *f, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_queue *q = choose_queue(n, f);
    if (q == NULL || nic_ring_owned(&q->rx) <= q->waiting || w->free_packet == NIC_PACKETS ||
        w->held_bytes + n->packet_bytes > n->buffer_bytes) {
        drop(n, f);
        return;
    }
    keep(n, q, n->packet_bytes);
    nic_receiver_ready(n, q, now);
}

/* The end of the packet that comes in, or the beginning of one. */
void nic_wire_act(struct nic *n, hv_cycles now)
{
    struct nic_function *to = n->wire->to;
    if (to == NULL) {
        begin_packet(n, now);
        return;
    }
    n->wire->to = NULL;
    arrive(n, to, now);
    schedule_wire(n);
}

void nic_receive(struct nic *n, unsigned function, uint64_t packets, hv_cycles now)
{
    HV_ASSERT(function < n->functions, "function %u of a network card", function);
    struct nic_function *f = &n->function[function];
    struct nic_wire *w = n->wire;
    if (packets == 0) {
        return;
    }
    if (w->streams.count == 0) {
        w->source_next = nic_later(w->source_next, nic_later(now, n->now));
    }
    if (f->stream == 0) {
        dev_turns_push(&w->streams, function);
    }
    f->stream += packets;
    schedule_wire(n);
}

void nic_answer(struct nic *n, struct nic_function *f, hv_cycles ready)
{
    struct nic_wire *w = n->wire;
    if (w->answer_count == NIC_ANSWERS) {
        drop(n, f);
        return;
    }
    w->answer[(w->answer_first + w->answer_count++) % NIC_ANSWERS] = (struct nic_answer){f, ready};
    schedule_wire(n);
}

/* Whether a queue has a packet, and a descriptor for it. */
static bool is_ready(const struct nic_queue *q)
{
    return q->waiting != 0 && q->rx.cached != 0 && !q->rx.stalled && nic_ring_runs(q, &q->rx);
}

/* Gives a queue its turn, if it has a use for it. */
void nic_receiver_ready(struct nic *n, struct nic_queue *q, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    if (!is_ready(q)) {
        return;
    }
    if (!q->rx_listed) {
        q->rx_listed = true;
        dev_turns_push(&w->receiving, q->number);
    }
    nic_wake(n, NIC_RECEIVER, nic_later(now, nic_later(w->receiver_free, w->received[0])));
}

/* The queue stops, once what it has received before is done. */
static void stop(struct nic *n, struct nic_queue *q, enum nic_error error)
{
    q->rx.stopping = true;
    nic_complete(n, &(struct nic_completion){.when = n->link.posted_sent, .queue = q, .generation = q->rx.generation,
                                             .received = true, .lost = true, .error = error});
}

/* Writes a packet to memory, and its descriptor back. */
static void write_packet(struct nic *n, struct nic_queue *q, hv_cycles now)
{
    struct nic_packet packet = n->wire->packet[q->oldest];
    struct nic_descriptor descriptor = q->rx.cache[q->rx.first];
    uint32_t bytes = packet.bytes < q->buffer_bytes ? packet.bytes : q->buffer_bytes;
    struct dev_dma d = {.source = q->function->source, .write = true, .address = descriptor.address, .bytes = bytes};
    struct pcie_done done = pcie_dma(&n->link, &d, now);
    if (done.status == PCIE_STALLED) {
        q->rx.stalled = true;
        return;
    }
    if (done.status == PCIE_BLOCKED) {
        stop(n, q, NIC_DATA_BLOCKED);
        return;
    }
    descriptor.length = (uint16_t)bytes;
    descriptor.status = (uint8_t)(NIC_DONE | (bytes < packet.bytes ? NIC_ERROR : 0));
    if (!nic_ring_write_back(n, q, &q->rx, q->rx.used, &descriptor, done.at)) {
        stop(n, q, NIC_WRITE_BACK_BLOCKED);
        return;
    }
    nic_ring_take(n, q, &q->rx, now);
    take_waiting(n, q);
    nic_complete(n, &(struct nic_completion){.when = n->link.posted_sent, .queue = q, .bytes = packet.bytes,
                                             .generation = q->rx.generation, .received = true, .event = true});
}

/* The queue whose turn it is. The receiver begins a packet while another is on its way to the link, no more. */
void nic_receiver_act(struct nic *n, hv_cycles now)
{
    struct nic_wire *w = n->wire;
    struct nic_queue *q = nic_queue_of(n, dev_turns_pop(&w->receiving));
    q->rx_listed = false;
    if (is_ready(q)) {
        write_packet(n, q, now);
        w->receiver_free = now + n->engine_cycles;
        w->received[0] = w->received[1];
        w->received[1] = n->link.posted_sent;
        nic_receiver_ready(n, q, now);
    }
    if (w->receiving.count != 0) {
        nic_wake(n, NIC_RECEIVER, nic_later(now, nic_later(w->receiver_free, w->received[0])));
    }
}
