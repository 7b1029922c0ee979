/* SPDX-License-Identifier: MIT */
/*
 * CAP and ECAP: VT-d "Capability Register" and "Extended Capability Register". The modern names of fields are used;
 * older revisions call the first stage FL, the second SL.
 */
#include "iommu/iommu_register_parts.h"

static uint64_t field(bool offered, unsigned bit)
{
    return (uint64_t)offered << bit;
}

/* What a field holds at any rate. */
static uint64_t number(uint64_t value, unsigned shift)
{
    return value << shift;
}

/* The widest address that second-stage tables translate: 39, 48 or 57 bits. */
static unsigned input_bits(const struct iommu_params *p)
{
    return p->levels >> 2 != 0 ? 57 : p->levels >> 1 != 0 ? 48 : 39;
}

/*
 * Not offered: advanced fault logging (AFL), write buffers to flush (RWBF), enhanced commands (ECMDS), invalidations
 * that come with a new table pointer (ESRTPS, ESIRTPS). Drains of reads and writes are, since nothing is under way when
 * a command comes.
 */
uint64_t iommu_capability(const struct iommu_params *p)
{
    return number(6, 0) /* ND: 16-bit domain ids */ | field(true, 5) /* PLMR */ | field(true, 6) /* PHMR */ |
           field(p->caching_mode, 7) | number(p->levels, 9) /* SAGAW: 3 levels are its bit 1 */ |
           number(input_bits(p) - 1, 16) /* MGAW */ | field(p->zero_length_reads, 22) |
           number(IOMMU_FRCD_LOW / 16, 24) /* FRO */ | number(p->large_pages, 34) /* SSLPS */ |
           field(true, 39) /* PSI */ | number(p->fault_records - 1, 40) | number(IOMMU_MAX_ADDRESS_MASK, 48) |
           field(true, 54) /* DWD */ | field(true, 55) /* DRD */ |
           field(p->scalable && p->first_stage && p->first_stage_1g, 56) | field(iommu_posts(p), 59) /* PI */ |
           field(p->scalable && p->first_stage && p->first_stage_5, 60);
}

/* Not offered: memory types, no-write flag, virtual commands, PASID-selective caching of page walks, and the like. */
uint64_t iommu_extended_capability(const struct iommu_params *p)
{
    bool queue = p->queued_invalidation;
    bool pasid = p->scalable && p->pasid;
    return field(p->coherent, 0) | field(queue, 1) | field(iommu_has_device_tlb(p), 2) |
           field(p->interrupt_remapping, 3) | field(iommu_has_x2apic(p), 4) | field(p->passthrough, 6) |
           field(p->snoop_control, 7) | number(IOMMU_IVA / 16, 8) /* IRO */ |
           number(p->interrupt_remapping ? IOMMU_MAX_HANDLE_MASK : 0, 20) | field(p->scalable && p->nested, 26) |
           field(iommu_has_page_requests(p), 29) |
           field(pasid && p->execute_requests && p->version < IOMMU_VERSION_WITHOUT_EXECUTE, 30) |
           field(pasid && p->supervisor_requests, 31) | field(p->scalable && p->extended_accessed, 34) |
           number(pasid ? p->pasid_bits - 1 : 0, 35) /* PSS */ | field(pasid, 40) |
           field(iommu_has_page_requests(p), 42) /* PDS: page-request drain */ | field(p->scalable, 43) |
           field(p->scalable && p->second_stage_flags, 45) | field(p->scalable && p->second_stage, 46) |
           field(p->scalable && p->first_stage, 47) | field(p->scalable && p->coherent, 48) /* SMPWCS */ |
           field(p->scalable, 49) /* RPS: RID_PASID */ | field(p->scalable, 52) /* ADMS: abort DMA mode */ |
           field(pasid && p->supervisor_requests, 53) /* RPRIVS: RID_PRIV */ |
           field(iommu_has_host_permissions(p), 55) /* HPTS */ | field(iommu_has_translated_pasid(p), 56) /* PTRS */ |
           field(iommu_has_host_permissions(p), 59) /* HPT1GPS */ | field(iommu_requires_x2apic(p), 61) /* EIMER */ |
           field(iommu_requires_remapping(p), 62) /* IRREQ */;
}
