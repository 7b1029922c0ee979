/* SPDX-License-Identifier: MIT */
/*
 * Formats of interrupt remapping: the request a device sends, interrupt-remapping table entries, and what the IOMMU
 * checks in a posted-interrupt descriptor. VT-d "Interrupt Requests in Remappable Format" (5.1.2.2), "Interrupt
 * Remapping Table Entry (IRTE) for Remapped Interrupts" and "for Posted Interrupts" (9.9, 9.10), "Posted Interrupt
 * Descriptor" (9.11).
 */
#ifndef HV_IOMMU_IOMMU_IRTE_H
#define HV_IOMMU_IOMMU_IRTE_H

#include <stdbool.h>
#include <stdint.h>

enum { IOMMU_IRTE_BYTES = 16 };

struct iommu_irte {
    uint64_t low, high;
};

/* Address and data of an interrupt request. Bits 31:20 are FEEH. */
enum {
    IOMMU_REQUEST_PREFIX = 0xfee, IOMMU_REQUEST_PREFIX_SHIFT = 20,
    IOMMU_REQUEST_REMAPPABLE = 1 << 4,
    IOMMU_REQUEST_SHV = 1 << 3,          /* the data holds a subhandle */
    IOMMU_REQUEST_HANDLE_SHIFT = 5,      /* 14:0 of the handle, in bits 19:5 */
    IOMMU_REQUEST_HANDLE_15 = 1 << 2,
};

/* The address by which a device sends interrupt `handle`. */
static inline uint64_t iommu_request_address(uint32_t handle, bool subhandle)
{
    uint64_t address = (uint64_t)IOMMU_REQUEST_PREFIX << IOMMU_REQUEST_PREFIX_SHIFT | IOMMU_REQUEST_REMAPPABLE;
    address |= (uint64_t)(handle & 0x7fff) << IOMMU_REQUEST_HANDLE_SHIFT;
    address |= (handle & 0x8000) != 0 ? IOMMU_REQUEST_HANDLE_15 : 0;
    return address | (subhandle ? IOMMU_REQUEST_SHV : 0);
}

/* An entry's lower half. */
enum {
    IOMMU_IRTE_P = 1 << 0,
    IOMMU_IRTE_FPD = 1 << 1,
    IOMMU_IRTE_DM = 1 << 2,              /* logical destination */
    IOMMU_IRTE_RH = 1 << 3,              /* redirection hint */
    IOMMU_IRTE_TM = 1 << 4,              /* level-triggered */
    IOMMU_IRTE_DLM_SHIFT = 5,            /* delivery mode, 3 bits */
    IOMMU_IRTE_AVAIL_SHIFT = 8,          /* 4 bits of software's */
    IOMMU_IRTE_URG = 1 << 14,            /* posted: urgent */
    IOMMU_IRTE_IM = 1 << 15,             /* posted, not remapped */
    IOMMU_IRTE_VECTOR_SHIFT = 16,
    IOMMU_IRTE_DST_SHIFT = 32,           /* remapped: x2APIC id, or in bits 15:8 of it an xAPIC id */
};

/* Its upper half. */
enum {
    IOMMU_IRTE_SQ_SHIFT = 16,
    IOMMU_IRTE_SVT_SHIFT = 18,
};

/* SVT: what is compared with SID. SQ: how many of the function number's bits are left out. */
enum iommu_svt { IOMMU_SVT_NONE, IOMMU_SVT_SOURCE, IOMMU_SVT_BUSES, IOMMU_SVT_RESERVED };
enum iommu_sq { IOMMU_SQ_ALL, IOMMU_SQ_NOT_BIT_2, IOMMU_SQ_NOT_BITS_2_1, IOMMU_SQ_NOT_BITS_2_0 };

/* Bits that must be zero. */
#define IOMMU_IRTE_REMAPPED_RESERVED UINT64_C(0x00000000ff007000)
#define IOMMU_IRTE_REMAPPED_RESERVED_XAPIC UINT64_C(0xffff00ff00000000) /* besides, of DST */
#define IOMMU_IRTE_POSTED_RESERVED UINT64_C(0x0000003fff0030fc)
#define IOMMU_IRTE_REMAPPED_RESERVED_HIGH UINT64_C(0xfffffffffff00000)
#define IOMMU_IRTE_POSTED_RESERVED_HIGH UINT64_C(0x00000000fff00000)

/* Where the descriptor of a posted entry lies: bits 31:6 of its address in 63:38, 63:32 in the upper half's 63:32. */
static inline uint64_t iommu_irte_descriptor(const struct iommu_irte *e)
{
    return (e->high & UINT64_C(0xffffffff00000000)) | (e->low >> 32 & UINT64_C(0xffffffc0));
}

/* The bits of a posted entry's two halves that hold a descriptor's address, a multiple of 64. */
static inline struct iommu_irte iommu_irte_of_descriptor(uint64_t address)
{
    return (struct iommu_irte){.low = (address & UINT64_C(0xffffffc0)) << 32,
                               .high = address & UINT64_C(0xffffffff00000000)};
}

/* Posted-interrupt descriptors: of the word at byte 32, with ON, SN, NV and NDST, what must be zero. */
enum { IOMMU_POSTED_BYTES = 64, IOMMU_POSTED_CONTROL = 32 };
#define IOMMU_POSTED_CONTROL_RESERVED UINT64_C(0x00000000ff00fffc)

#endif
