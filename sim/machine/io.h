/* SPDX-License-Identifier: MIT */
/*
 * The devices of a machine, the IOMMU that they reach memory and cores through, and the drivers on the cores.
 *
 * Devices act beside the cores, in the order of time: io_next() is when one of them does something next, io_act() does
 * it, and who calls these is machine/turns.h or, with timing.sync quantum, run.c. A DMA goes through the IOMMU to the
 * last-level cache and main memory, where it meets what cores do. An interrupt goes through the IOMMU to the core that
 * runs the driver, which takes it between two accesses of its stream.
 *
 * A driver runs on its core as timed work (io_core_serve): cycles of software (io.driver_cycles), accesses to the
 * descriptors and payloads in memory, accesses to the device's registers. Those of a guest's driver are instructions,
 * which exit where EPT or the I/O bitmaps say so (io_window.c, guest_device.c).
 *
 * MODEL: drivers' addresses in memory need no translation, as those of a kernel that maps it by large pages nearly do
 * not. MODEL: the interrupted stream waits for the driver; there is one core for both.
 */
#ifndef HV_MACHINE_IO_H
#define HV_MACHINE_IO_H

#include "cpu/execute/wires.h"
#include "dev/dev.h"
#include "machine/machine.h"

/* Builds m->io, of a machine that is otherwise built. On failure machine_free() frees what is there. */
bool io_build(struct machine *m, struct hv_err *err);
void io_free(struct machine_io *io);

/* All of these do nothing, or say never, where `io` is NULL. */

/* When a device does something next, UINT64_MAX: never; and doing what is due at `now`. Returns the next such time. */
hv_cycles io_next(const struct machine_io *io);
hv_cycles io_act(struct machine_io *io, hv_cycles now);

/* Whether all packets that were asked for are through; whether a core that has nothing to run waits for some. */
bool io_over(const struct machine_io *io);
bool io_expected(const struct machine_io *io);

/* The least time from a device's action until a core can notice: the latency of an interrupt. */
hv_cycles io_interrupt_cycles(const struct machine_io *io);

void io_reset_stats(struct machine_io *io);
void io_check(const struct machine_io *io);

/* Tells a recording of transfers and interrupts from now on; NULL: nobody any more. */
void io_watch(struct machine_io *io, struct activity_core *activity);

/* What check.stale has found in the IOMMU, a line each; returns how often that was. */
uint64_t io_stale_report(const struct machine_io *io, FILE *out);
void io_register_stats(struct machine_io *io, struct stat_registry *registry);

/* For the reference, which lists them all and reads no values. */
void io_register_reference(struct stat_registry *registry);

/* Who keeps the order of time, and has to know what becomes due earlier than announced. */
struct io_order {
    void (*device)(void *ctx, hv_cycles at);
    void (*core)(void *ctx, unsigned core, hv_cycles at);
    void *ctx;
};
void io_set_order(struct machine_io *io, const struct io_order *order);

/* ---- For who places the parts in time ---------------------------------------------------------------------------- */

/* What devices are plugged into: the IOMMU. It calls the port to memory. */
const struct dev_port *io_root_port(const struct machine_io *io);

/* Lets devices call the root port by way of one port, and the IOMMU memory by way of another. */
void io_connect(struct machine_io *io, const struct dev_port *device, const struct mem_port *memory);

/*
 * A processor's access to a host-physical address. False: no register of the device lies there. A write arrives at the
 * device later; what is read is what the register says at `now`. MODEL: reading takes no time, as no driver reads.
 */
bool io_access(struct machine_core *c, const struct cpu_device_access *access, hv_cycles now);

/* ---- Of a core -------------------------------------------------------------------------------------------------- */

/* When an interrupt or a driver's work is due; UINT64_MAX: never. */
hv_cycles io_core_due(const struct io_core *c);

static inline hv_cycles io_core_next(const struct machine_core *c)
{
    return c->io != NULL ? io_core_due(c->io) : UINT64_MAX;
}

/* Takes the interrupts that have arrived and runs the drivers that have work. */
void io_core_serve(struct machine_core *c);

/* The core has nothing to run from now on; and its time goes on to what is due next. */
void io_core_rest(struct machine_core *c);
void io_core_wait(struct machine_core *c);

/* A guest of the core has handled a device's interrupt, which was delivered and ended at these times. */
void io_core_handled(struct machine_core *c, uint32_t vcpu, hv_cycles delivered, hv_cycles ended);

/* A virtual processor goes on: the vector of an interrupt that came while it was away, or -1. */
int io_core_waiting(struct machine_core *c, uint32_t vcpu);

#endif
