/* SPDX-License-Identifier: MIT */
#include "machine/io_front.h"

#include "machine/guest.h"

/* ---- The hypervisor --------------------------------------------------------------------------------------------- */

/*
 * The vector of an interrupt for the present virtual processor, of what the back ends of the core have to tell; or -1.
 */
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

/* There may be packets to send, or buffers for packets that have come. */
static void look_at_rings(struct io_front *f)
{
    if (f->queued > 0 || f->starved) {
        f->starved = false;
        poll_back(f->back);
    }
}

/* A register of the emulated card. What cause and mask say is kept in the front end. */
static void emulate_register(struct io_front *f, uint64_t offset)
{
    io_work(f->back, f->back->io->machine->params.vmm_cost.user_space_cycles, "emulated device");
    if (offset == nic_queue_offset(0, NIC_REG_RX_TAIL) || offset == nic_queue_offset(0, NIC_REG_TX_TAIL)) {
        look_at_rings(f);
    }
}

/* Whose device an access is for; an emulated card's register is at *offset. NULL: nobody's. */
static struct io_front *find_device(const struct io_core *c, const struct hypervisor_access *access, uint64_t *offset)
{
    for (unsigned i = 0; i < c->driver_count; i++) {
        const struct io_driver *back = c->drivers[i];
        struct io_front *f = back->front;
        if (f == NULL || back->vcpu != c->core->schedule.current) {
            continue;
        }
        if (access->space == HYPERVISOR_PORT && !io_front_is_emulated(f) && access->address == f->port) {
            return f;
        }
        if (access->space == HYPERVISOR_MEMORY && back->window != NULL) {
            *offset = access->address - (back->window->gpa + back->window_offset);
            if (*offset < IO_WINDOW_BYTES) {
                return f;
            }
        }
    }
    return NULL;
}

/* The guest has left for an access to a device. */
static void answer(struct io_core *c)
{
    const struct hypervisor_access access = guest_wanted(c->core);
    uint64_t offset = 0;
    struct io_front *f = find_device(c, &access, &offset);
    if (f != NULL && io_front_is_emulated(f)) {
        emulate_register(f, offset);
    } else if (f != NULL) {
        look_at_rings(f);
    }
    guest_return(c->core, interrupt_for_guest(c));
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

static void access_register(struct io_front *f, enum hv_access_kind kind, uint32_t offset, uint32_t value)
{
    const struct io_driver *back = f->back;
    const struct guest_register r = {
        .window = back->window, .offset = back->window_offset + offset, .kind = kind, .bytes = sizeof(value),
        .value = value,
    };
    if (guest_access_register(back->core, &r)) {
        answer(back->core->io);
    }
}

void io_front_write_register(struct io_front *f, uint32_t offset, uint32_t value)
{
    f->back->io->stats.doorbells++;
    access_register(f, HV_STORE, offset, value);
}

void io_front_read_cause(struct io_front *f)
{
    f->back->io->stats.status_reads++;
    access_register(f, HV_LOAD, NIC_REG_CAUSE, 0);
}

void io_front_notify(struct io_front *f, uint16_t queue)
{
    f->back->io->stats.kicks++;
    if (guest_out(f->back->core, f->port, IO_NOTIFY_BYTES, queue)) {
        answer(f->back->core->io);
    }
}
