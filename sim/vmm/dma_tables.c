/* SPDX-License-Identifier: MIT */
/* Domains: their page tables, and the invalidation of what hardware has cached of them. */
#include "vmm/dma_tables.h"

#include <stdlib.h>
#include <string.h>

static bool has_first(enum dma_mode mode)
{
    return mode == DMA_FIRST || mode == DMA_NESTED;
}

static bool has_second(enum dma_mode mode)
{
    return mode == DMA_LEGACY || mode == DMA_SECOND || mode == DMA_NESTED;
}

/* --- page tables ------------------------------------------------------------------------------------------------- */

/* Flags are set from the start, so that no walk has to set them. */
static bool make_first(struct dma_domain *d, const struct dma_domain_config *c)
{
    uint64_t table = RADIX_IA32E_P | RADIX_IA32E_W | RADIX_IA32E_U | RADIX_IA32E_ACCESSED;
    d->first = (struct page_table){
        .memory = d->unit->memory,
        .arena = c->first_frames != NULL ? c->first_frames : d->unit->frames,
        .host_offset = c->first_offset,
        .levels = c->first_levels,
        .table_bits = table,
        .leaf_bits = table | RADIX_IA32E_DIRTY,
    };
    return page_table_init(&d->first);
}

static bool make_second(struct dma_domain *d, const struct dma_domain_config *c)
{
    if (c->share != NULL) {
        d->second = *c->share;
        return true;
    }
    d->second = (struct page_table){
        .memory = d->unit->memory,
        .arena = d->unit->frames,
        .levels = c->second_levels,
        .table_bits = RADIX_VTD_R | RADIX_VTD_W,
        .leaf_bits = RADIX_VTD_R | RADIX_VTD_W,
    };
    return page_table_init(&d->second);
}

static bool check_levels(const struct dma_domain *d, const struct dma_domain_config *c, struct hv_err *err)
{
    const struct dma_caps *caps = &d->unit->caps;
    unsigned second = c->share != NULL ? c->share->levels : c->second_levels;
    if (has_second(d->mode) && (caps->second_levels >> second & 1) == 0) {
        return hv_fail(err, "second-stage tables of the IOMMU would have %u levels, which iommu.levels does not "
                       "offer; add %u there, or choose other tables", second, second);
    }
    if (has_first(d->mode) && c->first_levels != 4 && !(c->first_levels == 5 && caps->first_5)) {
        return hv_fail(err, "first-stage tables of the IOMMU would have %u levels, but they have 4, or 5 with "
                       "iommu.first_stage_5; change iommu.table_levels", c->first_levels);
    }
    return true;
}

bool dma_domain_init(struct dma_domain *d, struct dma_unit *unit, const struct dma_domain_config *config,
                     struct hv_err *err)
{
    HV_ASSERT(config->id != 0, "domain 0 is the hardware's");
    *d = (struct dma_domain){.unit = unit, .id = config->id, .mode = config->mode};
    if (!check_levels(d, config, err)) {
        return false;
    }
    bool made = (!has_first(d->mode) || make_first(d, config)) && (!has_second(d->mode) || make_second(d, config));
    return made || hv_fail(err, "there is no memory left for the IOMMU's tables; raise machine.memory");
}

void dma_domain_fini(struct dma_domain *d)
{
    free(d->devices);
    memset(d, 0, sizeof(*d));
}

/* The largest page, up to a size, that the hardware has and that fits at two addresses. */
static enum hv_page_size fitting(const struct dma_domain *d, uint64_t addresses, uint64_t bytes,
                                 enum hv_page_size size)
{
    while (size != HV_PAGE_4K && ((d->unit->caps.second_sizes >> size & 1) == 0 || bytes < hv_page_bytes(size) ||
                                  (addresses & (hv_page_bytes(size) - 1)) != 0)) {
        size--;
    }
    return size;
}

bool dma_domain_map(struct dma_domain *d, uint64_t address, uint64_t host, uint64_t bytes, enum hv_page_size largest)
{
    for (uint64_t done = 0; done < bytes;) {
        enum hv_page_size size = fitting(d, (address + done) | (host + done), bytes - done, largest);
        if (!page_table_map(&d->second, address + done, size, host + done)) {
            return false;
        }
        done += hv_page_bytes(size);
    }
    return true;
}

/* --- invalidation ------------------------------------------------------------------------------------------------ */

enum { COMMANDS_AT_ONCE = 64 /* the queue holds 127 descriptors or more */ };

/* Puts a command into the queue, and waits for those there when they have become many. */
static hv_cycles add_command(struct dma_domain *d, struct dma_command command, unsigned *added, hv_cycles now)
{
    dma_queue_add(d->unit, &command);
    return ++*added % COMMANDS_AT_ONCE == 0 ? dma_queue_wait(d->unit, now) : now;
}

static struct dma_command device_command(const struct dma_device *device, uint64_t address, unsigned pages_log2)
{
    return device->has_pasid ? dma_command_device_tlb_pasid(device->source, device->pasid, address, pages_log2)
                             : dma_command_device_tlb(device->source, address, pages_log2);
}

/* Device TLBs last, when the IOTLB cannot fill them any more with what is stale. */
static hv_cycles invalidate_devices(struct dma_domain *d, uint64_t address, unsigned pages_log2, hv_cycles now)
{
    unsigned added = 0;
    for (size_t i = 0; i < d->device_count; i++) {
        if (d->devices[i].device_tlb) {
            now = add_command(d, device_command(&d->devices[i], address, pages_log2), &added, now);
        }
    }
    return added % COMMANDS_AT_ONCE != 0 ? dma_queue_wait(d->unit, now) : now;
}

/* Whether no device before this one is attached by the same PASID. */
static bool is_first_of_pasid(const struct dma_domain *d, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (d->devices[i].pasid == d->devices[number].pasid) {
            return false;
        }
    }
    return true;
}

static hv_cycles add_first_stage(struct dma_domain *d, const struct dma_range *range, hv_cycles now)
{
    unsigned added = 0;
    for (size_t i = 0; i < d->device_count; i++) {
        if (is_first_of_pasid(d, i)) {
            now = add_command(d, dma_command_piotlb_pages(d->id, d->devices[i].pasid, range), &added, now);
        }
    }
    return now;
}

hv_cycles dma_domain_invalidate(struct dma_domain *d, const struct dma_range *range, hv_cycles now)
{
    const struct dma_caps *caps = &d->unit->caps;
    if (!caps->page_selective || range->pages_log2 > caps->mask_max) {
        return dma_domain_flush(d, now);
    }
    if (has_first(d->mode)) {
        now = add_first_stage(d, range, now);
    } else {
        struct dma_command command = dma_command_iotlb_pages(d->id, range);
        dma_queue_add(d->unit, &command);
    }
    now = dma_queue_wait(d->unit, now);
    return invalidate_devices(d, range->address, range->pages_log2, now);
}

hv_cycles dma_domain_flush(struct dma_domain *d, hv_cycles now)
{
    struct dma_command command = dma_command_iotlb_domain(d->id);
    dma_queue_add(d->unit, &command);
    now = dma_queue_wait(d->unit, now);
    return invalidate_devices(d, 0, DMA_EVERYTHING_LOG2, now);
}
