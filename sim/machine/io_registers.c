/* SPDX-License-Identifier: MIT */
/*
 * Registers of the device as drivers reach them: a write leaves the core at once and does its effect when it arrives.
 *
 * An operating system on the machine itself, and the hypervisor, reach them directly. MODEL: their addresses need no
 * translation. The driver of a guest that the device is assigned to executes a store, which the guest's page tables
 * and EPT translate to the host-physical address of the register; no software of the host has a part in it.
 */
#include "machine/guest.h"
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

static void join(struct machine_core *c, hv_cycles now)
{
    if (c->join.wait != NULL) {
        c->join.wait(c->join.ctx, now);
    }
}

/* A write leaves a core at w.at. */
static void leave_core(struct machine_io *io, struct machine_core *c, struct io_register_write w)
{
    join(c, w.at);
    w.at = pcie_register_write(io_link(io), w.bytes, w.at);
    send(io, &w);
    io->stats.doorbells++;
    if (io->order.device != NULL) {
        io->order.device(io->order.ctx, io_next(io));
    }
}

/* By the guest's page tables and EPT. A page that EPT does not have takes an exit, and the write is lost. */
static void store(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    const struct guest_register r = {
        .window = d->window, .offset = d->window_offset + offset, .kind = HV_STORE, .bytes = bytes, .value = value,
    };
    if (guest_access_register(d->core, &r)) {
        guest_return(d->core, -1);
    }
}

void io_work_write_register(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    io_work(d, d->io->params->mmio_write_cycles, "register write");
    if (d->window != NULL && !d->host) {
        store(d, offset, bytes, value);
    } else {
        leave_core(d->io, d->core, (struct io_register_write){io_work_now(d), d->function, offset, bytes, value});
    }
}

static uint64_t read_now(struct machine_io *io, const struct io_register_write *r)
{
    return io->nic != NULL ? nic_read(io->nic, r->function, r->offset, r->bytes, r->at)
                           : storage_read(io->storage, r->offset, r->bytes, r->at);
}

bool io_access(struct machine_core *c, const struct cpu_device_access *access, hv_cycles now)
{
    struct machine_io *io = c->machine->io;
    if (io == NULL || io->registers == 0 || access->address < io->registers || access->count > sizeof(uint64_t)) {
        return false;
    }
    const uint64_t at = access->address - io->registers, function = at / IO_WINDOW_BYTES;
    if (function > (io->nic != NULL ? c->machine->params.dev.functions : 0)) {
        return false;
    }
    struct io_register_write w = {
        now, (unsigned)function, (uint32_t)(at % IO_WINDOW_BYTES), (uint32_t)access->count, 0,
    };
    if (access->kind == HV_STORE) {
        memcpy(&w.value, access->bytes, access->count);
        leave_core(io, c, w);
    } else {
        join(c, now);
        w.value = read_now(io, &w);
        memcpy(access->bytes, &w.value, access->count);
    }
    return true;
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
