/* SPDX-License-Identifier: MIT */
/*
 * Memory of a device's functions, rings and buffers, and what the IOMMU lets the device reach.
 *
 * A function whose driver is the operating system's or the hypervisor's has buffers that the driver maps and unmaps
 * (iommu.policy). One that belongs to a guest reaches the guest's memory, mapped for good when the VM was made, since
 * the guest knows of no IOMMU; with iommu.mode nested it has one, and maps its buffers in the first stage. MODEL: it
 * reaches the invalidation queue without an exit, which flatters that mode.
 *
 * MODEL: a guest's rings and buffers are apart from the memory of its streams, from IO_GUEST_PHYSICAL on, and EPT does
 * not hold them, as drivers' accesses to them are not translated (io.h).
 */
#include "machine/io_parts.h"

#define IO_GUEST_PHYSICAL (UINT64_C(1) << 37) /* 1 GiB-aligned, and within tables of 3 levels */

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

/* Nested: the guest's first-stage tables, behind what the device is to reach. */
static uint64_t first_stage_bytes(const struct io_driver *d, uint64_t bytes)
{
    return d->io->machine->params.dma_map.mode == DMA_NESTED ? align_up(bytes / 128 + HV_MIB(1), HV_PAGE_BYTES) : 0;
}

bool io_memory_reserve(struct io_driver *d, uint64_t bytes, struct hv_err *err)
{
    struct machine *m = d->io->machine;
    const uint64_t page = hv_page_bytes((enum hv_page_size)m->params.dma_map.page_size);
    struct io_memory *memory = &d->memory;
    memory->base = align_up(m->host_next, page);
    memory->usable = align_up(bytes, HV_PAGE_BYTES);
    memory->bytes = align_up(memory->usable + first_stage_bytes(d, memory->usable), page);
    memory->seen = d->io->native || d->host ? memory->base : IO_GUEST_PHYSICAL;
    if (memory->base > m->memory.size || memory->bytes > m->memory.size - memory->base) {
        return hv_fail(err, "machine.memory of %llu MiB has no room for the buffers of io.device, %llu MiB for each function; "
                       "raise it or lower io.window", (unsigned long long)(m->memory.size >> 20),
                       (unsigned long long)(memory->bytes >> 20));
    }
    m->host_next = memory->base + memory->bytes;
    return true;
}

/* ---- The domain of a function ----------------------------------------------------------------------------------- */

static bool has_second_stage(enum dma_mode mode)
{
    return mode == DMA_LEGACY || mode == DMA_SECOND || mode == DMA_NESTED;
}

/* Whether a driver maps each buffer that it hands to the device. */
static bool driver_maps(const struct io_driver *d, enum dma_mode mode)
{
    if (d->io->device == IO_DEVICE_DMA) {
        return false;
    }
    return mode == DMA_NESTED || ((d->io->native || d->host) && mode != DMA_PASSTHROUGH);
}

static bool map_whole(struct io_driver *d, const struct machine_params *p, struct hv_err *err)
{
    struct io_memory *m = &d->memory;
    if (has_second_stage((enum dma_mode)p->dma_map.mode) && (!d->domain.maps || p->dma_map.mode == DMA_NESTED) &&
        !dma_domain_map(&d->domain.domain, m->seen, m->base, m->bytes, (enum hv_page_size)p->dma_map.page_size)) {
        return hv_fail(err, "machine.memory has no room for the tables of the IOMMU; raise it or lower io.window");
    }
    return true;
}

static bool attach(struct io_driver *d, const struct machine_params *p, struct hv_err *err)
{
    const struct dma_device device = {
        .source = io_source(d), .device_tlb = p->dev.ats, .page_requests = p->dev.pri,
    };
    return dma_attach(&d->domain.domain, &device, 0).ok ||
           hv_fail(err, "machine.memory has no room for the tables of the IOMMU; raise it or lower io.window");
}

bool io_memory_attach(struct io_driver *d, struct hv_err *err)
{
    const struct machine_params *p = &d->io->machine->params;
    struct io_domain *domain = &d->domain;
    struct io_memory *m = &d->memory;
    if (d->io->iommu == NULL) {
        return d->io->exclusion == NULL || io_exclusion_attach(d, err);
    }
    domain->first_frames = (struct frames){.next = m->seen + m->usable, .end = m->seen + m->bytes};
    const struct dma_domain_config config = {
        .id = (uint16_t)(d->number + 1), .mode = (enum dma_mode)p->dma_map.mode,
        .first_levels = p->dma_map.table_levels < 4 ? 4 : (unsigned)p->dma_map.table_levels,
        .second_levels = (unsigned)p->dma_map.table_levels,
        .first_frames = p->dma_map.mode == DMA_NESTED ? &domain->first_frames : NULL, .first_offset = m->base - m->seen,
    };
    const struct dma_map_config map = {&p->dma_map, p->machine.clock_mhz, 0};
    domain->maps = driver_maps(d, config.mode);
    domain->attached = dma_domain_init(&domain->domain, &d->io->unit, &config, err);
    return domain->attached && map_whole(d, p, err) && attach(d, p, err) &&
           dma_map_init(&domain->map, &domain->domain, &map, err);
}

void io_memory_fini(struct io_driver *d)
{
    if (d->domain.attached) {
        dma_map_fini(&d->domain.map);
        dma_domain_fini(&d->domain.domain);
    }
}

/* ---- Rings and buffers ------------------------------------------------------------------------------------------ */

uint64_t io_memory_take(struct io_driver *d, uint64_t bytes)
{
    struct io_memory *m = &d->memory;
    HV_ASSERT(bytes <= m->usable - m->given, "a function has no memory left");
    uint64_t taken = m->base + m->given;
    m->given += align_up(bytes, HV_PAGE_BYTES);
    return taken;
}

/* What its operating system, not the host, calls the address. */
static uint64_t address_of(const struct io_driver *d, uint64_t host)
{
    return host - d->memory.base + d->memory.seen;
}

bool io_memory_ring(struct io_driver *d, uint64_t host, uint64_t bytes, uint64_t *iova)
{
    *iova = address_of(d, host);
    if (!d->domain.maps) {
        return true;
    }
    struct dma_mapping mapping = dma_map(&d->domain.map, *iova, bytes, DMA_DEVICE_BOTH, 0);
    *iova = mapping.iova;
    return mapping.ok;
}

bool io_memory_map(struct io_driver *d, uint64_t host, uint64_t bytes, enum dma_direction direction, uint64_t *iova)
{
    *iova = address_of(d, host);
    if (!d->domain.maps) {
        return true;
    }
    struct dma_mapping mapping = dma_map(&d->domain.map, *iova, bytes, direction, io_work_now(d));
    *iova = mapping.iova;
    io_work(d, mapping.done - io_work_now(d), "mapping a buffer");
    return mapping.ok;
}

void io_memory_unmap(struct io_driver *d, uint64_t iova, uint64_t bytes)
{
    if (d->domain.maps) {
        hv_cycles done = dma_unmap(&d->domain.map, iova, bytes, io_work_now(d));
        io_work(d, done - io_work_now(d), "unmapping a buffer");
    }
}

hv_cycles io_memory_next(const struct io_driver *d)
{
    return d->domain.maps ? dma_map_next(&d->domain.map) : UINT64_MAX;
}

void io_memory_act(struct io_driver *d)
{
    hv_cycles done = dma_map_act(&d->domain.map, io_work_now(d));
    io_work(d, done - io_work_now(d), "deferred invalidation");
}
