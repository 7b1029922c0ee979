/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's own interrupts: a fault event goes to the core that the hypervisor, or natively the operating system, has
 * programmed for it; the handler reads the fault records and gives them back.
 *
 * MODEL: the first core takes all of them, and nothing is done to the device; a driver would reset it. MODEL: software
 * polls invalidations, and maps what a device may ask for beforehand, so the events of these two are masked. With
 * vcpu.interrupts direct a guest would take the hypervisor's interrupt, so there the fault event is masked too.
 */
#include "machine/io_parts.h"

#include "apic/msi.h"
#include "machine/guest.h"
#include "vmm/dma_fault.h"

enum { EVENT_CORE = 0 };

void io_event_route(struct machine_io *io)
{
    const struct machine_params *p = &io->machine->params;
    bool taken_by_guest = !io->native && p->vcpu.interrupts == VCPU_INTERRUPTS_DIRECT;
    if (p->dma_map.fault_events && !taken_by_guest) {
        dma_fault_route(&io->unit, IO_EVENT_VECTOR, EVENT_CORE, 0);
    }
}

/* The message has the format of one that is not remapped, with the destination's upper bits in the upper address. */
void io_event_message(void *ctx, uint64_t address, uint32_t data, hv_cycles now)
{
    struct machine_io *io = ctx;
    struct interrupt_message message;
    if (!msi_decode(&(struct msi){(uint32_t)address, data, 0}, &message)) {
        io->stats.interrupts_blocked++;
        return;
    }
    const struct io_arrival arrival = {
        .at = now + io->machine->params.apic.msi_cycles, .times = {now, now}, .vector = message.vector,
    };
    io_wire_send(io, message.destination | (uint32_t)(address >> 32), &arrival);
}

/* Time of the handler: as the hypervisor's, or as an interrupt's. */
static void spend(struct machine_core *c, hv_cycles cycles)
{
    core_charge(&c->core, c->guest != NULL ? CORE_COST_EXIT : CORE_COST_INTERRUPT, cycles, "fault event");
}

/* A step of the handler that begins with so many accesses to registers; devices have come as far as the core then. */
static hv_cycles step(struct machine_core *c, unsigned accesses)
{
    spend(c, accesses * c->machine->params.dma_cost.register_cycles);
    if (c->join.wait != NULL) {
        c->join.wait(c->join.ctx, c->core.now);
    }
    return c->core.now;
}

static void drain(struct machine_core *c)
{
    struct dma_unit *u = &c->machine->io->unit;
    struct dma_fault fault;
    unsigned record = dma_fault_begin(u, step(c, 1));
    while (dma_fault_next(u, &record, &fault, step(c, 1))) {
        spend(c, (DMA_FAULT_ACCESSES - 1) * u->cost.register_cycles + u->cost.fault_cycles);
    }
    if (dma_fault_is_lost(u, step(c, 1))) {
        dma_fault_go_on(u, step(c, 1));
    }
}

void io_event_take(struct io_core *c, const struct io_arrival *arrival)
{
    struct machine_core *core = c->core;
    struct machine_io *io = core->machine->io;
    const hv_cycles began = core->core.now;
    if (core->guest != NULL) {
        guest_leave_by_interrupt(core, IO_EVENT_VECTOR);
    } else {
        spend(core, core->machine->params.vcpu.interrupt_handler_cycles);
    }
    drain(core);
    if (core->guest != NULL) {
        guest_return(core, -1);
    }
    io->stats.fault_events++;
    io->stats.fault_event_cycles += core->core.now - began;
    io->stats.fault_wait_cycles += began - arrival->times.raised;
}
