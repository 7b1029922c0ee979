/* SPDX-License-Identifier: MIT */
/*
 * A device with a fault, or under another's control: beside its work it writes where nothing was given to it. Such a
 * write is posted, so the device learns nothing of what becomes of it.
 */
#include "machine/io_parts.h"

/* An address that no function is given, whatever the mode: above what guests and hosts map, within 3 levels. */
#define STRAY_ADDRESS (UINT64_C(1) << 38)

enum { STRAY_BYTES = 64 };

void io_stray(struct machine_io *io, const struct dev_dma *d, hv_cycles now)
{
    if (io->params->stray_interval == 0 || ++io->since_stray < io->params->stray_interval) {
        return;
    }
    io->since_stray = 0;
    const struct dev_dma stray = {.source = d->source, .write = true, .address = STRAY_ADDRESS, .bytes = STRAY_BYTES};
    io->stats.strays++;
    io->stats.strays_blocked += !io_port_translate(io, &stray, now).ok;
}
