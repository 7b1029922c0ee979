/* SPDX-License-Identifier: MIT */
/*
 * iommu.mode exclusion: devices use host-physical addresses, and AMD's Device Exclusion Vector keeps them within the
 * memory of their functions, which stays open to them for good.
 */
#include "machine/io_parts.h"

#include <stdlib.h>

bool io_exclusion_build(struct machine_io *io, struct hv_err *err)
{
    const struct machine_params *p = &io->machine->params;
    const struct mem_port port = {io_port_read, io_port_write, io};
    io->exclusion = calloc(1, sizeof(*io->exclusion));
    HV_ASSERT(io->exclusion != NULL, "out of memory");
    if (!dev_vector_init(io->exclusion, &p->exclusion, &io->machine->memory, &port, err)) {
        return false;
    }
    io->exclusion->check_stale = p->check.stale;
    return true;
}

bool io_exclusion_start(struct machine_io *io, struct hv_err *err)
{
    struct machine *m = io->machine;
    io->frames = (struct frames){.next = m->host_next, .end = m->params.machine.memory};
    const struct dev_map_config config = {&m->memory, &io->frames, m->host_next};
    return dev_map_init(&io->exclusion_map, io->exclusion, &config, err);
}

bool io_exclusion_attach(struct io_driver *d, struct hv_err *err)
{
    struct dev_map *map = &d->io->exclusion_map;
    uint32_t domain;
    if (!dev_map_place(map, io_source(d), &domain, err)) {
        return false;
    }
    dev_map_allow(map, domain, d->memory.base, d->memory.bytes);
    dev_map_invalidate(map, 0);
    return true;
}

struct iommu_reply io_exclusion_check(struct machine_io *io, const struct dev_dma *d, hv_cycles now)
{
    struct dev_vector_reply reply = dev_vector_access(io->exclusion, d->source, d->address, d->write, now);
    return (struct iommu_reply){.ok = reply.ok, .address = d->address, .done = reply.done};
}

void io_exclusion_register(struct machine_io *io, struct stat_registry *r)
{
    struct dev_vector_stats *s = &io->exclusion->stats;
    stats_add(r, "iommu.exclusion", dev_vector_stat_rows, dev_vector_stat_count, s);
    stats_add_sum(r, "iommu.exclusion.cache.lookups", "lookups", "lookups made: hits + misses", &s->cache.hits,
                  &s->cache.misses);
    stats_add(r, "iommu.exclusion.cache", iommu_cache_stat_rows, iommu_cache_stat_count, &s->cache);
    stats_add_ratio(r, "iommu.exclusion.cache.miss_ratio", "misses per lookup", "iommu.exclusion.cache.misses",
                    "iommu.exclusion.cache.lookups");
}

uint64_t io_exclusion_stale_report(const struct machine_io *io, FILE *out)
{
    const uint64_t found = io->exclusion->stats.stale_found;
    if (found > 0) {
        fprintf(out, "%llu accesses of devices used lines of an exclusion vector that memory no longer backed\n",
                (unsigned long long)found);
    }
    return found;
}

void io_exclusion_free(struct machine_io *io)
{
    if (io->exclusion != NULL) {
        dev_vector_fini(io->exclusion);
        free(io->exclusion);
    }
}
