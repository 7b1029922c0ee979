/* SPDX-License-Identifier: MIT */
#include "machine/io_front.h"

#include <stdlib.h>

#include "cpu/vmx/vmx.h"
#include "machine/guest.h"

enum { RING_ENTRY_BYTES = 16 };

static bool is_emulated(const struct io_front *f)
{
    return f->back->io->params->attach == IO_EMULATED;
}

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

/* ---- Into the hypervisor and back ------------------------------------------------------------------------------- */

/* The vector of an interrupt for the present virtual processor, of what the back ends of the core have to tell; or -1. */
static int interrupt_for_guest(struct io_core *c)
{
    int vector = -1;
    for (unsigned i = 0; i < c->driver_count; i++) {
        struct io_front *f = c->drivers[i]->front;
        if (f == NULL || !f->has_news || !f->wants_interrupt) {
            continue;
        }
        f->has_news = f->wants_interrupt = false;
        f->back->io->stats.injections++;
        if (c->core->schedule.current == f->driver.vcpu) {
            vector = IO_VECTOR + (int)f->driver.vcpu;
        } else {
            f->driver.waits = true;
            f->back->io->stats.interrupts_away++;
        }
    }
    return vector;
}

/* The hypervisor's driver of a front end works, in the hypervisor. */
static void poll_back(struct io_driver *back)
{
    back->interrupted = false;
    io_driver_turn(back);
}

/* The guest's driver writes a register or notifies the back end. */
static void exit_for_back_end(struct io_front *f, unsigned reason)
{
    struct io_driver *back = f->back;
    guest_leave(back->core, reason);
    if (is_emulated(f)) {
        io_work(back, back->io->machine->params.vmm_cost.user_space_cycles, "emulated device");
    }
    if (f->queued > 0 || f->starved) {
        f->starved = false;
        poll_back(back);
    }
    guest_return(back->core, interrupt_for_guest(back->core->io));
}

static void write_emulated_register(struct io_front *f)
{
    f->back->io->stats.doorbells++;
    exit_for_back_end(f, VMX_EXIT_ept_misconfiguration);
}

static void kick(struct io_front *f)
{
    f->back->io->stats.kicks++;
    exit_for_back_end(f, VMX_EXIT_io_instruction);
}

void io_front_work_host(struct io_core *c, uint8_t vector)
{
    const hv_cycles now = c->core->core.now;
    guest_leave_by_interrupt(c->core, vector);
    for (unsigned i = 0; i < c->driver_count; i++) {
        struct io_driver *d = c->drivers[i];
        if (d->host && (d->interrupted || d->poll_at <= now)) {
            poll_back(d);
        }
    }
    guest_return(c->core, interrupt_for_guest(c));
}

/* ---- The guest's driver ----------------------------------------------------------------------------------------- */

/* Gives empty buffers back. */
static void give_back(struct io_front *f)
{
    if (f->emptied == 0) {
        return;
    }
    f->free += f->emptied;
    f->emptied = 0;
    if (is_emulated(f)) {
        write_emulated_register(f);
    } else if (f->starved) {
        kick(f);
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
        if (is_emulated(f) || f->emptied >= d->io->params->batch) {
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
        if (is_emulated(f)) {
            write_emulated_register(f);
        } else {
            kick(f);
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
        if (is_emulated(f) || f->unannounced >= d->io->params->batch) {
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
    if (is_emulated(f) && f->was_interrupted) {
        f->back->io->stats.status_reads++;
        exit_for_back_end(f, VMX_EXIT_ept_misconfiguration);
    }
    f->was_interrupted = false;
    const unsigned received = receive(f, budget), sent = send(f, budget);
    if (received >= budget || sent >= budget) {
        return true;
    }
    f->wants_interrupt = true;
    if (is_emulated(f)) {
        write_emulated_register(f); /* the interrupt mask */
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
