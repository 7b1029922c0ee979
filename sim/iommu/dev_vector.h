/* SPDX-License-Identifier: MIT */
/*
 * AMD's Device Exclusion Vector: protection from devices before there were IOMMUs. It translates nothing; a bit for
 * each 4 KiB page says whether the devices of a protection domain are kept out.
 *
 * AMD64 Architecture Programmer's Manual Vol. 2 "External Access Protection" (15.24; the register formats are in
 * 15.24.4 to 15.24.6). A device is its bus and unit number, here bus and device number of the requester id. Its domain
 * comes from the DEV_MAP registers, 0 if none names it; the domain's DEV_BASE registers say where its vector lies.
 * The bit of a page set: a read returns all ones, a write is dropped, and the device sees a master abort.
 */
#ifndef HV_IOMMU_DEV_VECTOR_H
#define HV_IOMMU_DEV_VECTOR_H

#include "base/assoc.h"
#include "iommu/iommu_cache.h"
#include "mem/memory.h"
#include "mem/physmem.h"

enum { DEV_VECTOR_MAX_DOMAINS = 64, DEV_VECTOR_MAX_MAPS = 255, DEV_VECTOR_LOADER_LOG2 = 16 };

struct dev_vector_params {
#define P PARAM_MEMBER
#include "iommu/dev_vector_params.def"
#undef P
    struct iommu_cache_params cache; /* entries of 64 bytes: the bits of 2 MiB */
};

extern const struct param_row dev_vector_param_rows[];
extern const size_t dev_vector_param_count;

struct dev_vector_stats {
#define S STAT_MEMBER
#include "iommu/dev_vector_stats.def"
#undef S
    struct iommu_cache_stats cache;
};

extern const struct stat_row dev_vector_stat_rows[];
extern const size_t dev_vector_stat_count;

/* The capability block in PCI configuration space, from its own offset 0. */
enum dev_vector_offset { DEV_VECTOR_HDR = 0, DEV_VECTOR_OP = 4, DEV_VECTOR_DATA = 8 };

/* What DEV_OP 15:8 selects; bits 7:0 are the instance. */
enum dev_vector_function {
    DEV_VECTOR_BASE_LO, DEV_VECTOR_BASE_HI, DEV_VECTOR_MAP, DEV_VECTOR_CAP, DEV_VECTOR_CR,
    DEV_VECTOR_ERR_STATUS, DEV_VECTOR_ERR_ADDR_LO, DEV_VECTOR_ERR_ADDR_HI,
};

/* DEV_CR. */
enum {
    DEV_VECTOR_CR_ENABLE = 1 << 0,
    DEV_VECTOR_CR_NO_CLEAR = 1 << 1,  /* no clearing of memory at reset; kept, without effect */
    DEV_VECTOR_CR_IOSPEN = 1 << 2,    /* devices' accesses to I/O space are blocked */
    DEV_VECTOR_CR_MCE = 1 << 3,       /* kept, without effect: DEV_HDR does not offer it */
    DEV_VECTOR_CR_INVALIDATE = 1 << 4, /* reads as set until done */
    DEV_VECTOR_CR_SL_DEV = 1 << 5,    /* the secure loader's 64 KiB are protected; software can only clear it */
    DEV_VECTOR_CR_NO_PROBE = 1 << 6,  /* kept, without effect on time */
};

/* DEV_BASE_LO; bits 6:2 are SIZE, of which the vector covers 4 GiB * 2^SIZE. */
enum {
    DEV_VECTOR_BASE_VALID = 1 << 0,
    DEV_VECTOR_BASE_PROTECT = 1 << 1, /* addresses beyond the vector are blocked */
    DEV_VECTOR_BASE_SIZE_SHIFT = 2,
};

/* DEV_ERR_STATUS, whose format is the implementation's. */
#define DEV_VECTOR_ERR_VALID (UINT32_C(1) << 31)
#define DEV_VECTOR_ERR_MORE (UINT32_C(1) << 30) /* others came while it was valid */
enum { DEV_VECTOR_ERR_READ = 1, DEV_VECTOR_ERR_WRITE = 2 };

struct dev_vector_line {
    uint64_t word[8];
};

struct dev_vector {
    struct dev_vector_params params;
    struct physmem *memory;
    struct mem_port port;      /* lines of the vectors; read NULL: they take no time */
    uint32_t operation;        /* DEV_OP */
    uint32_t base_low[DEV_VECTOR_MAX_DOMAINS], base_high[DEV_VECTOR_MAX_DOMAINS], map[DEV_VECTOR_MAX_MAPS];
    uint32_t control, error_status, error_low, error_high;
    uint64_t loader;           /* SL_DEV_BASE: which 64 KiB are the secure loader's; hidden from software */
    hv_cycles invalidated;     /* when the last invalidation is complete */
    struct assoc tags;
    struct dev_vector_line *lines; /* by slot; NULL: there is no cache */
    bool check_stale;
    struct dev_vector_stats stats;
};

bool dev_vector_init(struct dev_vector *d, const struct dev_vector_params *params, struct physmem *memory,
                     const struct mem_port *port, struct hv_err *err);
void dev_vector_fini(struct dev_vector *d);
void dev_vector_reset(struct dev_vector *d);

/* Configuration space: 32 bits at an offset of the capability block. */
uint32_t dev_vector_read(struct dev_vector *d, uint32_t offset, hv_cycles now);
void dev_vector_write(struct dev_vector *d, uint32_t offset, uint32_t value, hv_cycles now);

/* SKINIT protects the 64 KiB at an address, a multiple of 64 KiB. */
void dev_vector_protect_loader(struct dev_vector *d, uint64_t address);

struct dev_vector_reply {
    bool ok; /* false: a master abort */
    hv_cycles done;
};

/* An access of a device to memory, within a 4 KiB page. */
struct dev_vector_reply dev_vector_access(struct dev_vector *d, uint16_t source, uint64_t address, bool write,
                                          hv_cycles now);

/* Whether devices may access I/O space. */
bool dev_vector_io_allowed(const struct dev_vector *d);

#endif
