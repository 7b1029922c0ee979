/* SPDX-License-Identifier: MIT */
/*
 * What the control registers say about translation, worked out once per change so that a walk and a TLB hit only
 * apply masks.
 */
#ifndef HV_MMU_MMU_ENV_H
#define HV_MMU_MMU_ENV_H

#include "mmu/radix.h"
#include "tlb/tlb_levels.h"

/* The architectural state that translation depends on, as the registers hold it. */
struct mmu_regs {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint64_t eptp;  /* EPT pointer; for NPT nCR3 with the walk length in bits 5:3 as EPTP has it; if nested or agile */
    uint16_t vpid;  /* 0 in VMX root operation and with VPIDs disabled */
    bool nested;    /* second-level translation is on (VMX non-root with EPT, or an SVM guest with NPT) */
    bool agile;     /* CR3 names shadow tables, whose walks switch to the second level at an entry with RADIX_SWITCH */
    bool npt;       /* the second level is NPT, not EPT */
    bool shadow;    /* CR3 names a hypervisor's shadow tables: the processor cannot tell, but who explains it can */
    bool user;      /* CPL 3: accesses are user-mode accesses */
    bool log_dirty; /* page-modification logging is on: struct mmu_log is asked */
    bool uniform_execute; /* mode-based execute control for EPT is off, though the part has it */
};

#define MMU_CR0_WP (UINT64_C(1) << 16)
#define MMU_CR0_PG (UINT64_C(1) << 31)
#define MMU_CR4_PAE (UINT64_C(1) << 5)
#define MMU_CR4_PGE (UINT64_C(1) << 7)
#define MMU_CR4_LA57 (UINT64_C(1) << 12)
#define MMU_CR4_PCIDE (UINT64_C(1) << 17)
#define MMU_CR4_SMEP (UINT64_C(1) << 20)
#define MMU_CR4_SMAP (UINT64_C(1) << 21)
#define MMU_EFER_LME (UINT64_C(1) << 8)
#define MMU_EFER_LMA (UINT64_C(1) << 10)
#define MMU_EFER_NXE (UINT64_C(1) << 11)
#define MMU_RFLAGS_AC (UINT64_C(1) << 18)
#define MMU_CR3_PCID UINT64_C(0xfff)
#define MMU_EPTP_WALK_SHIFT 3               /* bits 5:3: page-walk length minus 1 */
#define MMU_EPTP_FLAGS (UINT64_C(1) << 6)   /* accessed and dirty flags for EPT */

/* What the part offers, from parameters and CPUID-like features; constant for a run. */
struct mmu_features {
    uint8_t physical_bits; /* MAXPHYADDR */
    bool pages_1g;
    bool guest_flags;      /* guest paging sets accessed and dirty flags (always so on silicon) */
    bool ept_execute_only;
    bool mode_based_execute;
};

struct mmu_env {
    struct mmu_regs regs;
    struct radix_mode guest, host;
    uint64_t guest_root; /* table addresses: guest-physical when nested */
    uint64_t host_root;
    bool nested;           /* walks begin in two dimensions */
    bool agile;            /* they switch to two at an entry with this bit set, which is 0 otherwise: */
    bool switched_root;    /* ... already at the root */
    uint64_t switch_bit;
    bool host_flags;       /* EPT accessed and dirty flags are on: reads of guest tables are writes to EPT */
    uint8_t linear_bits;   /* 48 or 57 */
    uint64_t global_mask;  /* RADIX_GLOBAL when CR4.PGE, else 0 */
    struct tlb_needs needs[HV_ACCESS_KINDS]; /* what an access of each kind needs of a translation */
    struct tlb_needs table_needs;            /* what a read of a guest table needs of the host dimension */
    uint8_t host_permission[16];             /* TLB_HOST_* by the permissions that a host walk accumulated */
    struct tlb_view view;                    /* spaces of the linear or combined mappings */
    tlb_space_id host_space;                 /* of the guest-physical mappings; 0 without a second dimension */
    uint16_t pcid;
    uint64_t ep4ta;
};

/*
 * Works out everything but the space numbers, which belong to the MMU's tlb_spaces. env is all zero the first time;
 * later changes reuse what they leave the same, because address-space switches are frequent.
 */
void mmu_env_init(struct mmu_env *env, const struct mmu_regs *regs, const struct mmu_features *features);

#endif
