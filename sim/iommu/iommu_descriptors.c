/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_descriptors.h"

#include "iommu/iommu_register_parts.h"

struct row {
    uint32_t type;
    bool scalable, invalidates;
    uint64_t reserved_low, reserved_high;
};

static const struct row rows[] = {
#define D(type, name, scalable, invalidates, reserved_low, reserved_high, text) \
    {type, scalable, invalidates, UINT64_C(reserved_low), UINT64_C(reserved_high)},
#include "iommu/iommu_descriptors.def"
#undef D
};

/* MODEL: PFSID and MIP, by which hardware limits the invalidations under way to a device, change nothing. */
enum { EVERYTHING_LOG2 = 52 };

static uint32_t type_of(const struct iommu_descriptor *d)
{
    return (uint32_t)(d->word[0] & 0xf) | (uint32_t)(d->word[0] >> 5 & 0x70);
}

static bool is_offered(const struct iommu_params *p, uint32_t type)
{
    switch (type) {
    case IOMMU_DESCRIPTOR_DEVICE_TLB: case IOMMU_DESCRIPTOR_PASID_DEVICE_TLB: return iommu_has_device_tlb(p);
    case IOMMU_DESCRIPTOR_INTERRUPT: return p->interrupt_remapping;
    case IOMMU_DESCRIPTOR_PAGE_RESPONSE: return iommu_has_page_requests(p);
    case IOMMU_DESCRIPTOR_HOST_PERMISSION: return iommu_has_host_permissions(p);
    default: return true;
    }
}

static const struct row *find(const struct iommu *u, const struct iommu_descriptor *d)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        if (rows[i].type == type_of(d) && is_offered(&u->params, rows[i].type) &&
            (!rows[i].scalable || u->regs.table_mode == IOMMU_SCALABLE)) {
            return &rows[i];
        }
    }
    return NULL;
}

static unsigned granularity(const struct iommu_descriptor *d)
{
    return d->word[0] >> IOMMU_G_SHIFT & 3;
}

static uint16_t domain_of(const struct iommu_descriptor *d)
{
    return (uint16_t)(d->word[0] >> IOMMU_DESCRIPTOR_DOMAIN_SHIFT);
}

static uint32_t pasid_of(const struct iommu_descriptor *d)
{
    return d->word[0] >> IOMMU_DESCRIPTOR_PASID_SHIFT & 0xfffff;
}

static uint64_t address_of(const struct iommu_descriptor *d)
{
    return d->word[1] & ~UINT64_C(0xfff);
}

static unsigned address_mask(const struct iommu_descriptor *d)
{
    return d->word[1] & IOMMU_IVA_AM;
}

static unsigned index_mask(const struct iommu_descriptor *d)
{
    return d->word[0] >> IOMMU_INTERRUPT_MASK_SHIFT & 0x1f;
}

/* Values that are reserved although no bit of theirs is. */
static bool has_reserved_value(const struct iommu *u, const struct iommu_descriptor *d)
{
    unsigned g = granularity(d);
    switch (type_of(d)) {
    case IOMMU_DESCRIPTOR_CONTEXT: case IOMMU_DESCRIPTOR_HOST_PERMISSION: return g == 0;
    case IOMMU_DESCRIPTOR_IOTLB: return g == 0 || (g == IOMMU_G_PAGE && address_mask(d) > IOMMU_MAX_ADDRESS_MASK);
    case IOMMU_DESCRIPTOR_INTERRUPT:
        return (d->word[0] & IOMMU_INTERRUPT_SELECTIVE) != 0 && index_mask(d) > IOMMU_MAX_HANDLE_MASK;
    case IOMMU_DESCRIPTOR_WAIT:
        return (d->word[0] & IOMMU_WAIT_DRAIN_REQUESTS) != 0 && !iommu_has_page_requests(&u->params);
    case IOMMU_DESCRIPTOR_PASID_IOTLB:
        return g < IOMMU_G_PASID_ALL_PAGES || (g == IOMMU_G_PASID_PAGE && address_mask(d) > IOMMU_MAX_ADDRESS_MASK);
    case IOMMU_DESCRIPTOR_PASID_CACHE: return g == 2;
    default: return false;
    }
}

static void run_context(struct iommu *u, const struct iommu_descriptor *d)
{
    static const enum iommu_context_scope scope[] = {
        [IOMMU_G_GLOBAL] = IOMMU_CONTEXT_ALL, [IOMMU_G_DOMAIN] = IOMMU_CONTEXT_DOMAIN,
        [IOMMU_G_DEVICE] = IOMMU_CONTEXT_DEVICE,
    };
    iommu_invalidate_context(u, scope[granularity(d)], domain_of(d),
                             (uint16_t)(d->word[0] >> IOMMU_DESCRIPTOR_SOURCE_SHIFT),
                             d->word[0] >> IOMMU_DESCRIPTOR_FUNCTION_MASK_SHIFT & 3);
}

/*
 * DR and DW ask for a drain first. MODEL: DMAs that were translated before a descriptor runs are over for it, so a
 * drain takes no time, and none reaches memory by an old translation after the invalidation is complete.
 */
static void run_iotlb(struct iommu *u, const struct iommu_descriptor *d)
{
    static const enum iommu_iotlb_scope scope[] = {
        [IOMMU_G_GLOBAL] = IOMMU_IOTLB_ALL, [IOMMU_G_DOMAIN] = IOMMU_IOTLB_DOMAIN, [IOMMU_G_PAGE] = IOMMU_IOTLB_PAGE,
    };
    iommu_invalidate_iotlb(u, scope[granularity(d)], domain_of(d), address_of(d), address_mask(d),
                           (d->word[1] & IOMMU_IVA_IH) != 0);
}

static void run_pasid_cache(struct iommu *u, const struct iommu_descriptor *d)
{
    static const enum iommu_pasid_scope scope[] = {
        [IOMMU_G_PASID_CACHE_DOMAIN] = IOMMU_PASID_DOMAIN, [IOMMU_G_PASID_CACHE_PASID] = IOMMU_PASID_ONE,
        [IOMMU_G_PASID_CACHE_GLOBAL] = IOMMU_PASID_ALL,
    };
    iommu_invalidate_pasid(u, scope[granularity(d)], domain_of(d), pasid_of(d));
}

static void run_pasid_iotlb(struct iommu *u, const struct iommu_descriptor *d)
{
    bool page = granularity(d) == IOMMU_G_PASID_PAGE;
    iommu_invalidate_piotlb(u, page ? IOMMU_PIOTLB_PAGE : IOMMU_PIOTLB_PASID, domain_of(d), pasid_of(d), address_of(d),
                            address_mask(d), (d->word[1] & IOMMU_IVA_IH) != 0);
}

/*
 * The range of a device-TLB invalidation as PCI Express ATS codes it ("Invalidate Request Message Body"): with S set
 * the lowest clear bit of the address from 12 on gives the size, and is not part of the address.
 */
static void set_range(struct iommu_device_invalidation *what, uint64_t address, bool sized)
{
    unsigned ones = 0;
    while (sized && ones < EVERYTHING_LOG2 && (address >> (12 + ones) & 1) != 0) {
        ones++;
    }
    unsigned log2 = sized ? ones + 1 : 0;
    what->pages_log2 = log2 < EVERYTHING_LOG2 ? log2 : EVERYTHING_LOG2;
    what->address = what->pages_log2 < EVERYTHING_LOG2 ? address & (~UINT64_C(0) << (12 + what->pages_log2)) : 0;
}

static void run_device_tlb(struct iommu *u, const struct iommu_descriptor *d, hv_cycles now)
{
    bool pasid = type_of(d) == IOMMU_DESCRIPTOR_PASID_DEVICE_TLB;
    unsigned source_at = pasid ? IOMMU_DESCRIPTOR_PASID_SOURCE_SHIFT : IOMMU_DESCRIPTOR_SOURCE_SHIFT;
    struct iommu_device_invalidation what = {
        .source = (uint16_t)(d->word[0] >> source_at), .has_pasid = pasid, .pasid = pasid ? pasid_of(d) : 0,
        .global = pasid && (d->word[1] & IOMMU_PASID_DEVICE_TLB_GLOBAL) != 0,
    };
    uint64_t size_bit = pasid ? IOMMU_PASID_DEVICE_TLB_SIZE : IOMMU_DEVICE_TLB_SIZE;
    set_range(&what, address_of(d), (d->word[1] & size_bit) != 0);
    u->stats.invalidations_device++;
    if (u->wires.device_tlb != NULL) {
        u->wires.device_tlb(u->wires.ctx, &what, now);
    }
}

static void run_interrupt(struct iommu *u, const struct iommu_descriptor *d)
{
    bool all = (d->word[0] & IOMMU_INTERRUPT_SELECTIVE) == 0;
    iommu_invalidate_interrupts(u, all, d->word[0] >> IOMMU_INTERRUPT_INDEX_SHIFT & 0xffff, index_mask(d));
}

/* All descriptors before it are complete, so FN and PD have nothing to wait for. */
static void run_wait(struct iommu *u, const struct iommu_descriptor *d, hv_cycles now)
{
    u->stats.waits++;
    uint64_t address = d->word[1] & ~UINT64_C(3);
    if ((d->word[0] & IOMMU_WAIT_STATUS) != 0 && iommu_may_write(u, address, 4)) {
        *(uint32_t *)(void *)(u->memory->bytes + address) = (uint32_t)(d->word[0] >> IOMMU_WAIT_DATA_SHIFT);
        iommu_write_line(u, address, now);
    }
    if ((d->word[0] & IOMMU_WAIT_INTERRUPT) != 0 && (iommu_reg32(&u->regs, IOMMU_ICS) & IOMMU_ICS_IWC) == 0) {
        iommu_set_reg32(&u->regs, IOMMU_ICS, IOMMU_ICS_IWC);
        iommu_event_raise(u, IOMMU_IECTL, now);
    }
}

static void run_page_response(struct iommu *u, const struct iommu_descriptor *d, hv_cycles now)
{
    bool has_pasid = (d->word[0] & IOMMU_RESPONSE_HAS_PASID) != 0;
    struct iommu_page_response response = {
        .source = (uint16_t)(d->word[0] >> IOMMU_DESCRIPTOR_PASID_SOURCE_SHIFT),
        .has_pasid = has_pasid, .pasid = has_pasid ? pasid_of(d) : 0,
        .group = d->word[1] >> IOMMU_RESPONSE_GROUP_SHIFT & 0x1ff,
        .code = d->word[0] >> IOMMU_RESPONSE_CODE_SHIFT & 0xf,
    };
    iommu_respond(u, &response, now);
}

void iommu_descriptor_run(struct iommu *u, const struct iommu_descriptor *d, hv_cycles now)
{
    switch ((enum iommu_descriptor_type)type_of(d)) {
    case IOMMU_DESCRIPTOR_CONTEXT: run_context(u, d); break;
    case IOMMU_DESCRIPTOR_IOTLB: run_iotlb(u, d); break;
    case IOMMU_DESCRIPTOR_DEVICE_TLB: run_device_tlb(u, d, now); break;
    case IOMMU_DESCRIPTOR_INTERRUPT: run_interrupt(u, d); break;
    case IOMMU_DESCRIPTOR_WAIT: run_wait(u, d, now); break;
    case IOMMU_DESCRIPTOR_PASID_IOTLB: run_pasid_iotlb(u, d); break;
    case IOMMU_DESCRIPTOR_PASID_CACHE: run_pasid_cache(u, d); break;
    case IOMMU_DESCRIPTOR_PASID_DEVICE_TLB: run_device_tlb(u, d, now); break;
    case IOMMU_DESCRIPTOR_PAGE_RESPONSE: run_page_response(u, d, now); break;
    case IOMMU_DESCRIPTOR_HOST_PERMISSION: break; /* its entries are not cached */
    }
}

bool iommu_descriptor_is_wait(const struct iommu_descriptor *d)
{
    return type_of(d) == IOMMU_DESCRIPTOR_WAIT;
}

enum iommu_queue_error iommu_descriptor_check(const struct iommu *u, const struct iommu_descriptor *d,
                                              bool *invalidates)
{
    const struct row *row = find(u, d);
    if (row == NULL) {
        return IOMMU_QUEUE_TYPE;
    }
    if ((d->word[0] & row->reserved_low) != 0 || (d->word[1] & row->reserved_high) != 0 ||
        (d->word[2] | d->word[3]) != 0 || has_reserved_value(u, d)) {
        return IOMMU_QUEUE_RESERVED;
    }
    *invalidates = row->invalidates;
    return IOMMU_QUEUE_FINE;
}
