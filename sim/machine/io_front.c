/* SPDX-License-Identifier: MIT */
#include "machine/io_front.h"

#include <stdlib.h>

enum { RING_ENTRY_BYTES = 16 };

/* The queues' numbers, as those of a network device in the virtio specification (5.1.2). */
enum { VIRTIO_RECEIVE = 0, VIRTIO_TRANSMIT = 1 };

static uint64_t entry_at(const struct io_front *f, uint32_t i)
{
    return f->ring + (uint64_t)i * RING_ENTRY_BYTES;
}

/* The first half of the buffers is for receiving. */
static uint64_t receive_buffer(const struct io_front *f, uint32_t i)
{
    return f->buffers + (uint64_t)i * f->nic->buffer_bytes;
}

static uint64_t transmit_buffer(const struct io_front *f, uint32_t i)
{
    return receive_buffer(f, f->entries + i);
}

static uint32_t after(const struct io_front *f, uint32_t i)
{
    return (i + 1) % f->entries;
}

/* ---- The back end ----------------------------------------------------------------------------------------------- */

/* What a packet costs the hypervisor besides copying: its own driver and the back end. */
static void work_on_packet(struct io_front *f)
{
    const struct io_params *p = f->back->io->params;
    io_work(f->back, p->driver_cycles, "driver");
    io_work(f->back, p->backend_cycles, "back end");
}

bool io_front_deliver(struct io_nic *n, const struct io_buffer *b)
{
    struct io_front *f = n->front;
    if (f->free == 0) {
        f->starved = true;
        return false;
    }
    work_on_packet(f);
    io_work_read_new(f->back, b->host, n->packet_bytes);
    io_work_touch(f->back, receive_buffer(f, f->next_in), n->packet_bytes, true);
    io_work_touch(f->back, entry_at(f, f->next_in), RING_ENTRY_BYTES, true);
    f->next_in = after(f, f->next_in);
    f->free--;
    f->waiting++;
    f->has_news = true;
    if (!f->driver.interrupted) {
        f->driver.interrupted = true;
        f->driver.times = f->back->times;
    }
    return true;
}

unsigned io_front_transmit(struct io_nic *n, unsigned sent, unsigned budget)
{
    struct io_front *f = n->front;
    unsigned taken = 0;
    io_work_done(f->back, f->back->io->machine->params.dev.pattern == DEV_TRANSMIT ? sent : 0, n->packet_bytes);
    while (taken < budget && f->queued > 0 && io_ring_room(&n->transmit) > 0) {
        const uint64_t buffer = io_nic_next_buffer(n);
        work_on_packet(f);
        io_work_touch(f->back, entry_at(f, f->next_taken), RING_ENTRY_BYTES, false);
        io_work_touch(f->back, transmit_buffer(f, f->next_taken), n->packet_bytes, false);
        io_work_touch(f->back, buffer, n->packet_bytes, true);
        if (!io_nic_send(n, buffer)) {
            break;
        }
        f->next_taken = after(f, f->next_taken);
        f->queued--;
        taken++;
    }
    f->has_news |= taken > 0 && f->stopped;
    return taken;
}

/* ---- The guest's driver ----------------------------------------------------------------------------------------- */

/* Of an emulated card, whose rings it has no more of than their tails. */
static void write_tail(struct io_front *f, enum nic_offset tail, uint32_t entry)
{
    io_front_write_register(f, nic_queue_offset(0, tail), entry);
}

/* Gives empty buffers back. */
static void give_back(struct io_front *f)
{
    if (f->emptied == 0) {
        return;
    }
    f->free += f->emptied;
    f->emptied = 0;
    if (io_front_is_emulated(f)) {
        write_tail(f, NIC_REG_RX_TAIL, f->next_out);
    } else if (f->starved) {
        io_front_notify(f, VIRTIO_RECEIVE);
    }
}

static unsigned receive(struct io_front *f, unsigned budget)
{
    struct io_driver *d = &f->driver;
    unsigned received = 0;
    for (; received < budget && f->waiting > 0; received++) {
        io_work_touch(d, entry_at(f, f->next_out), RING_ENTRY_BYTES, false);
        io_work(d, d->io->params->driver_cycles, "driver");
        io_work_touch(d, receive_buffer(f, f->next_out), f->nic->packet_bytes, false);
        io_work_done(d, 1, f->nic->packet_bytes);
        f->next_out = after(f, f->next_out);
        f->waiting--;
        f->emptied++;
        f->requests += d->io->machine->params.dev.pattern == DEV_REQUEST_RESPONSE;
        if (io_front_is_emulated(f) || f->emptied >= d->io->params->batch) {
            give_back(f);
        }
    }
    give_back(f);
    return received;
}

static void announce(struct io_front *f)
{
    if (f->unannounced > 0) {
        f->unannounced = 0;
        if (io_front_is_emulated(f)) {
            write_tail(f, NIC_REG_TX_TAIL, f->next_queued);
        } else {
            io_front_notify(f, VIRTIO_TRANSMIT);
        }
    }
}

static bool has_to_send(const struct io_front *f)
{
    const uint32_t pattern = f->back->io->machine->params.dev.pattern;
    return f->left > 0 && (pattern == DEV_TRANSMIT || (pattern == DEV_REQUEST_RESPONSE && f->requests > 0));
}

static unsigned send(struct io_front *f, unsigned budget)
{
    struct io_driver *d = &f->driver;
    unsigned sent = 0;
    for (; sent < budget && has_to_send(f) && f->queued < f->entries - 1; sent++) {
        io_work(d, d->io->params->driver_cycles, "driver");
        io_work_touch(d, transmit_buffer(f, f->next_queued), f->nic->packet_bytes, true);
        io_work_touch(d, entry_at(f, f->next_queued), RING_ENTRY_BYTES, true);
        f->next_queued = after(f, f->next_queued);
        f->left -= f->left != UINT64_MAX;
        f->requests -= f->requests > 0;
        f->queued++;
        f->unannounced++;
        if (io_front_is_emulated(f) || f->unannounced >= d->io->params->batch) {
            announce(f);
        }
    }
    announce(f);
    f->stopped = has_to_send(f) && f->queued >= f->entries - 1;
    return sent;
}

static bool poll(struct io_driver *d, unsigned budget)
{
    struct io_front *f = d->state;
    if (io_front_is_emulated(f) && f->was_interrupted) {
        io_front_read_cause(f);
    }
    f->was_interrupted = false;
    const unsigned received = receive(f, budget), sent = send(f, budget);
    if (received >= budget || sent >= budget) {
        return true;
    }
    f->wants_interrupt = true;
    if (io_front_is_emulated(f)) {
        io_front_write_register(f, NIC_REG_ENABLE_SET, 1);
    }
    return f->waiting > 0;
}

static void note_interrupt(struct io_driver *d)
{
    ((struct io_front *)d->state)->was_interrupted = true;
}

static const struct io_driver_kind front_driver = {.poll = poll, .handled = note_interrupt};

/* ---- At the start ----------------------------------------------------------------------------------------------- */

uint64_t io_front_bytes(const struct machine_params *p)
{
    const uint64_t buffer = io_nic_buffer_bytes(p->dev.packet_bytes);
    return p->io.attach > IO_PARAVIRTUAL || p->paging.mode == PAGING_NATIVE
               ? 0 : 2 * p->dev.ring_entries * (buffer + RING_ENTRY_BYTES) + 2 * HV_PAGE_BYTES;
}

void io_front_init(struct io_driver *back)
{
    if (!back->host || back->io->nic == NULL) {
        return;
    }
    struct machine_io *io = back->io;
    struct io_front *f = calloc(1, sizeof(*f));
    HV_ASSERT(f != NULL, "out of memory");
    back->front = f;
    f->back = back;
    f->nic = back->state;
    f->nic->front = f;
    f->entries = f->free = (uint32_t)io->machine->params.dev.ring_entries;
    f->ring = io_memory_take(back, 2 * (uint64_t)f->entries * RING_ENTRY_BYTES);
    f->buffers = io_memory_take(back, 2 * f->entries * f->nic->buffer_bytes);
    f->left = back->share;
    f->requests = 1;
    f->wants_interrupt = true;
    f->port = (uint16_t)(IO_PORTS + back->number * IO_PORTS_EACH + IO_PORT_NOTIFY);
    f->driver = (struct io_driver){
        .io = io, .core = back->core, .kind = &front_driver, .vcpu = back->vcpu, .poll_at = UINT64_MAX, .state = f,
    };
    struct io_core *c = back->core->io;
    c->drivers[c->driver_count++] = &f->driver;
    if (has_to_send(f)) {
        f->driver.poll_at = 0;
    }
}

void io_front_fini(struct io_driver *back)
{
    free(back->front);
}
