/* SPDX-License-Identifier: MIT */
/*
 * The driver of a function of the network card: natively, of a guest that it is assigned to, or of the hypervisor.
 *
 * Receiving, it finds a descriptor that the device has written back, unmaps the buffer, lets the network stack have the
 * payload, maps the next buffer and puts it into the ring. Sending, it writes a payload, maps it, fills a descriptor, and
 * unmaps what has been sent. Each io.batch descriptors, and when a turn ends, it rings the doorbell.
 *
 * Buffers go round in the window, so all of it is used, one after the other or (io.order random) in a random order that
 * stays the same.
 */
#include "machine/io_front.h"

#include <stdlib.h>

#include "base/rng.h"

/* ---- Rings ------------------------------------------------------------------------------------------------------ */

static uint32_t used_of(const struct io_ring *r)
{
    return (r->tail + r->entries - r->head) % r->entries;
}

uint32_t io_ring_room(const struct io_ring *r)
{
    return r->entries - 1 - used_of(r);
}

static uint64_t descriptor_at(const struct io_ring *r, uint32_t i)
{
    return r->host + (uint64_t)i * NIC_DESCRIPTOR_BYTES;
}

static struct nic_descriptor *descriptor(const struct io_driver *d, const struct io_ring *r, uint32_t i)
{
    return physmem_pointer(&d->io->machine->memory, (hv_hpa){descriptor_at(r, i)}, NIC_DESCRIPTOR_BYTES);
}

static bool init_ring(struct io_driver *d, struct io_ring *r, struct hv_err *err)
{
    const uint64_t entries = d->io->machine->params.dev.ring_entries;
    r->entries = (uint32_t)entries;
    r->host = io_memory_take(d, entries * NIC_DESCRIPTOR_BYTES);
    r->buffers = calloc(entries, sizeof(*r->buffers));
    HV_ASSERT(r->buffers != NULL, "out of memory");
    return io_memory_ring(d, r->host, entries * NIC_DESCRIPTOR_BYTES, &r->iova) ||
           hv_fail(err, "a ring of io.ring_entries cannot be mapped for the device; choose fewer");
}

/* ---- Buffers ---------------------------------------------------------------------------------------------------- */

uint64_t io_nic_buffer_bytes(uint64_t packet_bytes)
{
    uint64_t bytes = 2048;
    while (bytes < packet_bytes) {
        bytes *= 2;
    }
    return bytes;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

/* The next buffer: steps through the window by 1, or by a step that has no factor in common with their number. */
uint64_t io_nic_next_buffer(struct io_nic *n)
{
    uint64_t buffer = n->buffers + n->next_buffer * n->buffer_bytes;
    n->next_buffer = (n->next_buffer + n->step) % n->buffer_count;
    return buffer;
}

static void choose_step(struct io_nic *n, const struct dev_params *p)
{
    struct hv_rng rng;
    rng_init(&rng, p->seed);
    n->step = 1;
    if (p->order == DEV_RANDOM && n->buffer_count > 2) {
        do {
            n->step = rng_below(&rng, n->buffer_count - 1) + 1;
        } while (gcd(n->step, n->buffer_count) != 1);
    }
}

uint64_t io_nic_bytes(const struct machine_params *p)
{
    const uint64_t rings = 2 * p->dev.ring_entries * NIC_DESCRIPTOR_BYTES + 4 * HV_PAGE_BYTES;
    const uint64_t buffer = io_nic_buffer_bytes(p->dev.packet_bytes), least = 2 * p->dev.ring_entries * buffer;
    return rings + (p->dev.window > least ? p->dev.window : least) + 2 * HV_PAGE_BYTES;
}

static bool init(struct io_driver *d, struct hv_err *err)
{
    const struct machine_params *p = &d->io->machine->params;
    struct io_nic *n = calloc(1, sizeof(*n));
    HV_ASSERT(n != NULL, "out of memory");
    d->state = n;
    n->driver = d;
    n->packet_bytes = (uint32_t)p->dev.packet_bytes;
    n->buffer_bytes = io_nic_buffer_bytes(n->packet_bytes);
    n->left = d->share;
    if (!init_ring(d, &n->receive, err) || !init_ring(d, &n->transmit, err)) {
        return false;
    }
    const uint64_t least = 2 * p->dev.ring_entries * n->buffer_bytes;
    const uint64_t bytes = p->dev.window > least ? p->dev.window : least;
    n->buffers = io_memory_take(d, bytes);
    n->buffer_count = bytes / n->buffer_bytes;
    choose_step(n, &p->dev);
    return true;
}

static void fini(struct io_driver *d)
{
    struct io_nic *n = d->state;
    if (n != NULL) {
        free(n->receive.buffers);
        free(n->transmit.buffers);
        free(n);
    }
}

/* ---- Receiving -------------------------------------------------------------------------------------------------- */

/* Puts a buffer into the receive ring. False: it cannot be mapped now. */
static bool refill(struct io_nic *n, bool timed)
{
    struct io_driver *d = n->driver;
    struct io_ring *r = &n->receive;
    struct io_buffer *b = &r->buffers[r->tail];
    b->host = io_nic_next_buffer(n);
    bool mapped = timed ? io_memory_map(d, b->host, n->buffer_bytes, DMA_DEVICE_WRITES, &b->iova)
                        : io_memory_ring(d, b->host, n->buffer_bytes, &b->iova);
    if (!mapped) {
        return false;
    }
    *descriptor(d, r, r->tail) = (struct nic_descriptor){.address = b->iova};
    if (timed) {
        io_work_touch(d, descriptor_at(r, r->tail), NIC_DESCRIPTOR_BYTES, true);
    }
    r->tail = (r->tail + 1) % r->entries;
    r->unannounced++;
    return true;
}

void io_nic_announce(struct io_nic *n, struct io_ring *r)
{
    if (r->unannounced > 0) {
        r->unannounced = 0;
        io_work_write_register(n->driver, nic_queue_offset(0, r == &n->receive ? NIC_REG_RX_TAIL : NIC_REG_TX_TAIL), 4,
                               r->tail);
    }
}

/* Fills the ring, and tells the device of each batch. */
static void refill_all(struct io_nic *n)
{
    while (io_ring_room(&n->receive) > 0 && refill(n, true)) {
        if (n->receive.unannounced >= n->driver->io->params->batch) {
            io_nic_announce(n, &n->receive);
        }
    }
}

/* Whether a packet waits in the receive ring: the core looks at its descriptor. */
static bool has_received(struct io_nic *n)
{
    struct io_driver *d = n->driver;
    const struct io_ring *r = &n->receive;
    if (used_of(r) == 0) {
        return false;
    }
    io_work_join(d);
    io_work_read_new(d, descriptor_at(r, r->head), NIC_DESCRIPTOR_BYTES);
    return (descriptor(d, r, r->head)->status & NIC_DONE) != 0;
}

/* A packet is handed to whoever it is for. False: nobody can take it now. */
static bool receive_one(struct io_nic *n)
{
    struct io_driver *d = n->driver;
    struct io_ring *r = &n->receive;
    if (!n->deliver(n, &r->buffers[r->head])) {
        return false;
    }
    io_memory_unmap(d, r->buffers[r->head].iova, n->buffer_bytes);
    r->head = (r->head + 1) % r->entries;
    return true;
}

/* Returns how many packets were handled. */
static unsigned receive(struct io_nic *n, unsigned budget)
{
    unsigned handled = 0;
    while (handled < budget && has_received(n) && receive_one(n)) {
        handled++;
        if (io_ring_room(&n->receive) >= n->driver->io->params->batch) {
            refill_all(n);
        }
    }
    return handled;
}

/* ---- Sending ---------------------------------------------------------------------------------------------------- */

/* Takes back what was sent. Returns how many packets that were. */
static unsigned reclaim(struct io_nic *n)
{
    struct io_driver *d = n->driver;
    struct io_ring *r = &n->transmit;
    unsigned reclaimed = 0;
    while (used_of(r) > r->unannounced) {
        io_work_join(d);
        io_work_read_new(d, descriptor_at(r, r->head), NIC_DESCRIPTOR_BYTES);
        if ((descriptor(d, r, r->head)->status & NIC_DONE) == 0) {
            break;
        }
        io_memory_unmap(d, r->buffers[r->head].iova, n->buffer_bytes);
        r->head = (r->head + 1) % r->entries;
        reclaimed++;
    }
    return reclaimed;
}

bool io_nic_send(struct io_nic *n, uint64_t buffer)
{
    struct io_driver *d = n->driver;
    struct io_ring *r = &n->transmit;
    struct io_buffer *b = &r->buffers[r->tail];
    b->host = buffer;
    if (!io_memory_map(d, b->host, n->packet_bytes, DMA_DEVICE_READS, &b->iova)) {
        return false;
    }
    *descriptor(d, r, r->tail) = (struct nic_descriptor){
        .address = b->iova, .length = (uint16_t)n->packet_bytes, .command = NIC_REPORT,
    };
    io_work_touch(d, descriptor_at(r, r->tail), NIC_DESCRIPTOR_BYTES, true);
    r->tail = (r->tail + 1) % r->entries;
    r->unannounced++;
    if (r->unannounced >= d->io->params->batch) {
        io_nic_announce(n, r);
    }
    return true;
}

/* An application on the driver's own system has a packet to send. */
static bool produce(struct io_nic *n)
{
    struct io_driver *d = n->driver;
    const uint64_t buffer = io_nic_next_buffer(n);
    io_work(d, d->io->params->driver_cycles, "driver");
    io_work_touch(d, buffer, n->packet_bytes, true);
    return io_nic_send(n, buffer);
}

static unsigned transmit(struct io_nic *n, unsigned budget)
{
    unsigned sent = 0;
    while (sent < budget && n->left > 0 && io_ring_room(&n->transmit) > 0 && produce(n)) {
        n->left -= n->left != UINT64_MAX;
        sent++;
    }
    return sent;
}

/* ---- Turns ------------------------------------------------------------------------------------------------------ */

/* Of the system that the driver is part of: the network stack and an application read the payload. */
static bool consume(struct io_nic *n, const struct io_buffer *b)
{
    struct io_driver *d = n->driver;
    io_work(d, d->io->params->driver_cycles, "driver");
    io_work_read_new(d, b->host, n->packet_bytes);
    io_work_done(d, 1, n->packet_bytes);
    n->requests += d->io->machine->params.dev.pattern == DEV_REQUEST_RESPONSE && n->left > 0;
    return true;
}

/* Each answer is followed by the next request. */
static void request(struct io_nic *n)
{
    while (n->requests > 0 && n->left > 0 && io_ring_room(&n->transmit) > 0 && produce(n)) {
        n->left -= n->left != UINT64_MAX;
        n->requests--;
    }
}

static bool poll(struct io_driver *d, unsigned budget)
{
    struct io_nic *n = d->state;
    const uint32_t pattern = d->io->machine->params.dev.pattern;
    const unsigned reclaimed = reclaim(n), received = receive(n, budget);
    unsigned sent = 0;
    if (n->front != NULL) {
        sent = io_front_transmit(n, reclaimed, budget);
    } else if (pattern == DEV_TRANSMIT) {
        io_work_done(d, reclaimed, n->packet_bytes);
        sent = transmit(n, budget);
    } else if (pattern == DEV_REQUEST_RESPONSE) {
        request(n);
    }
    refill_all(n);
    io_nic_announce(n, &n->receive);
    io_nic_announce(n, &n->transmit);
    if (received >= budget || sent >= budget) {
        return true;
    }
    /* Interrupts are on again; what came in between would raise none, so the driver looks once more. */
    io_work_write_register(d, NIC_REG_ENABLE_SET, 4, 1);
    return false;
}

/* ---- At the start ----------------------------------------------------------------------------------------------- */

static void set_up_ring(struct io_driver *d, const struct io_ring *r, enum nic_offset base, enum nic_offset length,
                        enum nic_offset control)
{
    io_set_register(d, nic_queue_offset(0, base), 8, r->iova);
    io_set_register(d, nic_queue_offset(0, length), 4, r->entries);
    io_set_register(d, nic_queue_offset(0, control), 4, 1);
}

static void set_up_interrupts(struct io_driver *d, const struct dev_params *p)
{
    const uint32_t entry = NIC_MSIX_TABLE;
    io_set_register(d, entry, 8, d->message_address);
    io_set_register(d, entry + 8, 4, d->message_data);
    io_set_register(d, entry + 12, 4, 0);
    io_set_register(d, NIC_REG_MSIX_CONTROL, 4, MSIX_CONTROL_ENABLE);
    io_set_register(d, nic_queue_offset(0, NIC_REG_VECTOR), 4, 0);
    io_set_register(d, nic_queue_offset(0, NIC_REG_MODERATION_NS), 4, p->moderation_ns);
    io_set_register(d, nic_queue_offset(0, NIC_REG_MODERATION_PACKETS), 4, p->moderation_packets);
    io_set_register(d, NIC_REG_ENABLE_SET, 4, 1);
}

static void begin(struct io_driver *d)
{
    struct io_nic *n = d->state;
    const struct dev_params *p = &d->io->machine->params.dev;
    const bool sends = p->pattern == DEV_TRANSMIT;
    n->deliver = n->front != NULL ? io_front_deliver : consume;
    io_set_register(d, NIC_REG_CONTROL, 4, NIC_ENABLE | NIC_AUTO_MASK | (sends ? NIC_TRANSMIT_EVENTS : 0));
    io_set_register(d, nic_queue_offset(0, NIC_REG_RX_BUFFER), 4, n->buffer_bytes);
    set_up_ring(d, &n->receive, NIC_REG_RX_BASE, NIC_REG_RX_LENGTH, NIC_REG_RX_CONTROL);
    set_up_ring(d, &n->transmit, NIC_REG_TX_BASE, NIC_REG_TX_LENGTH, NIC_REG_TX_CONTROL);
    set_up_interrupts(d, p);
    while (io_ring_room(&n->receive) > 0 && refill(n, false)) {
    }
    n->receive.unannounced = 0;
    io_set_register(d, nic_queue_offset(0, NIC_REG_RX_TAIL), 4, n->receive.tail);
    if (p->pattern == DEV_RECEIVE) {
        nic_receive(d->io->nic, d->function, d->share, 0);
    } else {
        n->requests = p->pattern == DEV_REQUEST_RESPONSE;
        io_driver_poll(d);
    }
}

static uint64_t waiting(const struct io_driver *d)
{
    const struct io_nic *n = d->state;
    const struct io_ring *r = &n->receive;
    uint64_t packets = n->front != NULL ? n->front->waiting : 0;
    for (uint32_t i = r->head; i != r->tail; i = (i + 1) % r->entries) {
        packets += (descriptor(d, r, i)->status & NIC_DONE) != 0;
    }
    return packets;
}

const struct io_driver_kind io_nic_driver = {
    .init = init, .fini = fini, .begin = begin, .poll = poll, .waiting = waiting,
};
