/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU of the VT-d architecture: translates the addresses of devices, remaps their interrupts, and blocks both
 * where software's tables do not allow them.
 *
 * Source: "Intel Virtualization Technology for Directed I/O", revisions 4.x and 5.10: chapter 3 "DMA Remapping",
 * chapter 4 "Support For Device-TLBs", chapter 5 "Interrupt Remapping and Interrupt Posting", chapter 6 "Caching
 * Translation Information", chapter 7 "Address Translation Faults", chapter 9 "Translation Structure Formats", chapter
 * 11 "Register Descriptions". Comments cite sections by their titles, as numbers differ between revisions.
 *
 * All tables are bytes in simulated memory. What the IOMMU caches of them goes stale until software invalidates it.
 * A timed call takes the present and says when it is done; references of walks go through wires.memory.
 *
 * Walks snoop the processors' caches with iommu.coherent, and in scalable mode only for a PASID-table entry whose
 * PWSNP is set. A walk that does not snoop can set no flag: that is the fault SFS.9, or SSS.5.
 *
 * MODEL: a table that lies beyond the installed memory cannot be read; that is the error of the fault reasons "could
 * not be read" (08H, 09H, 07H, 38H ...). Memory that can be read and not written is iommu.rom_base: flags and posted
 * interrupts that would go there are faults (7DH, 91H, 27H), other writes are lost. MODEL: protected memory regions
 * block pass-through and translated requests, and with translation off all requests; what is subject to translation is
 * not checked, as the specification allows.
 */
#ifndef HV_IOMMU_IOMMU_H
#define HV_IOMMU_IOMMU_H

#include <stdio.h>

#include "base/histogram.h"
#include "base/param.h"
#include "base/stat.h"
#include "iommu/iommu_cache.h"
#include "iommu/iommu_interrupt_cache.h"
#include "iommu/iommu_regs.h"
#include "mem/memory.h"
#include "mem/physmem.h"
#include "mmu/mmu_env.h"
#include "mmu/walkers.h"

enum iommu_access { IOMMU_READ, IOMMU_WRITE, IOMMU_EXECUTE }; /* execute: of requests with PASID only */

/* The AT field of a PCI Express request: 00, 01, 10. */
enum iommu_address_type { IOMMU_UNTRANSLATED, IOMMU_TRANSLATION_REQUEST, IOMMU_TRANSLATED };

struct iommu_request {
    uint16_t source;       /* requester id: bus 15:8, device 7:3, function 2:0 */
    bool has_pasid, privileged;
    uint32_t pasid;        /* 20 bits */
    uint64_t address;      /* hv_iova value */
    uint32_t bytes;        /* within one 4 KiB page; the caller splits */
    enum iommu_access access;
    enum iommu_address_type type;
    bool no_write;         /* translation request: read permission suffices */
};

/*
 * A translation request for an address that is not mapped, or not for the device, is answered with ok and no rights:
 * the device may then ask for the page (PRI). Rows of iommu_faults.def say which reasons are answered so.
 */
struct iommu_reply {
    bool ok;                   /* false: blocked; the device sees an unsuccessful completion (UR or CA) */
    uint64_t address;          /* host-physical */
    uint32_t size_shift;       /* of the naturally aligned range that the answer holds for: 12, 21, 30, ... */
    bool read, write, execute; /* what is granted, for a device TLB */
    uint8_t fault;             /* VT-d fault reason; 0: none, also when blocked without one */
    hv_cycles done;
};

/* An invalidation of a device's TLB, sent to the function `source`. */
struct iommu_device_invalidation {
    uint16_t source;
    bool has_pasid, global;
    uint32_t pasid;
    uint64_t address;
    uint32_t pages_log2; /* of the range; 52: everything */
};

/* A page request of a device (PRI), and the response to a group of them. */
struct iommu_page_request {
    uint16_t source;
    bool has_pasid, read, write, execute, privileged, last;
    uint32_t pasid;
    uint64_t address;
    uint16_t group; /* page request group index, 9 bits */
};

struct iommu_page_response {
    uint16_t source;
    bool has_pasid;
    uint32_t pasid;
    uint16_t group;
    uint8_t code; /* 0 success, 1 invalid request, 15 failure */
};

/*
 * What the IOMMU is connected to. A walk that does not snoop the processors' caches takes `dram`, if it is connected,
 * in place of `memory`. A NULL function is a wire that leads nowhere; without memory.read walks take no time.
 */
struct iommu_wires {
    struct mem_port memory; /* lines of LLC and DRAM: `line` is address >> 6 */
    struct mem_port dram;   /* past the LLC */
    /* The IOMMU's own events, which are not remapped. */
    void (*msi)(void *ctx, uint64_t address, uint32_t data, hv_cycles now);
    /* Posts a vector in a posted-interrupt descriptor; returns whether a notification is to be sent. */
    bool (*post)(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst);
    void (*device_tlb)(void *ctx, const struct iommu_device_invalidation *what, hv_cycles now);
    void (*page_response)(void *ctx, const struct iommu_page_response *response, hv_cycles now);
    void *ctx;
};

/* What an interrupt request (a write to FEExxxxxH) becomes. */
struct iommu_interrupt {
    bool ok, posted, notify;
    uint8_t fault;
    uint8_t vector, delivery_mode, trigger, destination_mode, redirection_hint;
    uint32_t destination;
    hv_cycles done;
};

enum iommu_walk_entry { IOMMU_WALK_LLC, IOMMU_WALK_DRAM };

extern const char *const iommu_walk_entry_names[]; /* "llc", "dram" */
extern const char *const iommu_level_names[];      /* "3", "4", "5": bits 0, 1, 2 of params.levels */
extern const char *const iommu_large_page_names[]; /* "2m", "1g" */

struct iommu_params {
#define P PARAM_MEMBER
#include "iommu/iommu_params.def"
#undef P
    struct iommu_cache_params iotlb, context_cache, pasid_cache, interrupt_cache;
    struct pwc_level_params pwc[PWC_LEVELS]; /* by level: of each stage */
};

extern const struct param_row iommu_param_rows[];
extern const size_t iommu_param_count;

/* The mounts of a schema that holds a struct iommu_params at offset `at`. */
#define IOMMU_MOUNT(prefix, at, block, defaults, help) \
    {prefix, at, block##_param_rows, &block##_param_count, defaults, help}
#define IOMMU_CACHE_MOUNT(name, at, entries, help) \
    IOMMU_MOUNT("iommu." #name, (at) + offsetof(struct iommu_params, name), iommu_cache, "entries=" entries, help)
#define IOMMU_PWC_MOUNT(level, at, entries)                                                                   \
    IOMMU_MOUNT("iommu.pwc.l" #level, (at) + offsetof(struct iommu_params, pwc[level]), pwc_level,            \
                "entries=" entries,                                                                           \
                "the IOMMU's paging-structure cache of level " #level " entries, one for each stage")
#define IOMMU_MOUNTS(at)                                                                                      \
    IOMMU_MOUNT("iommu", at, iommu, NULL, "the IOMMU"),                                                       \
    IOMMU_CACHE_MOUNT(iotlb, at, "64", "the IOMMU's translation cache"),                                      \
    IOMMU_CACHE_MOUNT(context_cache, at, "64", "the IOMMU's cache of context entries"),                       \
    IOMMU_CACHE_MOUNT(pasid_cache, at, "64", "the IOMMU's cache of PASID-table entries"),                     \
    IOMMU_CACHE_MOUNT(interrupt_cache, at, "64", "the IOMMU's cache of interrupt-remapping entries"),         \
    IOMMU_PWC_MOUNT(5, at, "4"), IOMMU_PWC_MOUNT(4, at, "4"), IOMMU_PWC_MOUNT(3, at, "8"),                    \
    IOMMU_PWC_MOUNT(2, at, "32")

/* The parameters of an IOMMU alone, with their defaults; for tests. */
extern const struct param_schema iommu_schema;

struct iommu_stats {
#define S STAT_MEMBER
#include "iommu/iommu_stats.def"
#undef S
};

extern const struct stat_row iommu_stat_rows[];
extern const size_t iommu_stat_count;

struct iommu_stale; /* check.stale: what iommu_stale.c keeps */

struct iommu {
    struct iommu_params params;
    struct physmem *memory;
    struct iommu_wires wires;
    struct iommu_regs regs;
    struct iommu_caches caches;
    struct iommu_interrupt_cache interrupt_cache;
    struct walkers walkers;
    struct mmu_env env[IOMMU_STAGES][RADIX_MAX_LEVELS + 1]; /* by enum iommu_stages and levels; [0][0] is for needs */
    struct iommu_stale *stale; /* NULL: check.stale is off */
    struct iommu_stats stats;
    struct histogram translation_cycles; /* of all requests */
};

/* Memory and wires outlive the IOMMU, which is all zeros before. The struct is large: it belongs on the heap. */
bool iommu_init(struct iommu *u, const struct iommu_params *params, struct physmem *memory,
                const struct iommu_wires *wires, struct hv_err *err);
void iommu_fini(struct iommu *u);

/* The state after power-on: registers at their reset values, caches empty, counters zero. */
void iommu_reset(struct iommu *u);

/* Zeroes the counters and histograms only (the end of a warm-up). */
void iommu_reset_stats(struct iommu *u);

/* What must hold of the counters at any time; otherwise the simulator is wrong. */
void iommu_check(const struct iommu *u);

/* Registers all statistics under "iommu". */
void iommu_register_stats(struct iommu *u, struct stat_registry *registry);

/* check.stale: compare each use of something cached with what memory says. Off after iommu_init(). */
void iommu_check_stale(struct iommu *u, bool on);

/* Prints what was found as lines; returns how many. */
size_t iommu_stale_report(const struct iommu *u, FILE *out);

/*
 * One request of a device, that arrives at `now`. A write of 4 bytes without PASID to the interrupt address range
 * (FEExxxxxH) is no DMA but for iommu_interrupt(); here it is blocked. Any other access there is a fault, 29H.
 */
struct iommu_reply iommu_translate(struct iommu *u, const struct iommu_request *request, hv_cycles now);

/*
 * Registers: 4 or 8 bytes at an offset. What a write does, an invalidation queue's descriptors included, happens now;
 * iommu_busy_until() says when the hardware is done with the last one.
 */
uint64_t iommu_read(struct iommu *u, uint32_t offset, unsigned bytes, hv_cycles now);
void iommu_write(struct iommu *u, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now);
hv_cycles iommu_busy_until(const struct iommu *u);

/*
 * What became of a device-TLB invalidation, told from within wires.device_tlb or later: the function did not answer in
 * time, or answered what nobody asked it. Without a call it is complete.
 */
enum iommu_device_tlb_error { IOMMU_DEVICE_TLB_TIMEOUT, IOMMU_DEVICE_TLB_UNEXPECTED };
void iommu_device_tlb_error(struct iommu *u, enum iommu_device_tlb_error error, uint16_t source, hv_cycles now);

/* An interrupt request of a device. */
struct iommu_interrupt iommu_interrupt(struct iommu *u, uint16_t source, uint64_t address, uint32_t data,
                                       hv_cycles now);

/* Whether any of the bytes are in the memory that can be read and not written (iommu.rom_base). */
bool iommu_is_read_only(const struct iommu *u, uint64_t address, uint64_t bytes);

/* A page request of a device. */
void iommu_page_request(struct iommu *u, const struct iommu_page_request *request, hv_cycles now);

#endif
