/* SPDX-License-Identifier: MIT */
/*
 * What an IOMMU caches of the tables in memory.
 *
 * VT-d chapter 6 "Caching Translation Information": the context cache is tagged by source id, the PASID cache by
 * source id and PASID, the IOTLB and the paging-structure caches by domain, and in scalable mode first-stage and nested
 * translations by PASID too. Entries of context and PASID cache also hold the domain, by which they are invalidated.
 * With caching mode (CAP.CM) what is not present or erroneous is cached too, a context entry under domain 0.
 *
 * MODEL: pass-through needs no IOTLB here, though the specification lets the IOTLB hold it. MODEL: entries of context
 * and PASID cache count as there from the moment at which they are asked for; a second request does not wait for the
 * first one's reads of them, but for the walk behind these.
 */
#ifndef HV_IOMMU_IOMMU_CACHE_H
#define HV_IOMMU_IOMMU_CACHE_H

#include "base/param.h"
#include "base/stat.h"
#include "mmu/pwc.h"
#include "tlb/tlb.h"

struct iommu_cache_params {
#define P PARAM_MEMBER
#include "iommu/iommu_cache_params.def"
#undef P
};

extern const struct param_row iommu_cache_param_rows[];
extern const size_t iommu_cache_param_count;

struct iommu_cache_stats {
#define S STAT_MEMBER
#include "iommu/iommu_cache_stats.def"
#undef S
};

extern const struct stat_row iommu_cache_stat_rows[];
extern const size_t iommu_cache_stat_count;

/* How the addresses of one source (legacy mode) or one PASID of it (scalable mode) are translated. */
enum iommu_stages { IOMMU_PASS, IOMMU_FIRST, IOMMU_SECOND, IOMMU_NESTED, IOMMU_STAGES };

struct iommu_mapping {
    uint8_t fault;         /* enum iommu_reason: what is cached is an error */
    uint8_t stages;        /* enum iommu_stages */
    uint8_t first_levels;  /* 4, 5 */
    uint8_t second_levels; /* 3, 4, 5; of a legacy pass-through the address width */
    uint16_t domain;
    uint16_t tag_domain;   /* by which invalidations name the entry: 0 for what is not valid, with caching mode */
    bool scalable;
    bool disabled;         /* fault-processing disable: of the context entry, or of PASID directory and table */
    bool snooped;          /* walks snoop the processors' caches */
    bool flags;            /* the second stage keeps accessed and dirty flags */
    bool execute_requests, supervisor_requests;
    bool write_protect, no_execute, supervisor_no_execute, extended_accessed;
    tlb_space_id space;        /* of its translations */
    tlb_space_id second_space; /* of the second stage alone */
    uint32_t pasid;
    uint64_t first_root, second_root;
    uint64_t host_permissions;    /* address of the top host-permission table; */
    uint8_t host_permission_size; /* it is 4 KiB << size */
    struct tlb_needs needs[2][HV_ACCESS_KINDS]; /* of a translation, by privilege and kind of access */
};

/* What a context entry says. */
struct iommu_context {
    struct iommu_mapping mapping; /* legacy mode, and in both modes fault, disabled, tag_domain */
    bool device_tlb;              /* TT 01, or DTE: translation requests and translated requests are allowed */
    bool pasids;                  /* PASIDE */
    bool page_requests;           /* PRE */
    bool translated_pasids;       /* EPTR */
    bool host_permissions;        /* HPTE */
    bool rid_privileged;
    uint32_t rid_pasid;           /* the PASID of requests without one */
    uint32_t directory_pasids;    /* so many PASIDs fit the directory */
    uint64_t directory;
};

/* Tags of a cache whose entries are longer than a word: the entry lies beside the tag's slot. */
struct iommu_context_cache {
    struct assoc tags; /* sets is 0 when absent */
    struct iommu_context *entries;
    struct iommu_context scratch; /* what was read last, when it is not cached */
    struct iommu_cache_stats stats;
};

struct iommu_pasid_cache {
    struct assoc tags;
    struct iommu_mapping *entries;
    struct iommu_mapping scratch;
    struct iommu_cache_stats stats;
};

/* When a translation was asked for and when it is there: requests in between wait for the walk under way. */
struct iommu_arrival {
    hv_cycles asked, there;
};

struct iommu_caches {
    struct iommu_context_cache context;
    struct iommu_pasid_cache pasid;
    struct tlb iotlb;
    struct iommu_arrival *arrivals; /* by slot of the IOTLB */
    hv_cycles last_arrival;         /* every translation is there from here on */
    struct iommu_cache_stats iotlb_stats;
    struct pwc pwc;                 /* dimensions: HV_GUEST is the first stage, HV_HOST the second */
    struct tlb_spaces spaces;       /* domain and PASID of what IOTLB and paging-structure caches hold */
};

#endif
