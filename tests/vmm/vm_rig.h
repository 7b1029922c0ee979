/* SPDX-License-Identifier: MIT */
/*
 * One virtual machine without processors, for the tests of the software that owns its page tables: a touch walks the
 * bytes of the tables by itself and hands each fault to that software, as a core would.
 */
#ifndef HV_TESTS_VMM_VM_RIG_H
#define HV_TESTS_VMM_VM_RIG_H

#include "base/rng.h"
#include "vmm/vm.h"

/* What each thing costs: primes, so that no sum can be taken for another. */
enum {
    RIG_PAGE_FAULT = 1009, RIG_VIOLATION = 2003, RIG_SYSTEM_CALL = 307, RIG_PAGE_UPDATE = 53, RIG_TABLE_COPY = 1013,
    RIG_PAGE_COPY = 997,
};

#define RIG_START (UINT64_C(1) << 40)

struct vm_rig {
    struct physmem memory;
    struct vm vm;
    uint64_t host_start, host_end;   /* what it has of host memory */
    uint64_t data_start, data_end;   /* data frames: guest-physical, or host-physical natively */
    uint64_t backing_start;          /* host frames behind guest-physical data */
};

/* What the tests have in common: 4 levels, 4K pages, everything mapped ahead, one process with PCIDs. */
struct vm_config rig_config(enum paging_mode mode, enum paging_format format);

void rig_init(struct vm_rig *r, const struct vm_config *config, const struct vm_region *regions, size_t count);
void rig_fini(struct vm_rig *r);

/* Two processes; runs of one page, of some, and of some more than a table of leaves holds. */
enum { RIG_REGIONS = 4 };
extern const struct vm_region rig_regions[RIG_REGIONS];

/* rig_init() with these, and rig_check(); some page of them. */
void rig_begin(struct vm_rig *r, const struct vm_config *config);
uint64_t rig_some_page(struct hv_rng *rng, uint32_t *process);

/* What maps an address in one dimension. */
struct rig_page {
    bool mapped;
    uint64_t entry;
    uint64_t frame;         /* of the whole page */
    enum hv_page_size size;
};

struct rig_page rig_guest_page(struct vm_rig *r, uint32_t process, uint64_t gva);
struct rig_page rig_host_page(struct vm_rig *r, uint64_t gpa);

/* The host-physical address, or UINT64_MAX. */
uint64_t rig_translate(struct vm_rig *r, uint32_t process, uint64_t gva);

/* Makes an access: each fault on its way must be resolved. Returns their cycles. */
hv_cycles rig_touch(struct vm_rig *r, uint32_t process, uint64_t gva, bool store);

/* An event of a run of 2^pages_log2 pages. */
struct vm_change rig_event(struct vm_rig *r, uint32_t process, enum hv_event event, uint64_t address,
                           unsigned pages_log2);

/*
 * Walks all tables: every table and every frame is in one place only, and what is neither in use nor new has been given
 * back.
 */
void rig_check(struct vm_rig *r);

#endif
