/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the IOMMU call of each other.
 */
#ifndef HV_IOMMU_IOMMU_PARTS_H
#define HV_IOMMU_IOMMU_PARTS_H

#include "iommu/iommu.h"
#include "iommu/iommu_faults.h"
#include "mmu/walk.h"

/* From this major version on there are no requests to execute any more. */
enum { IOMMU_VERSION_WITHOUT_EXECUTE = 8 };

/* A fault to record: VT-d chapter 7, "Fault Recording Registers". */
struct iommu_fault {
    uint16_t source;
    uint8_t reason;      /* of iommu_faults.def */
    uint8_t access;      /* enum iommu_access */
    uint8_t type;        /* enum iommu_address_type of the request */
    bool has_pasid, privileged;
    bool page_request;   /* of PRI, not a DMA */
    bool disabled;       /* the entry's fault-processing disable (FPD) is set */
    uint32_t pasid;
    uint64_t address;    /* of the request; for an interrupt the index of its entry, in bits 63:48 */
};

/* Records a fault, or not (iommu_fault.c). */
void iommu_record_fault(struct iommu *u, const struct iommu_fault *fault, hv_cycles now);

/* Whether a protected memory region (PMEN) holds any of the bytes (registers). */
bool iommu_protected(const struct iommu *u, uint64_t address, uint64_t bytes);

/* Registers, queue and interrupt parts: their share of iommu_init(), iommu_reset(), iommu_fini(). */
bool iommu_regs_init(struct iommu *u, struct hv_err *err);
void iommu_regs_reset(struct iommu *u);
void iommu_regs_fini(struct iommu *u);

/*
 * Invalidations (iommu_invalidate.c). `function_mask` is the FM field: 1 ignores bit 2 of the function number, 2 bits
 * 2:1, 3 all. A page-selective one covers 2^mask_log2 pages at `address`; `leaf_hint` (IH) keeps the paging-structure
 * caches, because only a leaf was changed.
 */
enum iommu_context_scope { IOMMU_CONTEXT_ALL, IOMMU_CONTEXT_DOMAIN, IOMMU_CONTEXT_DEVICE };
enum iommu_iotlb_scope { IOMMU_IOTLB_ALL, IOMMU_IOTLB_DOMAIN, IOMMU_IOTLB_PAGE };
enum iommu_pasid_scope { IOMMU_PASID_ALL, IOMMU_PASID_DOMAIN, IOMMU_PASID_ONE };
enum iommu_piotlb_scope { IOMMU_PIOTLB_PASID, IOMMU_PIOTLB_PAGE };

void iommu_invalidate_context(struct iommu *u, enum iommu_context_scope scope, uint16_t domain, uint16_t source,
                              unsigned function_mask);
void iommu_invalidate_iotlb(struct iommu *u, enum iommu_iotlb_scope scope, uint16_t domain, uint64_t address,
                            unsigned mask_log2, bool leaf_hint);
void iommu_invalidate_pasid(struct iommu *u, enum iommu_pasid_scope scope, uint16_t domain, uint32_t pasid);
void iommu_invalidate_piotlb(struct iommu *u, enum iommu_piotlb_scope scope, uint16_t domain, uint32_t pasid,
                             uint64_t address, unsigned mask_log2, bool leaf_hint);

/* Reads of tables, in time or (untimed, for checks) without any effect. */
struct iommu_reader {
    struct iommu *u;
    hv_cycles now;
    bool untimed;
    bool snooped;  /* of the processors' caches */
    uint64_t refs; /* made so far */
};

/* Reads `count` words of the entry at an address; false: there is no such memory. One reference. */
bool iommu_read_entry(struct iommu_reader *r, uint64_t address, uint64_t *words, unsigned count);

/* One coherent reference of another part: 8 bytes at an address, all ones where there is no memory; `now` moves on. */
uint64_t iommu_read_table(struct iommu *u, uint64_t address, hv_cycles *now);

/* Whether memory takes a write of all bytes of an address range: it is there, and none of them is read-only. */
bool iommu_may_write(const struct iommu *u, uint64_t address, uint64_t bytes);

/* The time of one more reference to a line just read: a write of a flag. */
void iommu_touch_entry(struct iommu_reader *r, uint64_t address);

/* Whether requests to execute are understood (ECAP.ERS). */
static inline bool iommu_takes_execute(const struct iommu *u)
{
    return u->params.execute_requests && u->params.version < IOMMU_VERSION_WITHOUT_EXECUTE;
}

/* Bits of an entry's address that no host-physical address has. */
uint64_t iommu_beyond(const struct iommu *u);

/* Address bits that tables of so many levels translate. */
static inline unsigned iommu_bits_of_levels(unsigned levels)
{
    return HV_PAGE_SHIFT + 9 * levels;
}

/* Whether second-stage tables may have so many levels, as AW has it; a wrong AW is answered too. */
bool iommu_levels_offered(const struct iommu *u, uint64_t aw);

/* What memory says of a source, and of a PASID; errors are in mapping.fault. All but the spaces is filled in. */
void iommu_read_context(struct iommu_reader *r, uint16_t source, struct iommu_context *context);
void iommu_read_pasid(struct iommu_reader *r, const struct iommu_context *context, uint32_t pasid,
                      struct iommu_mapping *mapping);

/* The same by way of the caches; valid until the next call. */
const struct iommu_context *iommu_find_context(struct iommu_reader *r, uint16_t source);
const struct iommu_mapping *iommu_find_pasid(struct iommu_reader *r, const struct iommu_context *context,
                                             uint16_t source, uint32_t pasid);

/* What a mapping's translations need for each kind of access. */
void iommu_mapping_needs(struct iommu *u, struct iommu_mapping *mapping);

/* A walk of the paging entries. */
struct iommu_walk {
    struct iommu_reader reader;
    const struct iommu_mapping *mapping;
    bool privileged;
    struct walk w;         /* the engine; done: w.result and w.size */
    bool cacheless;        /* paging-structure caches are not asked and learn nothing */
    unsigned first_floor, second_floor; /* tables below these levels were found by this walk's own reads */
    uint64_t entry;        /* the last one read */
    uint64_t refs[2];      /* by enum hv_dimension */
    uint8_t fault;         /* enum iommu_reason */
    bool absent;           /* the fault is of an entry that is not present */
};

/* Walks for one access; all up to the engine, and cacheless, is filled in. False: fault says why. */
bool iommu_walk(struct iommu_walk *t, uint64_t address, enum hv_access_kind access);

/* Why a walk ended (iommu_reasons.c): the entry at w.read could not be read; or what w.fault says. */
enum iommu_reason iommu_unreadable_reason(const struct iommu_walk *t);
enum iommu_reason iommu_walk_reason(struct iommu_walk *t);

/*
 * Walks without caches as far as the table at `level` of one stage (of the second for an address that it translates,
 * a guest-physical one when nested). False: a fault stopped it before, or the page is larger.
 */
bool iommu_walk_to_table(struct iommu_walk *t, enum hv_dimension d, uint64_t address, unsigned level,
                         struct pwc_table *table);

/* A request on its way. */
struct iommu_lookup {
    struct iommu *u;
    const struct iommu_request *request;
    struct iommu_reader reader; /* its `now` is how far the request has come */
    const struct iommu_mapping *mapping;
    bool disabled;              /* fault-processing disable of what was read so far */
    bool privileged;
    bool permissions;           /* translated: the mapping has a host permission table to ask */
    uint64_t payload;           /* of the translation */
    unsigned size;              /* enum hv_page_size */
};

/* Which tables the request leads to, or why to none (iommu_translate.c). */
enum iommu_reason iommu_mode_reason(const struct iommu *u, bool has_pasid);
enum iommu_reason iommu_choose_pasid(const struct iommu_context *c, bool has_pasid, uint32_t *pasid);

/* Reads of tables since `asked`, when the request came: takes a walker for them, and moves the request on. */
void iommu_account_structures(struct iommu_lookup *l, hv_cycles asked);

/* The translation for one kind of access, by IOTLB or walk (iommu_lookup.c). */
enum iommu_reason iommu_lookup_page(struct iommu_lookup *l, enum hv_access_kind kind);

/* A translation request: the translation, and what it grants of what is asked for (iommu_ats.c). */
enum iommu_reason iommu_lookup_for_device(struct iommu_lookup *l, struct iommu_reply *grants);

/* Whether a host permission table allows a translated request (iommu_host_permission.c). */
enum iommu_reason iommu_check_host_permission(struct iommu_lookup *l);

/* A read of no bytes, which a device sends to flush its writes, where hardware makes a difference of it. */
static inline bool iommu_is_zero_length_read(const struct iommu *u, const struct iommu_request *r)
{
    return u->params.zero_length_reads && r->access == IOMMU_READ && r->bytes == 0 &&
           r->type != IOMMU_TRANSLATION_REQUEST;
}

/* The payload of a cached fault (caching mode): no rights, this mark, and the reason. */
enum { IOMMU_IOTLB_FAULT = 1u << 9, IOMMU_IOTLB_REASON_SHIFT = 12 };

/* Caches: their share of iommu_init() and the like. */
bool iommu_caches_init(struct iommu *u, struct hv_err *err);
void iommu_caches_fini(struct iommu *u);
void iommu_caches_reset(struct iommu *u);
void iommu_caches_reset_stats(struct iommu *u);

/* Whether a page request may be queued; otherwise `fault` says why not (all but its access is filled in). */
bool iommu_page_request_allowed(struct iommu *u, const struct iommu_page_request *request, hv_cycles *now,
                                struct iommu_fault *fault);

/* check.stale: what was just used is compared with memory. */
void iommu_stale_context(struct iommu *u, uint16_t source, const struct iommu_context *cached, hv_cycles now);
void iommu_stale_pasid(struct iommu *u, const struct iommu_context *context, uint32_t pasid,
                       const struct iommu_mapping *cached, hv_cycles now);
void iommu_stale_page(struct iommu *u, const struct iommu_mapping *mapping, bool privileged, uint64_t address,
                      uint64_t payload, unsigned size, hv_cycles now);
void iommu_stale_table(struct iommu_walk *used, enum hv_dimension d, uint64_t address,
                       const struct pwc_table *cached);

void iommu_stale_interrupt(struct iommu *u, uint32_t index, const struct iommu_irte *cached,
                           const struct iommu_irte *memory, hv_cycles now);

#endif
