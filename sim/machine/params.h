/* SPDX-License-Identifier: MIT */
/*
 * Every parameter of a machine: the blocks' tables mounted under their dotted prefixes.
 */
#ifndef HV_MACHINE_PARAMS_H
#define HV_MACHINE_PARAMS_H

#include "apic/apic.h"
#include "cpu/core.h"
#include "cpu/vmx/vmx_params.h"
#include "dev/dev_params.h"
#include "iommu/dev_vector.h"
#include "iommu/iommu.h"
#include "machine/io_params.h"
#include "mem/memory.h"
#include "mmu/mmu.h"
#include "vmm/dma_unit.h"
#include "vmm/vm.h"
#include "workload/workload.h"

enum timing_sync { TIMING_EXACT, TIMING_QUANTUM };
enum machine_cache { CACHE_L1D, CACHE_L1I, CACHE_L2, CACHE_LLC, MACHINE_CACHES };

extern const char *const timing_sync_names[];
extern const char *const machine_cache_names[]; /* "l1d", "l1i", "l2", "llc" */

struct machine_own_params {
#define P PARAM_MEMBER
#include "machine/machine_params.def"
#undef P
};

struct timing_params {
#define P PARAM_MEMBER
#include "machine/timing_params.def"
#undef P
};

struct tlb_all_params {
#define P PARAM_MEMBER
#include "machine/tlb_all_params.def"
#undef P
};

struct check_params {
#define P PARAM_MEMBER
#include "machine/check_params.def"
#undef P
};

struct machine_params {
    struct machine_own_params machine;
    struct timing_params timing;
    struct check_params check;
    struct core_params core;
    struct tlb_all_params tlb_all;
    struct tlb_params tlb[TLB_UNITS];
    struct mmu_params mmu;
    struct pwc_params pwc;
    struct pwc_level_params pwc_level[2][PWC_LEVELS];
    struct nested_tlb_params nested_tlb;
    struct cache_params cache[MACHINE_CACHES];
    struct dram_params dram;
    struct paging_params paging;
    struct paging_side_params guest, host;
    struct paging_host_params host_more;
    struct vmx_params vmx;
    struct vmx_cost_params vmx_cost;
    struct vmm_params vmm;
    struct vmm_cost_params vmm_cost;
    struct vmm_shadow_params vmm_shadow;
    struct vmm_agile_params vmm_agile;
    struct vm_params vm;
    struct vcpu_params vcpu;
    struct sched_params sched;
    struct apic_params apic;
    struct io_params io;
    struct dev_params dev;
    struct iommu_params iommu;
    struct dma_map_params dma_map;
    struct dma_cost_params dma_cost;
    struct dev_vector_params exclusion;
    struct workload_params workload;
};

extern const struct param_schema machine_schema;

/*
 * Whether a parameter matters to the hardware alone: what software prepares before a run (page tables, opened streams)
 * is the same whatever it says.
 */
bool machine_param_is_hardware(const struct param_ref *ref);

/* The defaults; workload.accesses is left open (see machine_params_resolve). */
void machine_params_init(struct machine_params *params);

/*
 * Ends the reading of parameters: fills what depends on others (workload.accesses: a million, or all of a trace) and
 * checks what no single parameter's range can say. The sentence names the parameters and the way out.
 */
bool machine_params_resolve(struct machine_params *params, struct hv_err *err);

/* The part of that which fills the workload's, for one that is a part of a mix. */
void machine_workload_resolve(struct workload_params *workload);

#endif
