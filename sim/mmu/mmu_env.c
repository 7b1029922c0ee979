/* SPDX-License-Identifier: MIT */
#include "mmu/mmu_env.h"

/*
 * SDM Vol. 3A "Determination of Access Rights" (4.6.1) for the guest's half, and for EPT's "EPT Violations"
 * (29.3.3.2). Every access has to be readable, writable or executable in the second level as its kind says.
 */
static struct tlb_needs needs_of(const struct mmu_regs *regs, enum hv_access_kind kind, bool supervisor_shielded)
{
    uint64_t mask = 0, want = 0;
    if (regs->user) {
        mask |= TLB_GUEST_U;
        want |= TLB_GUEST_U;
    } else if (supervisor_shielded) { /* SMAP or SMEP: no use of user-mode addresses */
        mask |= TLB_GUEST_U;
    }
    switch (kind) {
    case HV_LOAD:
        mask |= TLB_HOST_R;
        want |= TLB_HOST_R;
        break;
    case HV_STORE: {
        bool guest_w = regs->user || (regs->cr0 & MMU_CR0_WP) != 0;
        mask |= TLB_HOST_W | TLB_DIRTY | (guest_w ? TLB_GUEST_W : 0);
        want |= TLB_HOST_W | TLB_DIRTY | (guest_w ? TLB_GUEST_W : 0);
        break;
    }
    case HV_FETCH:
    case HV_ACCESS_KINDS:
        mask |= TLB_HOST_X | TLB_GUEST_X;
        want |= TLB_HOST_X | TLB_GUEST_X;
        break;
    }
    return (struct tlb_needs){mask, want};
}

/*
 * What the accumulated permissions of a host walk allow. EPT: bits R, W, X, and with mode-based execute control X
 * for user-mode addresses. NPT: every access is a user access (APM Vol. 2 "Nested Paging", 15.25.5), so without
 * U nothing is allowed.
 */
static uint8_t host_permission_of(uint32_t permission, bool npt, bool mode_based_execute)
{
    if (npt) {
        if ((permission & RADIX_IA32E_U) == 0) {
            return 0;
        }
        return (uint8_t)(TLB_HOST_R | ((permission & RADIX_IA32E_W) != 0 ? TLB_HOST_W : 0) |
                         ((permission & RADIX_IA32E_X) != 0 ? TLB_HOST_X | TLB_HOST_XU : 0));
    }
    bool user_execute = (permission & (mode_based_execute ? RADIX_EPT_XU : RADIX_EPT_X)) != 0;
    return (uint8_t)(((permission & RADIX_EPT_R) != 0 ? TLB_HOST_R : 0) |
                     ((permission & RADIX_EPT_W) != 0 ? TLB_HOST_W : 0) |
                     ((permission & RADIX_EPT_X) != 0 ? TLB_HOST_X : 0) | (user_execute ? TLB_HOST_XU : 0));
}

/*
 * The second dimension. Reads of guest tables need write permission there when EPT's flags are on (SDM Vol. 3C
 * "Accessed and Dirty Flags for EPT", 29.3.5), and always with NPT (APM Vol. 2 15.25.5).
 */
static void host_init(struct mmu_env *env, const struct mmu_features *features)
{
    const struct mmu_regs *regs = &env->regs;
    bool mode_based = features->mode_based_execute && !regs->uniform_execute;
    unsigned levels = (unsigned)(regs->eptp >> MMU_EPTP_WALK_SHIFT & 7) + 1;
    env->host_flags = regs->npt ? features->guest_flags : (regs->eptp & MMU_EPTP_FLAGS) != 0;
    struct radix_features host = {
        .physical_bits = features->physical_bits,
        .pages_1g = true,
        .execute_disable = true,
        .ept_execute_only = features->ept_execute_only,
        .mode_based_execute = mode_based,
        .flags = env->host_flags,
    };
    radix_mode_init(&env->host, regs->npt ? RADIX_NPT : RADIX_EPT, levels == 5 ? 5 : 4, &host);
    env->host_root = regs->eptp & RADIX_ADDRESS_MASK;
    env->ep4ta = env->host_root;
    for (uint32_t permission = 0; permission < HV_ARRAY_LEN(env->host_permission); permission++) {
        env->host_permission[permission] = host_permission_of(permission, regs->npt, mode_based);
    }
    uint64_t table = regs->npt || env->host_flags ? TLB_HOST_W | TLB_DIRTY : TLB_HOST_R;
    env->table_needs = (struct tlb_needs){table, table};
}

void mmu_env_init(struct mmu_env *env, const struct mmu_regs *regs, const struct mmu_features *features)
{
    env->regs = *regs; /* the modes stay: they are made anew only when what they are made from changes */
    bool la57 = (regs->cr4 & MMU_CR4_LA57) != 0;
    struct radix_features guest = {
        .physical_bits = features->physical_bits,
        .pages_1g = features->pages_1g,
        .execute_disable = (regs->efer & MMU_EFER_NXE) != 0,
        .flags = features->guest_flags,
    };
    radix_mode_init(&env->guest, RADIX_IA32E, la57 ? 5 : 4, &guest);
    env->guest_root = regs->cr3 & RADIX_ADDRESS_MASK;
    env->linear_bits = la57 ? 57 : 48;
    env->global_mask = (regs->cr4 & MMU_CR4_PGE) != 0 ? RADIX_GLOBAL : 0;
    env->pcid = (regs->cr4 & MMU_CR4_PCIDE) != 0 ? (uint16_t)(regs->cr3 & MMU_CR3_PCID) : 0;
    env->nested = regs->nested;
    env->agile = regs->agile;
    env->switch_bit = regs->agile ? RADIX_SWITCH : 0;
    env->switched_root = (regs->cr3 & env->switch_bit) != 0;
    env->host_flags = false;
    env->host_root = env->ep4ta = 0;
    if (regs->nested || regs->agile) {
        host_init(env, features);
    }
    bool smap = (regs->cr4 & MMU_CR4_SMAP) != 0 && (regs->rflags & MMU_RFLAGS_AC) == 0;
    bool smep = (regs->cr4 & MMU_CR4_SMEP) != 0;
    env->needs[HV_LOAD] = needs_of(regs, HV_LOAD, smap);
    env->needs[HV_STORE] = needs_of(regs, HV_STORE, smap);
    env->needs[HV_FETCH] = needs_of(regs, HV_FETCH, smep);
}
