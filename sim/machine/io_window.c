/* SPDX-License-Identifier: MIT */
/*
 * Registers as guests see them: each VM with functions has a window (vmm/vm_window.h), in which the registers of its
 * functions follow each other.
 *
 * Of an assigned function EPT has the pages that drivers use at run time. The table of MSI-X it does not have: a guest
 * must not choose the messages that its device sends, so hypervisors keep that page to themselves. Of an emulated
 * card, EPT has misconfigured entries for all pages. A paravirtual one is notified through a port, and has no
 * registers in memory.
 */
#include "machine/io_parts.h"

#include <stdlib.h>

static bool is_seen(const struct machine_io *io)
{
    return !io->native && io->drivers[0].kind != NULL && io->params->attach != IO_PARAVIRTUAL;
}

/* Where firmware puts the registers: behind memory, the hypervisor's own included, in the next GiB. */
static bool place(struct machine_io *io, struct hv_err *err)
{
    const struct machine_params *p = &io->machine->params;
    const uint64_t end = p->machine.memory + p->vmm.footprint, bits = p->mmu.physical_bits;
    io->registers = (end + HV_GIB(1) - 1) / HV_GIB(1) * HV_GIB(1);
    const uint64_t last = io->registers + (p->dev.functions + 1) * IO_WINDOW_BYTES - 1;
    return last >> bits == 0 ||
           hv_fail(err, "mmu.physical_bits of %llu has no addresses behind machine.memory for the registers of "
                   "io.device; raise it, or lower machine.memory", (unsigned long long)bits);
}

/* Function i is VM i's modulo their number, as drivers are. */
static bool show(struct io_driver *d, struct hv_err *err)
{
    struct machine_io *io = d->io;
    const struct machine_params *p = &io->machine->params;
    const unsigned count = (unsigned)p->vm.count, vm = d->number % count;
    const struct vm_window_config config = {
        (io->driver_count - vm + count - 1) / count * (uint64_t)IO_WINDOW_BYTES, (unsigned)p->mmu.physical_bits,
    };
    d->window = &io->windows[vm];
    d->window_offset = d->number / count * (uint64_t)IO_WINDOW_BYTES;
    if (d->number < count &&
        !vm_window_init(d->window, &io->machine->vms[vm], &config, &io->machine->host_next, err)) {
        return false;
    }
    if (d->host) {
        vm_window_trap(d->window, d->window_offset, IO_WINDOW_BYTES);
    } else {
        const uint64_t registers = io->registers + d->function * (uint64_t)IO_WINDOW_BYTES;
        vm_window_pass(d->window, d->window_offset, registers, IO_MSIX_TABLE);
    }
    return true;
}

bool io_window_build(struct machine_io *io, struct hv_err *err)
{
    if (!is_seen(io)) {
        return true;
    }
    if (!place(io, err)) {
        return false;
    }
    io->windows = calloc(io->machine->params.vm.count, sizeof(*io->windows));
    HV_ASSERT(io->windows != NULL, "out of memory");
    for (unsigned i = 0; i < io->driver_count; i++) {
        if (!show(&io->drivers[i], err)) {
            return false;
        }
    }
    return true;
}
