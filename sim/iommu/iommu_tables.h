/* SPDX-License-Identifier: MIT */
/*
 * The entries of VT-d's tables as bytes in memory (VT-d chapter 9 "Translation Structure Formats"), for who reads them
 * and for who writes them.
 *
 *     legacy    root table [bus] -> context table [device and function] -> second-stage tables
 *     scalable  root table [bus], a half for each 16 devices -> context table -> PASID directory [PASID 19:6]
 *               -> PASID table [PASID 5:0] -> first-stage, second-stage tables, or both
 *
 * Second-stage entries are in mmu/radix.h (RADIX_VTD_*); first-stage entries are those of IA-32e paging with one flag
 * more.
 */
#ifndef HV_IOMMU_IOMMU_TABLES_H
#define HV_IOMMU_IOMMU_TABLES_H

#include "base/types.h"

#define IOMMU_POINTER UINT64_C(0xfffffffffffff000) /* of any entry: address of a table, or of a page */

enum {
    IOMMU_ROOT_BYTES = 16,
    IOMMU_CONTEXT_BYTES = 16,
    IOMMU_SCALABLE_CONTEXT_BYTES = 32,
    IOMMU_PASID_DIRECTORY_BYTES = 8,
    IOMMU_PASID_BYTES = 64,
    IOMMU_PASIDS_PER_TABLE = 64,
    IOMMU_PASID_BITS = 20,
};

/* "Root Entry" and each half of "Scalable-Mode Root Entry": bit 0 present, 11:1 reserved, 63:12 context table. */
#define IOMMU_ROOT_PRESENT (UINT64_C(1) << 0)
#define IOMMU_ROOT_RESERVED UINT64_C(0xffe)

/* "Context Entry", low word. */
#define IOMMU_CONTEXT_PRESENT (UINT64_C(1) << 0)
#define IOMMU_CONTEXT_FPD (UINT64_C(1) << 1) /* fault-processing disable */
#define IOMMU_CONTEXT_RESERVED UINT64_C(0xff0)
enum { IOMMU_CONTEXT_TT_SHIFT = 2 };
enum iommu_translation_type {
    IOMMU_TT_UNTRANSLATED,  /* 00: untranslated requests only */
    IOMMU_TT_DEVICE_TLB,    /* 01: translation requests and translated requests too */
    IOMMU_TT_PASSTHROUGH,   /* 10 */
    IOMMU_TT_RESERVED,
};

/* High word: 2:0 address width, 6:3 ignored, 23:8 domain. */
#define IOMMU_CONTEXT_HIGH_RESERVED UINT64_C(0xffffffffff000080)
enum { IOMMU_CONTEXT_DID_SHIFT = 8 };

/* AW of context and PASID-table entries: 1 for 3 levels (39 bits), 2 for 4 (48), 3 for 5 (57). */
static inline unsigned iommu_aw_of_levels(unsigned levels)
{
    return levels - 2;
}

static inline unsigned iommu_aw_levels(uint64_t aw)
{
    return (unsigned)aw + 2;
}

/* "Scalable-Mode Context Entry", words 0 and 1; words 2 and 3 are reserved. */
#define IOMMU_SCALABLE_DTE (UINT64_C(1) << 2)    /* device-TLB enable */
#define IOMMU_SCALABLE_PASIDE (UINT64_C(1) << 3) /* PASID enable */
#define IOMMU_SCALABLE_PRE (UINT64_C(1) << 4)    /* page-request enable */
#define IOMMU_SCALABLE_EPTR (UINT64_C(1) << 6)   /* enable PASID in translated requests */
#define IOMMU_SCALABLE_HPTE (UINT64_C(1) << 5)   /* the host permission table holds for translated requests */
#define IOMMU_SCALABLE_RESERVED UINT64_C(0x180)
enum { IOMMU_SCALABLE_PDTS_SHIFT = 9 }; /* 11:9: the directory has 2^(PDTS + 7) entries */
#define IOMMU_SCALABLE_RID_PASID UINT64_C(0xfffff)
#define IOMMU_SCALABLE_RID_PRIV (UINT64_C(1) << 20)
#define IOMMU_SCALABLE_WORD1_RESERVED UINT64_C(0xffffffffffe00000)

/* "Scalable-Mode PASID Directory Entry". */
#define IOMMU_DIRECTORY_PRESENT (UINT64_C(1) << 0)
#define IOMMU_DIRECTORY_FPD (UINT64_C(1) << 1)
#define IOMMU_DIRECTORY_RESERVED UINT64_C(0xffc)

/* "Scalable-Mode PASID Table Entry", word 0: 4:2 AW, 8:6 PGTT, 63:12 second-stage table. */
#define IOMMU_PASID_PRESENT (UINT64_C(1) << 0)
#define IOMMU_PASID_FPD (UINT64_C(1) << 1)
#define IOMMU_PASID_SSADE (UINT64_C(1) << 9) /* the second stage keeps accessed and dirty flags */
#define IOMMU_PASID_RESERVED UINT64_C(0xc00)
enum { IOMMU_PASID_AW_SHIFT = 2, IOMMU_PASID_PGTT_SHIFT = 6 };
enum iommu_pgtt { IOMMU_PGTT_FIRST = 1, IOMMU_PGTT_SECOND = 2, IOMMU_PGTT_NESTED = 3, IOMMU_PGTT_PASSTHROUGH = 4 };

/* Word 1: 15:0 domain, 23 walks snoop, 24 pages snoop; memory types are ignored. */
#define IOMMU_PASID_DID UINT64_C(0xffff)
#define IOMMU_PASID_PWSNP (UINT64_C(1) << 23)
#define IOMMU_PASID_PGSNP (UINT64_C(1) << 24)
#define IOMMU_PASID_CD (UINT64_C(1) << 25)
#define IOMMU_PASID_WORD1_RESERVED UINT64_C(0x7f0000)

/* Word 2: 3:2 paging mode (0: 4 levels, 1: 5), 63:12 first-stage table; words 3, 6 and 7 are reserved. */
#define IOMMU_PASID_SRE (UINT64_C(1) << 0)  /* supervisor requests */
#define IOMMU_PASID_ERE (UINT64_C(1) << 1)  /* execute requests */
#define IOMMU_PASID_WPE (UINT64_C(1) << 4)  /* as CR0.WP */
#define IOMMU_PASID_NXE (UINT64_C(1) << 5)  /* as EFER.NXE */
#define IOMMU_PASID_SMEP (UINT64_C(1) << 6) /* as CR4.SMEP */
#define IOMMU_PASID_EAFE (UINT64_C(1) << 7) /* extended-accessed flag */
#define IOMMU_PASID_WORD2_RESERVED UINT64_C(0xf00)
enum { IOMMU_PASID_FSPM_SHIFT = 2 };

/*
 * Words 4 and 5, reserved without host permission tables: 1:0 size of the top table, 2 no prefetching, 63:12 its
 * address; 15:0 of word 5 a domain of their own.
 */
#define IOMMU_PASID_HPTSZ UINT64_C(3)
#define IOMMU_PASID_WORD4_RESERVED UINT64_C(0xff8)
#define IOMMU_PASID_WORD5_RESERVED UINT64_C(0xffffffffffff0000)

/* First-stage entries: the flag that says that a device has used the entry. */
#define IOMMU_FIRST_EXTENDED_ACCESSED (UINT64_C(1) << 10)

/* Writes to this range are interrupt requests ("Handling Requests to Interrupt Address Range"). */
#define IOMMU_INTERRUPT_RANGE UINT64_C(0xfee00000)
enum { IOMMU_INTERRUPT_BYTES = 4 };

static inline bool iommu_in_interrupt_range(uint64_t address)
{
    return address >> 20 == IOMMU_INTERRUPT_RANGE >> 20;
}

#endif
