/* SPDX-License-Identifier: MIT */
/* The entries that lead from a requester id, and a PASID, to a domain. */
#include "iommu/iommu_tables.h"
#include "vmm/dma_tables.h"

#include <stdlib.h>

/* A PASID directory of one page: 2^(2 + 7) entries. */
enum { DIRECTORY_PDTS = 2, DIRECTORY_ENTRIES = 512, PASID_WORDS = IOMMU_PASID_BYTES / 8 };

static uint64_t read_word(const struct dma_unit *u, uint64_t address)
{
    return physmem_read64(u->memory, (hv_hpa){address});
}

static void write_word(const struct dma_unit *u, uint64_t address, uint64_t value)
{
    physmem_write64(u->memory, (hv_hpa){address}, value);
}

/* --- finding entries --------------------------------------------------------------------------------------------- */

/* The table that an entry points to, made with these bits if there is none yet; FRAMES_NONE: there is no memory. */
static uint64_t table_below(struct dma_unit *u, uint64_t entry_address, uint64_t bits)
{
    uint64_t entry = read_word(u, entry_address);
    if ((entry & 1) != 0) {
        return entry & IOMMU_POINTER;
    }
    uint64_t table = dma_unit_take_page(u);
    if (table != FRAMES_NONE) {
        write_word(u, entry_address, table | bits);
    }
    return table;
}

/* In scalable mode a root entry has two halves, of 16 devices each. */
static uint64_t context_entry(struct dma_unit *u, uint16_t source)
{
    unsigned bus = source >> 8, function = source & 255, per_table = u->scalable ? 128 : 256;
    uint64_t root = u->root + bus * IOMMU_ROOT_BYTES + (function >= per_table ? 8 : 0);
    uint64_t table = table_below(u, root, IOMMU_ROOT_PRESENT);
    unsigned bytes = u->scalable ? IOMMU_SCALABLE_CONTEXT_BYTES : IOMMU_CONTEXT_BYTES;
    return table == FRAMES_NONE ? FRAMES_NONE : table + function % per_table * bytes;
}

static uint64_t pasid_entry(struct dma_unit *u, const struct dma_device *device)
{
    uint64_t context = context_entry(u, device->source);
    if (context == FRAMES_NONE || device->pasid >= DIRECTORY_ENTRIES * IOMMU_PASIDS_PER_TABLE) {
        return FRAMES_NONE;
    }
    uint64_t bits = IOMMU_CONTEXT_PRESENT | (uint64_t)DIRECTORY_PDTS << IOMMU_SCALABLE_PDTS_SHIFT;
    uint64_t directory = table_below(u, context, bits);
    if (directory == FRAMES_NONE) {
        return FRAMES_NONE;
    }
    uint64_t place = directory + device->pasid / IOMMU_PASIDS_PER_TABLE * IOMMU_PASID_DIRECTORY_BYTES;
    uint64_t table = table_below(u, place, IOMMU_DIRECTORY_PRESENT);
    return table == FRAMES_NONE ? FRAMES_NONE : table + device->pasid % IOMMU_PASIDS_PER_TABLE * IOMMU_PASID_BYTES;
}

/* --- writing them ------------------------------------------------------------------------------------------------ */

/* Pass-through has to name the widest addresses that the hardware offers. */
static uint64_t address_width(const struct dma_domain *d)
{
    unsigned widest = 31 - (unsigned)__builtin_clz(d->unit->caps.second_levels);
    return iommu_aw_of_levels(d->mode == DMA_PASSTHROUGH ? widest : d->second.levels);
}

/* The word with the present bit comes last, so that the hardware never sees half an entry. */
static void write_context(const struct dma_domain *d, const struct dma_device *device, uint64_t entry)
{
    uint64_t type = d->mode == DMA_PASSTHROUGH ? IOMMU_TT_PASSTHROUGH
                    : device->device_tlb       ? IOMMU_TT_DEVICE_TLB
                                               : IOMMU_TT_UNTRANSLATED;
    uint64_t root = d->mode == DMA_PASSTHROUGH ? 0 : d->second.root;
    write_word(d->unit, entry + 8, address_width(d) | (uint64_t)d->id << IOMMU_CONTEXT_DID_SHIFT);
    write_word(d->unit, entry, root | type << IOMMU_CONTEXT_TT_SHIFT | IOMMU_CONTEXT_PRESENT);
}

static uint64_t translation_type(enum dma_mode mode)
{
    return mode == DMA_FIRST    ? IOMMU_PGTT_FIRST
           : mode == DMA_SECOND ? IOMMU_PGTT_SECOND
           : mode == DMA_NESTED ? IOMMU_PGTT_NESTED
                                : IOMMU_PGTT_PASSTHROUGH;
}

static void write_pasid(const struct dma_domain *d, uint64_t entry)
{
    bool second = d->mode == DMA_SECOND || d->mode == DMA_NESTED;
    if (d->mode == DMA_FIRST || d->mode == DMA_NESTED) {
        uint64_t levels = d->first.levels == 5;
        write_word(d->unit, entry + 16, d->first.root | levels << IOMMU_PASID_FSPM_SHIFT);
    }
    write_word(d->unit, entry + 8, d->id | (d->unit->caps.coherent ? IOMMU_PASID_PWSNP : 0));
    uint64_t low = (second ? d->second.root : 0) | translation_type(d->mode) << IOMMU_PASID_PGTT_SHIFT;
    low |= d->mode == DMA_FIRST ? 0 : address_width(d) << IOMMU_PASID_AW_SHIFT;
    write_word(d->unit, entry, low | IOMMU_PASID_PRESENT);
}

/* What the function may ask for, whichever PASID it is attached by. */
static void widen_context(struct dma_unit *u, const struct dma_device *device)
{
    uint64_t context = context_entry(u, device->source);
    bool translated_pasid = device->has_pasid && device->device_tlb && u->caps.translated_pasid;
    uint64_t bits = (device->device_tlb ? IOMMU_SCALABLE_DTE : 0) | (device->has_pasid ? IOMMU_SCALABLE_PASIDE : 0) |
                    (device->page_requests ? IOMMU_SCALABLE_PRE : 0) |
                    (translated_pasid ? IOMMU_SCALABLE_EPTR : 0);
    write_word(u, context, read_word(u, context) | bits);
}

/* --- attaching --------------------------------------------------------------------------------------------------- */

static uint64_t entry_of(struct dma_unit *u, const struct dma_device *device)
{
    return u->scalable ? pasid_entry(u, device) : context_entry(u, device->source);
}

/* Entries of a device have changed, and those of a domain do not hold for it any more. Domain 0: it had none. */
static hv_cycles invalidate_device(struct dma_unit *u, const struct dma_device *device, uint16_t domain, hv_cycles now)
{
    struct dma_command context = dma_command_context_device(domain, device->source);
    struct dma_command pasid = dma_command_pasid(domain, device->pasid);
    struct dma_command iotlb = dma_command_iotlb_domain(domain);
    dma_queue_add(u, &context);
    if (u->scalable) {
        dma_queue_add(u, &pasid);
    }
    dma_queue_add(u, &iotlb);
    return dma_queue_wait(u, now);
}

static void remember(struct dma_domain *d, const struct dma_device *device)
{
    d->devices = realloc(d->devices, (d->device_count + 1) * sizeof(*d->devices));
    HV_ASSERT(d->devices != NULL, "out of memory");
    d->devices[d->device_count++] = *device;
}

static void forget(struct dma_domain *d, const struct dma_device *device)
{
    for (size_t i = 0; i < d->device_count; i++) {
        if (d->devices[i].source == device->source && d->devices[i].pasid == device->pasid) {
            d->devices[i] = d->devices[--d->device_count];
            return;
        }
    }
}

struct dma_done dma_attach(struct dma_domain *d, const struct dma_device *device, hv_cycles now)
{
    struct dma_unit *u = d->unit;
    uint64_t entry = entry_of(u, device);
    if (entry == FRAMES_NONE) {
        return (struct dma_done){.ok = false, .at = now};
    }
    HV_ASSERT((read_word(u, entry) & 1) == 0, "function %#x is attached already", device->source);
    if (u->scalable) {
        write_pasid(d, entry);
        widen_context(u, device);
    } else {
        write_context(d, device, entry);
    }
    remember(d, device);
    return (struct dma_done){.ok = true, .at = invalidate_device(u, device, 0, now)};
}

hv_cycles dma_detach(struct dma_domain *d, const struct dma_device *device, hv_cycles now)
{
    struct dma_unit *u = d->unit;
    uint64_t entry = entry_of(u, device);
    HV_ASSERT(entry != FRAMES_NONE, "function %#x was not attached", device->source);
    for (unsigned i = 0; i < (u->scalable ? PASID_WORDS : 2); i++) {
        write_word(u, entry + 8 * i, 0);
    }
    forget(d, device);
    return invalidate_device(u, device, d->id, now);
}
