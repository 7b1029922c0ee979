/* SPDX-License-Identifier: MIT */
/*
 * The formats of queue entries that software and the IOMMU exchange through memory: VT-d "Invalidation Descriptors"
 * (6.5.2) and "Page Request Descriptor" (7.4.1.1). For the IOMMU, and for software that writes or reads them.
 */
#ifndef HV_IOMMU_IOMMU_DESCRIPTORS_H
#define HV_IOMMU_IOMMU_DESCRIPTORS_H

#include <stdint.h>

enum iommu_descriptor_type {
#define D(type, name, scalable, invalidates, reserved_low, reserved_high, text) IOMMU_DESCRIPTOR_##name = type,
#include "iommu/iommu_descriptors.def"
#undef D
};

/* The type as bits 11:9 and 3:0 of the first word. */
static inline uint64_t iommu_descriptor_type_bits(enum iommu_descriptor_type type)
{
    return ((uint64_t)type & 0xf) | ((uint64_t)type & 0x70) << 5;
}

/* Granularities, bits 5:4 of context-cache, IOTLB, PASID-cache and PASID-based IOTLB descriptors. */
enum {
    IOMMU_G_SHIFT = 4,
    IOMMU_G_GLOBAL = 1, IOMMU_G_DOMAIN = 2, IOMMU_G_DEVICE = 3, IOMMU_G_PAGE = 3,
    IOMMU_G_PASID_CACHE_DOMAIN = 0, IOMMU_G_PASID_CACHE_PASID = 1, IOMMU_G_PASID_CACHE_GLOBAL = 3,
    IOMMU_G_PASID_ALL_PAGES = 2, IOMMU_G_PASID_PAGE = 3,
};

/* Shifts and flags of the first word. Fields of the second are IVA's: address 63:12, IH 6, AM 5:0. */
enum {
    IOMMU_DESCRIPTOR_DOMAIN_SHIFT = 16,        /* context cache, IOTLB, PASID cache, PASID-based IOTLB */
    IOMMU_DESCRIPTOR_SOURCE_SHIFT = 32,        /* context cache, device TLB */
    IOMMU_DESCRIPTOR_FUNCTION_MASK_SHIFT = 48, /* context cache */
    IOMMU_DESCRIPTOR_PASID_SHIFT = 32,         /* those of scalable mode */
    IOMMU_DESCRIPTOR_PASID_SOURCE_SHIFT = 16,  /* PASID-based device TLB, page group response */
    IOMMU_IOTLB_DRAIN_WRITES = 1 << 6,
    IOMMU_IOTLB_DRAIN_READS = 1 << 7,
    IOMMU_INTERRUPT_SELECTIVE = 1 << 4,        /* interrupt entry cache: only the index, 2^mask of them */
    IOMMU_INTERRUPT_MASK_SHIFT = 27,
    IOMMU_INTERRUPT_INDEX_SHIFT = 32,
    IOMMU_WAIT_INTERRUPT = 1 << 4,
    IOMMU_WAIT_STATUS = 1 << 5,                /* writes the word 63:32 to the address in the second word */
    IOMMU_WAIT_FENCE = 1 << 6,
    IOMMU_WAIT_DRAIN_REQUESTS = 1 << 7,        /* page-request drain */
    IOMMU_WAIT_DATA_SHIFT = 32,
    IOMMU_RESPONSE_HAS_PASID = 1 << 4,
    IOMMU_RESPONSE_CODE_SHIFT = 12,
};

/* Of the second word. */
enum {
    IOMMU_DEVICE_TLB_SIZE = 1 << 0,            /* the range is larger than a page, its size in the address */
    IOMMU_PASID_DEVICE_TLB_GLOBAL = 1 << 0,
    IOMMU_PASID_DEVICE_TLB_SIZE = 1 << 11,
    IOMMU_RESPONSE_GROUP_SHIFT = 3,
};

/* Page request descriptors: 32 bytes, type 1 in bits 7:0 of the first word. */
enum {
    IOMMU_PAGE_REQUEST_BYTES = 32,
    IOMMU_PAGE_REQUEST_TYPE = 1,
    IOMMU_PAGE_REQUEST_HAS_PASID = 1 << 8,
    IOMMU_PAGE_REQUEST_SOURCE_SHIFT = 16,
    IOMMU_PAGE_REQUEST_PASID_SHIFT = 32,
    IOMMU_PAGE_REQUEST_EXECUTE_SHIFT = 52,
    IOMMU_PAGE_REQUEST_PRIVILEGED_SHIFT = 53,
    /* Of the second word, whose bits 63:12 are the address. */
    IOMMU_PAGE_REQUEST_READ = 1 << 0,
    IOMMU_PAGE_REQUEST_WRITE = 1 << 1,
    IOMMU_PAGE_REQUEST_LAST = 1 << 2,
    IOMMU_PAGE_REQUEST_GROUP_SHIFT = 3,
};

/* Codes of a page group response. */
enum { IOMMU_RESPONSE_SUCCESS = 0, IOMMU_RESPONSE_INVALID = 1, IOMMU_RESPONSE_FAILURE = 15 };

#endif
