/* SPDX-License-Identifier: MIT */
/* The invalidation queue: VT-d, "Queued Invalidation Interface". Descriptors have 256 bits in scalable mode. */
#include "iommu/iommu_descriptors.h"
#include "vmm/dma_unit.h"

/* IQA.DW. */
#define IQA_WIDE (UINT64_C(1) << 11)

/* An invalidation ends when the writes and reads that are under way have. */
enum { DRAIN = IOMMU_IOTLB_DRAIN_WRITES | IOMMU_IOTLB_DRAIN_READS };

static uint64_t type_of(enum iommu_descriptor_type type, uint64_t granularity)
{
    return iommu_descriptor_type_bits(type) | granularity << IOMMU_G_SHIFT;
}

static uint64_t domain_field(uint16_t domain)
{
    return (uint64_t)domain << IOMMU_DESCRIPTOR_DOMAIN_SHIFT;
}

static uint64_t pasid_field(uint32_t pasid)
{
    return (uint64_t)pasid << IOMMU_DESCRIPTOR_PASID_SHIFT;
}

static uint64_t source_field(uint16_t source)
{
    return (uint64_t)source << IOMMU_DESCRIPTOR_SOURCE_SHIFT;
}

struct dma_command dma_command_context_all(void)
{
    return (struct dma_command){.low = type_of(IOMMU_DESCRIPTOR_CONTEXT, IOMMU_G_GLOBAL)};
}

struct dma_command dma_command_context_device(uint16_t domain, uint16_t source)
{
    uint64_t type = type_of(IOMMU_DESCRIPTOR_CONTEXT, IOMMU_G_DEVICE);
    return (struct dma_command){.low = type | domain_field(domain) | source_field(source)};
}

struct dma_command dma_command_pasid_all(void)
{
    return (struct dma_command){.low = type_of(IOMMU_DESCRIPTOR_PASID_CACHE, IOMMU_G_PASID_CACHE_GLOBAL)};
}

struct dma_command dma_command_pasid(uint16_t domain, uint32_t pasid)
{
    uint64_t type = type_of(IOMMU_DESCRIPTOR_PASID_CACHE, IOMMU_G_PASID_CACHE_PASID);
    return (struct dma_command){.low = type | domain_field(domain) | pasid_field(pasid)};
}

struct dma_command dma_command_iotlb_all(void)
{
    return (struct dma_command){.low = type_of(IOMMU_DESCRIPTOR_IOTLB, IOMMU_G_GLOBAL) | DRAIN};
}

struct dma_command dma_command_iotlb_domain(uint16_t domain)
{
    return (struct dma_command){.low = type_of(IOMMU_DESCRIPTOR_IOTLB, IOMMU_G_DOMAIN) | DRAIN | domain_field(domain)};
}

static uint64_t range_word(const struct dma_range *range)
{
    return range->address | (range->leaves_only ? IOMMU_IVA_IH : 0) | range->pages_log2;
}

struct dma_command dma_command_iotlb_pages(uint16_t domain, const struct dma_range *range)
{
    return (struct dma_command){
        .low = type_of(IOMMU_DESCRIPTOR_IOTLB, IOMMU_G_PAGE) | DRAIN | domain_field(domain),
        .high = range_word(range),
    };
}

struct dma_command dma_command_piotlb_pages(uint16_t domain, uint32_t pasid, const struct dma_range *range)
{
    uint64_t type = type_of(IOMMU_DESCRIPTOR_PASID_IOTLB, IOMMU_G_PASID_PAGE);
    return (struct dma_command){.low = type | domain_field(domain) | pasid_field(pasid), .high = range_word(range)};
}

/* The lowest bit from 12 on that is 0 says the size, if the flag is set: bit 12 two pages, bit 13 four. */
static uint64_t device_range(uint64_t address, unsigned pages_log2, uint64_t size_flag)
{
    uint64_t half = UINT64_C(1) << (HV_PAGE_SHIFT - 1) << pages_log2;
    return pages_log2 > 0 ? (address & ~half) | (half - HV_PAGE_BYTES) | size_flag : address;
}

struct dma_command dma_command_device_tlb(uint16_t source, uint64_t address, unsigned pages_log2)
{
    return (struct dma_command){
        .low = iommu_descriptor_type_bits(IOMMU_DESCRIPTOR_DEVICE_TLB) | source_field(source),
        .high = device_range(address, pages_log2, IOMMU_DEVICE_TLB_SIZE),
    };
}

struct dma_command dma_command_device_tlb_pasid(uint16_t source, uint32_t pasid, uint64_t address,
                                                unsigned pages_log2)
{
    return (struct dma_command){
        .low = iommu_descriptor_type_bits(IOMMU_DESCRIPTOR_PASID_DEVICE_TLB) | pasid_field(pasid) |
               (uint64_t)source << IOMMU_DESCRIPTOR_PASID_SOURCE_SHIFT,
        .high = device_range(address, pages_log2, IOMMU_PASID_DEVICE_TLB_SIZE),
    };
}

struct dma_command dma_command_interrupt_all(void)
{
    return (struct dma_command){.low = iommu_descriptor_type_bits(IOMMU_DESCRIPTOR_INTERRUPT)};
}

struct dma_command dma_command_interrupt(uint32_t index)
{
    return (struct dma_command){
        .low = iommu_descriptor_type_bits(IOMMU_DESCRIPTOR_INTERRUPT) | IOMMU_INTERRUPT_SELECTIVE |
               (uint64_t)index << IOMMU_INTERRUPT_INDEX_SHIFT,
    };
}

static unsigned descriptor_bytes(const struct dma_unit *u)
{
    return u->scalable ? 32 : 16;
}

hv_cycles dma_queue_start(struct dma_unit *u, hv_cycles now)
{
    u->tail = 0;
    iommu_write(u->iommu, IOMMU_IQT, 8, 0, now);
    iommu_write(u->iommu, IOMMU_IQA, 8, u->queue | (u->scalable ? IQA_WIDE : 0), now);
    dma_unit_command(u, IOMMU_GSTS_QIES, now);
    return now;
}

void dma_queue_add(struct dma_unit *u, const struct dma_command *command)
{
    uint64_t at = u->queue + u->tail;
    physmem_write64(u->memory, (hv_hpa){at}, command->low);
    physmem_write64(u->memory, (hv_hpa){at + 8}, command->high);
    u->tail = (u->tail + descriptor_bytes(u)) % HV_PAGE_BYTES;
}

static bool is_written(const struct dma_unit *u)
{
    return (uint32_t)physmem_read64(u->memory, (hv_hpa){u->status}) == u->status_value;
}

/* Lets the hardware work up to a wait descriptor. Returns when it is done. */
static hv_cycles submit(struct dma_unit *u, hv_cycles now)
{
    struct dma_command wait = {
        .low = iommu_descriptor_type_bits(IOMMU_DESCRIPTOR_WAIT) | IOMMU_WAIT_STATUS |
               (uint64_t)u->status_value << IOMMU_WAIT_DATA_SHIFT,
        .high = u->status,
    };
    dma_queue_add(u, &wait);
    iommu_write(u->iommu, IOMMU_IQT, 8, u->tail, now);
    hv_cycles done = iommu_busy_until(u->iommu);
    return done > now ? done : now;
}

/* A device that does not answer stops the queue, and the wait descriptor is lost: another one is submitted. */
hv_cycles dma_queue_wait(struct dma_unit *u, hv_cycles now)
{
    hv_cycles start = now;
    u->status_value++;
    now = submit(u, now + u->cost.submit_cycles);
    while (!is_written(u)) {
        uint32_t status = (uint32_t)iommu_read(u->iommu, IOMMU_FSTS, 4, now);
        HV_ASSERT((status & IOMMU_FSTS_ITE) != 0, "the IOMMU stopped at a descriptor of its driver, FSTS %#x", status);
        iommu_write(u->iommu, IOMMU_FSTS, 4, IOMMU_FSTS_ITE, now);
        now = submit(u, now);
        u->stats.invalidation_timeouts++;
    }
    now += u->cost.wait_cycles;
    u->stats.invalidations++;
    u->stats.invalidation_cycles += now - start;
    return now;
}
