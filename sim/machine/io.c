/* SPDX-License-Identifier: MIT */
#include "machine/io_parts.h"

#include <stdlib.h>

/* ---- In time ---------------------------------------------------------------------------------------------------- */

static hv_cycles device_next(const struct machine_io *io)
{
    switch (io->device) {
    case IO_DEVICE_DMA: return dma_engine_next(io->engine);
    case IO_DEVICE_NIC: return nic_next(io->nic);
    case IO_DEVICE_STORAGE: return storage_next(io->storage);
    case IO_DEVICE_NONE: break;
    }
    return UINT64_MAX;
}

static void device_act(struct machine_io *io, hv_cycles now)
{
    switch (io->device) {
    case IO_DEVICE_DMA: dma_engine_act(io->engine, now); break;
    case IO_DEVICE_NIC: nic_act(io->nic, now); break;
    case IO_DEVICE_STORAGE: storage_act(io->storage, now); break;
    case IO_DEVICE_NONE: break;
    }
}

hv_cycles io_next(const struct machine_io *io)
{
    if (io == NULL || io_over(io)) {
        return UINT64_MAX;
    }
    hv_cycles device = device_next(io), registers = io_registers_next(io);
    return device < registers ? device : registers;
}

hv_cycles io_act(struct machine_io *io, hv_cycles now)
{
    io_registers_act(io, now);
    device_act(io, now);
    return io_next(io);
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* Packets that are through or never will be. */
static uint64_t settled(const struct machine_io *io)
{
    return io->settled + io->dropped_before + (io->nic != NULL ? io->nic->link.stats.dropped : 0);
}

bool io_over(const struct machine_io *io)
{
    if (io->device == IO_DEVICE_DMA) {
        return io->engine->failed || io->engine->left == 0;
    }
    return io->machine->params.dev.packets > 0 && settled(io) >= io->machine->params.dev.packets;
}

bool io_expected(const struct machine_io *io)
{
    return io != NULL && io->machine->params.dev.packets > 0 && !io_over(io);
}

hv_cycles io_interrupt_cycles(const struct machine_io *io)
{
    return io != NULL ? io->machine->params.apic.msi_cycles : UINT64_MAX;
}

void io_watch(struct machine_io *io, struct activity_core *activity)
{
    io->activity = activity;
}

void io_set_order(struct machine_io *io, const struct io_order *order)
{
    io->order = *order;
}
