/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's references to memory.
 */
#include "iommu/iommu_parts.h"

/* A reference of walks and table reads: lines of the last-level cache, or of memory past it. */
static hv_cycles reference_done(const struct iommu_reader *r, uint64_t address)
{
    const struct iommu_wires *wires = &r->u->wires;
    bool past = (!r->snooped || r->u->params.walk_entry == IOMMU_WALK_DRAM) && wires->dram.read != NULL;
    const struct mem_port *port = past ? &wires->dram : &wires->memory;
    return port->read == NULL ? r->now : port->read(port->ctx, address >> 6, CACHE_WALK, r->now).done;
}

bool iommu_is_read_only(const struct iommu *u, uint64_t address, uint64_t bytes)
{
    const struct iommu_params *p = &u->params;
    return bytes > 0 && address < p->rom_base + p->rom_bytes && address + bytes > p->rom_base && p->rom_bytes > 0;
}

bool iommu_may_write(const struct iommu *u, uint64_t address, uint64_t bytes)
{
    return physmem_pointer(u->memory, (hv_hpa){address}, bytes) != NULL && !iommu_is_read_only(u, address, bytes);
}

void iommu_touch_entry(struct iommu_reader *r, uint64_t address)
{
    if (!r->untimed) {
        r->now = reference_done(r, address);
    }
}

bool iommu_read_entry(struct iommu_reader *r, uint64_t address, uint64_t *words, unsigned count)
{
    const struct physmem *memory = r->u->memory;
    if (address >= memory->size) {
        return false;
    }
    iommu_touch_entry(r, address);
    r->refs++;
    for (unsigned i = 0; i < count; i++) {
        words[i] = physmem_read64(memory, (hv_hpa){address + 8 * i});
    }
    return true;
}

uint64_t iommu_read_table(struct iommu *u, uint64_t address, hv_cycles *now)
{
    struct iommu_reader r = {.u = u, .now = *now, .snooped = u->params.coherent};
    uint64_t word = UINT64_MAX;
    iommu_read_entry(&r, address, &word, 1);
    *now = r.now;
    return word;
}
