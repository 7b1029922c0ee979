/* SPDX-License-Identifier: MIT */
/*
 * The wire of interrupts: a message of the device, what the IOMMU makes of it, the bus, the local APIC of a core.
 *
 * A posted interrupt is in the virtual processor's descriptor at once; what travels is its notification, to the core that
 * the descriptor names, or nothing when one is outstanding.
 */
#include "machine/io_parts.h"

#include <stdlib.h>

#include "apic/msi.h"
#include "machine/guest.h"

/* The core of an APIC ID, which is its number; NULL for a destination that is nobody's. */
static struct io_core *core_of(struct machine_io *io, uint32_t apic)
{
    const uint64_t cores = io->machine->params.machine.cores;
    return apic < cores ? &io->cores[apic] : NULL;
}

/* Notes when the device has raised an interrupt for its driver's oldest unhandled events. */
static void note(struct machine_io *io, uint16_t source, const struct io_interrupt_times *times)
{
    for (unsigned i = 0; i < io->driver_count; i++) {
        struct io_driver *d = &io->drivers[i];
        if (io_source(d) == source && !d->interrupted) {
            d->interrupted = true;
            d->times = *times;
        }
    }
}

void io_wire_send(struct machine_io *io, uint32_t apic, const struct io_arrival *arrival)
{
    struct io_core *c = core_of(io, apic);
    if (c == NULL) {
        io->stats.interrupts_blocked++;
        return;
    }
    if (c->arrival_count == c->arrival_capacity) {
        c->arrival_capacity = 2 * c->arrival_capacity + 16;
        c->arrivals = reallocarray(c->arrivals, c->arrival_capacity, sizeof(*c->arrivals));
        HV_ASSERT(c->arrivals != NULL, "out of memory");
    }
    size_t i = c->arrival_count++;
    for (; i > 0 && c->arrivals[i - 1].at > arrival->at; i--) {
        c->arrivals[i] = c->arrivals[i - 1];
    }
    c->arrivals[i] = *arrival;
    io_core_wake(c, arrival->at);
}

void io_wire_interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now)
{
    struct machine_io *io = ctx;
    struct io_arrival arrival = {.at = now};
    uint32_t apic;
    if (io->iommu != NULL) {
        struct iommu_interrupt r = iommu_interrupt(io->iommu, source, address, data, now);
        if (!r.ok) {
            io->stats.interrupts_blocked++;
            return;
        }
        note(io, source, &(struct io_interrupt_times){now, r.done});
        if (r.posted && !r.notify) {
            io->stats.interrupts_suppressed++;
            return;
        }
        arrival.at = r.done;
        arrival.vector = r.vector;
        apic = r.destination;
    } else {
        struct interrupt_message message;
        if (!msi_decode(&(struct msi){address, data, source}, &message)) {
            io->stats.interrupts_blocked++;
            return;
        }
        note(io, source, &(struct io_interrupt_times){now, now});
        arrival.vector = message.vector;
        apic = message.destination;
    }
    arrival.at += io->machine->params.apic.msi_cycles;
    io_wire_send(io, apic, &arrival);
}

/* The descriptor that a posted entry of the remapping table names stands for that of a virtual processor's VMCS. */
bool io_wire_post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct machine_io *io = ctx;
    for (unsigned i = 0; i < io->driver_count; i++) {
        struct io_driver *d = &io->drivers[i];
        if (d->descriptor == descriptor) {
            struct posted_notification n = guest_post(d->core, d->vcpu, vector, urgent);
            *notify_vector = n.vector;
            *ndst = (uint32_t)(d->core - io->machine->cores);
            return n.send;
        }
    }
    return false;
}

static uint8_t vector_of(const struct io_driver *d)
{
    return d->host ? (uint8_t)IO_HOST_VECTOR : (uint8_t)(IO_VECTOR + d->vcpu);
}

bool io_wire_connect(struct io_driver *d, struct hv_err *err)
{
    struct machine_io *io = d->io;
    const uint32_t apic = (uint32_t)(d->core - io->machine->cores);
    if (io->iommu == NULL || !io->machine->params.iommu.interrupt_remapping) {
        d->message_address = UINT64_C(0xfee00000) | (uint64_t)apic << 12;
        d->message_data = vector_of(d);
        return true;
    }
    struct irq_route route = {.source = io_source(d), .vector = vector_of(d), .destination = apic};
    if (io->params->attach == IO_POSTED && !io->native) {
        route.posted = true;
        route.descriptor = d->descriptor = dma_unit_take_page(&io->unit);
    }
    struct irq_message message = irq_map_add(&io->interrupts, &route, 0);
    d->message_address = message.address;
    d->message_data = message.data;
    return message.ok || hv_fail(err, "io.functions are more than the IOMMU has interrupts for; choose fewer");
}
