/* SPDX-License-Identifier: MIT */
/*
 * Registers of the device as drivers reach them: a write leaves the core at once and does its effect when it arrives.
 */
#include "machine/io_parts.h"

#include <stdlib.h>
#include <string.h>

static void write_now(struct machine_io *io, const struct io_register_write *w)
{
    if (io->nic != NULL) {
        nic_write(io->nic, w->function, w->offset, w->bytes, w->value, w->at);
    } else {
        storage_write(io->storage, w->offset, w->bytes, w->value, w->at);
    }
}

void io_set_register(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    write_now(d->io, &(struct io_register_write){0, d->function, offset, bytes, value});
}

/* Puts a write into its place among those under way: writes of several cores may arrive in another order. */
static void send(struct machine_io *io, const struct io_register_write *w)
{
    if (io->write_count == io->write_capacity) {
        io->write_capacity = 2 * io->write_capacity + 16;
        io->writes = reallocarray(io->writes, io->write_capacity, sizeof(*io->writes));
        HV_ASSERT(io->writes != NULL, "out of memory");
    }
    size_t i = io->write_count++;
    for (; i > 0 && io->writes[i - 1].at > w->at; i--) {
        io->writes[i] = io->writes[i - 1];
    }
    io->writes[i] = *w;
}

void io_work_write_register(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    struct machine_io *io = d->io;
    io_work(d, io->params->mmio_write_cycles, "register write");
    io_work_join(d);
    struct pcie *link = io->nic != NULL ? &io->nic->link : &io->storage->link;
    hv_cycles arrival = pcie_register_write(link, bytes, io_work_now(d));
    send(io, &(struct io_register_write){arrival, d->function, offset, (uint32_t)bytes, value});
    io->stats.doorbells++;
    if (io->order.device != NULL) {
        io->order.device(io->order.ctx, io_next(io));
    }
}

hv_cycles io_registers_next(const struct machine_io *io)
{
    return io->write_count > 0 ? io->writes[0].at : UINT64_MAX;
}

void io_registers_act(struct machine_io *io, hv_cycles now)
{
    size_t due = 0;
    while (due < io->write_count && io->writes[due].at <= now) {
        write_now(io, &io->writes[due++]);
    }
    if (due == 0) {
        return;
    }
    io->write_count -= due;
    memmove(io->writes, io->writes + due, io->write_count * sizeof(*io->writes));
}
