/* SPDX-License-Identifier: MIT */
/*
 * A minimal operating system and hypervisor: they own the page tables of one virtual machine and its processes.
 *
 * Everything is prepared ahead (paging.prefault) or on demand: a guest page fault makes the operating system map a
 * frame, an EPT violation makes the hypervisor back it. Events of the stream unmap, protect, copy and move pages. The
 * tables are real bytes in their architectural format; what software changes in them stays in TLBs until the
 * invalidation that vm_event() and vm_handle_fault() ask for.
 *
 * Guest-physical memory has two parts, so that their host page sizes can differ: guest page tables from 0 on, data
 * from the next GiB on. Host memory: host tables, shadow tables, the pages behind guest tables,
 * the pages behind data.
 *
 * vm_layout.c divides memory, vm_map.c maps pages, vm_fault.c handles faults, vm_event.c carries out events. What a
 * hypervisor does beside that which keeps shadow tables (paging.mode shadow and agile) is in shadow.h.
 *
 * MODEL: pages behind guest page tables are there as soon as the guest makes a table, also without prefault; the
 * EPT violations that their first touch would cost are part of vmm.cost.page_fault_cycles. MODEL: what software reads
 * and writes itself, page tables included, costs the cycles of vmm.cost and no cache accesses.
 */
#ifndef HV_VMM_VM_H
#define HV_VMM_VM_H

#include "base/event.h"
#include "base/param.h"
#include "base/stat.h"
#include "mmu/fault.h"
#include "mmu/mmu_env.h"
#include "tlb/tlb.h"
#include "vmm/page_table.h"
#include "vmm/size_rules.h"

enum paging_mode { PAGING_NATIVE, PAGING_NESTED, PAGING_SHADOW, PAGING_AGILE };
enum paging_format { PAGING_EPT, PAGING_NPT };

/* How a guest's interrupts reach it: vcpu.interrupts. */
enum vcpu_interrupts {
    VCPU_INTERRUPTS_EMULATED, VCPU_INTERRUPTS_TPR_SHADOW, VCPU_INTERRUPTS_VIRTUAL, VCPU_INTERRUPTS_POSTED,
    VCPU_INTERRUPTS_DIRECT
};

extern const char *const vcpu_interrupts_names[];
extern const char *const paging_mode_names[];
extern const char *const paging_format_names[];
extern const char *const vm_nested_levels_names[];  /* "auto", "0" to "5", "full" */
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

struct vmm_params {
#define P PARAM_MEMBER
#include "vmm/vmm_params.def"
#undef P
};

struct vmm_cost_params {
#define P PARAM_MEMBER
#include "vmm/vmm_cost_params.def"
#undef P
};

struct vmm_shadow_params {
#define P PARAM_MEMBER
#include "vmm/vmm_shadow_params.def"
#undef P
};

struct vmm_agile_params {
#define P PARAM_MEMBER
#include "vmm/vmm_agile_params.def"
#undef P
};

struct vm_params {
#define P PARAM_MEMBER
#include "vmm/vm_params.def"
#undef P
};

struct vcpu_params {
#define P PARAM_MEMBER
#include "vmm/vcpu_params.def"
#undef P
};

struct sched_params {
#define P PARAM_MEMBER
#include "vmm/sched_params.def"
#undef P
};

extern const struct param_row paging_param_rows[], paging_side_param_rows[], paging_host_param_rows[],
    vmm_param_rows[], vmm_cost_param_rows[], vmm_shadow_param_rows[], vmm_agile_param_rows[], vm_param_rows[],
    vcpu_param_rows[], sched_param_rows[];
extern const size_t paging_param_count, paging_side_param_count, paging_host_param_count, vmm_param_count,
    vmm_cost_param_count, vmm_shadow_param_count, vmm_agile_param_count, vm_param_count, vcpu_param_count, sched_param_count;

struct vm_config {
    struct paging_params paging;
    struct paging_side_params guest, host;
    struct paging_host_params host_more;
    struct vmm_cost_params cost;
    struct vmm_shadow_params shadow;
    struct vmm_agile_params agile;
    uint64_t memory;       /* guest-physical, bytes; 0: as much as needed */
    uint64_t seed;         /* which regions are huge, which blocks fragmented */
    bool pcid;             /* processes have PCIDs */
    bool pages_1g;         /* the processor's guest paging has 1 GiB pages */
    uint32_t processes;
};

enum { VM_MAX_PCIDS = 4096 /* CR3 bits 11:0 */ };

/* A run of 4 KiB pages of a process's virtual space that will be used. */
struct vm_region {
    hv_gva start;
    uint64_t pages;
    uint32_t process;
};

struct vm_stats {
#define S STAT_MEMBER
#include "vmm/vm_stats.def"
#undef S
};

extern const struct stat_row vm_stat_rows[];
extern const size_t vm_stat_count;

struct vm_process {
    struct page_table table;
    uint16_t pcid;
    uint64_t changes;            /* counts invalidations that a processor without this process has to make up for */
    struct size_rules rules;     /* what events said of the sizes of its pages */
};

enum { VM_EXIT_KINDS = 6 };

struct vm {
    struct vm_config config;
    bool nested;                 /* there is a second level: every mode but native */
    bool agile;                  /* walks may begin in one dimension and end in two */
    struct shadow *shadow;       /* the hypervisor's shadow tables; NULL: it keeps none */
    struct page_table host;
    struct vm_process *processes; /* config.processes of them */
    struct vm_region *regions;    /* what they use, ascending by process and address */
    size_t region_count;
    struct frames shadow_tables, host_tables, guest_tables, guest_data, host_data; /* where each comes from */
    uint64_t table_backing;    /* host address behind guest-physical 0 */
    uint64_t data_start;       /* guest-physical address of the first data frame */
    enum hv_page_size table_size; /* of host pages under guest tables */
    uint64_t host_changes;     /* as vm_process.changes, of the host's tables */
    uint64_t exits_due[VM_EXIT_KINDS]; /* by enum shadow_exit: what nobody has made yet (vm_next_exit) */
    struct vm_stats stats;
};

/*
 * Lays the address spaces out for regions (ascending by process and address, not overlapping) and, with
 * paging.prefault, maps them all. *host_next is the first free address of host memory, and afterwards the first
 * behind this machine's. Fails with a sentence when memory is too small.
 */
bool vm_init(struct vm *vm, const struct vm_config *config, const struct vm_region *regions, size_t count,
             struct physmem *memory, uint64_t *host_next, struct hv_err *err);
void vm_fini(struct vm *vm);

/* The first address of host memory that a machine may use: low memory stays free, as on a PC. */
#define VM_HOST_START HV_MIB(1)

/*
 * The registers that a processor runs a process with: CR3, EPTP and the modes (64-bit, user). vpid is 0 when VPIDs
 * are off; natively it is always 0.
 */
struct mmu_regs vm_regs(const struct vm *vm, uint32_t process, uint16_t vpid);

/* What translations software has to invalidate. */
enum vm_flush {
    VM_FLUSH_NONE,
    VM_FLUSH_RUN,     /* pages of the process: INVLPG each, or the whole process when they are many */
    VM_FLUSH_HOST     /* the machine's second level: INVEPT */
};

struct vm_change {
    enum vm_flush flush;
    uint64_t start, pages;  /* VM_FLUSH_RUN: of 4 KiB */
    bool host_too;          /* the guest's change made the hypervisor change its shadow: VM_FLUSH_HOST before it */
    hv_cycles guest_cycles; /* of the operating system */
    hv_cycles host_cycles;  /* of the hypervisor, VM exit and entry included */
};

/* What the software did about a fault. */
struct vm_fault_reply {
    bool resolved;
    bool exit;  /* the hypervisor handled it, not the guest */
    hv_cycles cycles;
    hv_cycles exit_cycles; /* and of VM exits that the guest's work on its tables caused */
    struct vm_change change; /* with a flush when the page was mapped before; its cycles are in `cycles` */
};

struct vm_fault_reply vm_handle_fault(struct vm *vm, uint32_t process, const struct hv_fault *fault);

/*
 * Carries out an event that changes mappings (all but process and vcpu): the tables change at once, and the caller
 * has to charge the cycles and invalidate. The event is valid.
 */
struct vm_change vm_event(struct vm *vm, uint32_t process, const struct hv_access *event);

/*
 * The guest's own invalidations: MOV to CR3 of a process, INVLPG of each page of a run. Returns what the VM exits cost
 * that a hypervisor with shadow tables takes for them, and to bring the shadow in line; 0 in the other modes.
 */
hv_cycles vm_mov_cr3(struct vm *vm, uint32_t process);
hv_cycles vm_invlpg(struct vm *vm, uint32_t process, uint64_t start, uint64_t pages);

/*
 * A VM exit that the hypervisor's shadow tables have caused and nobody has made yet: vmx_exit_reason, and what it costs in
 * software. That cost is in what the calls above returned. False: there is none left.
 */
bool vm_next_exit(struct vm *vm, unsigned *reason, hv_cycles *cycles);

/* After so many accesses of its first virtual processor vm_scan() is due, again and again; UINT64_MAX: never. */
uint64_t vm_scan_interval(const struct vm *vm);
struct vm_change vm_scan(struct vm *vm);

/* Whether the hypervisor keeps shadow tables: not in an agile mode that leaves all guest tables to nested walks. */
bool vm_has_shadow(const struct vm *vm);

/* --- vm_layout.c, vm_map.c: for the files of this block ------------------------------------------------------- */

bool vm_lay_out(struct vm *vm, const struct vm_region *regions, size_t count, struct physmem *memory,
                uint64_t *host_next, struct hv_err *err);

/*
 * Maps the page around gva in a process, where nothing is mapped; the size is what the parameters and the process's
 * rules say, or smaller.
 */
bool vm_map_guest(struct vm *vm, uint32_t process, uint64_t gva);

/* Backs the guest-physical page around gpa. */
bool vm_map_host(struct vm *vm, uint64_t gpa);

/* The size of the page that would be mapped at an address. */
enum hv_page_size vm_guest_size(const struct vm *vm, uint32_t process, uint64_t gva);
enum hv_page_size vm_host_size(const struct vm *vm, uint64_t gpa);

/* Software bit of an entry: the page is read-only for bookkeeping only; a store makes it writable again. */
#define VM_ENTRY_KEPT (UINT64_C(1) << 52)
/* ... and by copying it, because a forked child may still read it. */
#define VM_ENTRY_SHARED (UINT64_C(1) << 53)
/* Of a host entry, while an event is carried out: its page has had its turn. */
#define VM_ENTRY_MOVED (UINT64_C(1) << 54)

#endif
