/* SPDX-License-Identifier: MIT */
/*
 * A device with a fault, or under another's control: beside its work it writes where nothing was given to it. Such a
 * write is posted, so the device learns nothing of what becomes of it.
 *
 * MODEL: it takes no time on the link, and where nothing blocks it (iommu.mode off or passthrough) it changes no memory:
 * what it costs is the IOMMU's and the processor's time.
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
    const struct iommu_reply reply = io_port_translate(io, &stray, now);
    io->stats.strays++;
    io->stats.strays_blocked += !reply.ok;
    if (io->activity != NULL) {
        activity_add(io->activity, ACTIVITY_DMA, now, reply.done - now, reply.ok ? "stray" : "stray, blocked");
    }
}
