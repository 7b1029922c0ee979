/* SPDX-License-Identifier: MIT */
/*
 * A minimal operating system and hypervisor: they own the page tables of one virtual machine with one process.
 *
 * Everything is prepared ahead (paging.prefault) or on demand: a guest page fault makes the operating system map a
 * frame, an EPT violation makes the hypervisor back it. The tables are real bytes in their architectural format.
 *
 * Guest-physical memory has two parts, so that their host page sizes can differ: guest page tables from 0 on, data
 * from the next GiB on. Host memory: host tables, the pages behind guest tables, the pages behind data.
 *
 * MODEL: pages behind guest page tables are there as soon as the guest makes a table, also without prefault; the
 * EPT violations that their first touch would cost are part of vmm.cost.page_fault_cycles.
 */
#ifndef HV_VMM_VM_H
#define HV_VMM_VM_H

#include "base/param.h"
#include "mmu/fault.h"
#include "mmu/mmu_env.h"
#include "tlb/tlb.h"
#include "vmm/page_table.h"

enum paging_mode { PAGING_NATIVE, PAGING_NESTED, PAGING_SHADOW, PAGING_AGILE };
enum paging_format { PAGING_EPT, PAGING_NPT };

extern const char *const paging_mode_names[];
extern const char *const paging_format_names[];
extern const char *const paging_table_size_names[]; /* "same", then the page sizes */

struct paging_params {
#define P PARAM_MEMBER
#include "vmm/paging_params.def"
#undef P
};

struct paging_side_params {
#define P PARAM_MEMBER
#include "vmm/paging_side_params.def"
#undef P
};

struct paging_host_params {
#define P PARAM_MEMBER
#include "vmm/paging_host_params.def"
#undef P
};

struct vmm_cost_params {
#define P PARAM_MEMBER
#include "vmm/vmm_cost_params.def"
#undef P
};

extern const struct param_row paging_param_rows[], paging_side_param_rows[], paging_host_param_rows[],
    vmm_cost_param_rows[];
extern const size_t paging_param_count, paging_side_param_count, paging_host_param_count, vmm_cost_param_count;

struct vm_config {
    struct paging_params paging;
    struct paging_side_params guest, host;
    struct paging_host_params host_more;
    struct vmm_cost_params cost;
    uint64_t seed;         /* which regions are huge */
};

/* A run of 4 KiB pages of the guest-virtual space that will be used. */
struct vm_region {
    hv_gva start;
    uint64_t pages;
};

struct vm_stats {
    uint64_t page_faults, violations; /* handled */
};

struct vm {
    struct vm_config config;
    bool nested;
    struct page_table guest, host;
    struct frames host_tables, guest_tables, guest_data, host_data; /* where each comes from */
    uint64_t table_backing;    /* host address behind guest-physical 0 */
    uint64_t data_start;       /* guest-physical address of the first data frame */
    enum hv_page_size table_size; /* of host pages under guest tables */
    struct vm_stats stats;
};

/*
 * Lays the address spaces out for regions (ascending, not overlapping) and, with paging.prefault, maps them all.
 * Fails with a sentence when memory is too small.
 */
bool vm_init(struct vm *vm, const struct vm_config *config, const struct vm_region *regions, size_t count,
             struct physmem *memory, struct hv_err *err);

/* The registers that a core runs this machine's process with: CR3, EPTP and the modes (64-bit, user, VPID 1). */
struct mmu_regs vm_regs(const struct vm *vm);

/* What the software did about a fault. */
struct vm_fault_reply {
    bool resolved;
    bool exit;  /* the hypervisor handled it, not the guest */
    hv_cycles cycles;
};

struct vm_fault_reply vm_handle_fault(struct vm *vm, const struct hv_fault *fault);

#endif
