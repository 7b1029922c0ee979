/* SPDX-License-Identifier: MIT */
/*
 * What each instruction and event removes from the caches of translations, and what it leaves.
 *
 * Sources: SDM Vol. 3A "Operations that Invalidate TLBs and Paging-Structure Caches" (4.10.4.1), Vol. 3C "Operations
 * that Invalidate Cached Mappings" (29.4.3.1; 28.3.3.1 in editions before 2022), and the instructions' own pages.
 * MODEL: an operation removes exactly what it must; silicon may remove more, so software that counts on an entry
 * surviving measures an upper bound here.
 */
#include "mmu/mmu.h"

/* Removes what `naming` names everywhere; with an address, of the page caches only what covers it. */
static void remove_named(struct mmu *m, const struct tlb_naming *naming, const uint64_t *page_address,
                         const uint64_t *table_address)
{
    mmu_pending_forget(m);
    if (!tlb_spaces_name(&m->spaces, naming)) {
        return;
    }
    tlb_levels_invalidate(&m->tlb, &m->spaces, page_address);
    pwc_invalidate(&m->pwc, &m->spaces, table_address);
    tlb_invalidate(&m->nested_tlb, &m->spaces);
}

void mmu_flush_all(struct mmu *m)
{
    mmu_pending_forget(m);
    tlb_levels_flush(&m->tlb);
    pwc_flush(&m->pwc);
    tlb_flush(&m->nested_tlb);
}

/*
 * SDM 4.10.4.1: TLB entries for the address with the current PCID, and global ones for it whatever their PCID; and
 * all paging-structure-cache entries of the current PCID regardless of the address. Linear and combined mappings
 * with the current VPID; combined ones with any EP4TA.
 */
void mmu_invlpg(struct mmu *m, hv_gva gva)
{
    if (!mmu_canonical(m, gva)) {
        return; /* SDM INVLPG: with a non-canonical address the instruction is a NOP */
    }
    struct tlb_naming naming = {
        TLB_BY_VPID | TLB_BY_PCID | TLB_GLOBAL_TOO | TLB_KEEP_GUEST_PHYSICAL, m->env.regs.vpid, m->env.pcid, 0,
    };
    remove_named(m, &naming, &gva.v, NULL);
}

bool mmu_invpcid(struct mmu *m, uint64_t type, uint64_t pcid, hv_gva gva)
{
    bool one_pcid = type == MMU_INVPCID_ADDRESS || type == MMU_INVPCID_CONTEXT;
    /* INVPCID: #GP(0) for a reserved type, PCID bits 63:12, a nonzero PCID without CR4.PCIDE, a bad address. */
    if (type > MMU_INVPCID_ALL || pcid > MMU_CR3_PCID ||
        (one_pcid && pcid != 0 && (m->env.regs.cr4 & MMU_CR4_PCIDE) == 0) ||
        (type == MMU_INVPCID_ADDRESS && !mmu_canonical(m, gva))) {
        return false;
    }
    struct tlb_naming naming = {TLB_BY_VPID | TLB_KEEP_GUEST_PHYSICAL, m->env.regs.vpid, (uint16_t)pcid, 0};
    naming.by |= one_pcid ? TLB_BY_PCID : 0;
    naming.by |= type != MMU_INVPCID_ALL_GLOBAL ? TLB_KEEP_GLOBAL : 0;
    bool by_address = type == MMU_INVPCID_ADDRESS;
    remove_named(m, &naming, by_address ? &gva.v : NULL, by_address ? &gva.v : NULL);
    return true;
}

/* SDM INVEPT: guest-physical mappings of the EP4TA, and combined ones whatever their VPID and PCID. */
bool mmu_invept(struct mmu *m, uint64_t type, uint64_t eptp)
{
    if (type != MMU_INVEPT_CONTEXT && type != MMU_INVEPT_ALL) {
        return false;
    }
    struct tlb_naming naming = {TLB_KEEP_LINEAR, 0, 0, eptp & RADIX_ADDRESS_MASK};
    naming.by |= type == MMU_INVEPT_CONTEXT ? TLB_BY_EP4TA : 0;
    remove_named(m, &naming, NULL, NULL);
    return true;
}

/* SDM INVVPID: linear and combined mappings of the VPID, whatever their PCID and EP4TA. */
bool mmu_invvpid(struct mmu *m, uint64_t type, uint16_t vpid, hv_gva gva)
{
    if (type > MMU_INVVPID_CONTEXT_KEEP_GLOBAL || (vpid == 0 && type != MMU_INVVPID_ALL) ||
        (type == MMU_INVVPID_ADDRESS && !mmu_canonical(m, gva))) {
        return false;
    }
    struct tlb_naming naming = {TLB_KEEP_GUEST_PHYSICAL, vpid, 0, 0};
    naming.by |= type == MMU_INVVPID_ALL ? TLB_BUT_VPID_0 : TLB_BY_VPID;
    naming.by |= type == MMU_INVVPID_CONTEXT_KEEP_GLOBAL ? TLB_KEEP_GLOBAL : 0;
    bool by_address = type == MMU_INVVPID_ADDRESS;
    remove_named(m, &naming, by_address ? &gva.v : NULL, by_address ? &gva.v : NULL);
    return true;
}

/* Everything of the current VPID but global translations (of one PCID, when there are PCIDs). */
static void flush_address_space(struct mmu *m, uint16_t pcid)
{
    struct tlb_naming naming = {
        TLB_BY_VPID | TLB_BY_PCID | TLB_KEEP_GLOBAL | TLB_KEEP_GUEST_PHYSICAL, m->env.regs.vpid, pcid, 0,
    };
    remove_named(m, &naming, NULL, NULL);
}

/*
 * SDM 4.10.4.1, MOV to CR3: without PCIDs all non-global translations of PCID 000H; with them, those of the PCID in
 * bits 11:0 of the operand unless its bit 63 is set.
 */
void mmu_mov_cr3(struct mmu *m, uint64_t value)
{
    struct mmu_regs regs = m->env.regs;
    bool pcids = (regs.cr4 & MMU_CR4_PCIDE) != 0;
    bool keep = pcids && (value & UINT64_C(1) << 63) != 0;
    regs.cr3 = value & ~(UINT64_C(1) << 63);
    mmu_set_context(m, &regs);
    if (!m->tagged) {
        mmu_flush_all(m);
    } else if (!keep) {
        flush_address_space(m, m->env.pcid);
    }
}

/*
 * SDM 4.10.4.1: changing CR0.PG, CR4.PGE, or clearing CR4.PCIDE, removes everything of the VPID, global translations
 * included; changing CR4.PAE or setting CR4.SMEP what the current PCID has. MODEL: the last two remove everything.
 */
void mmu_mov_control(struct mmu *m, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    struct mmu_regs regs = m->env.regs;
    uint64_t changed = regs.cr4 ^ cr4;
    bool flush = ((regs.cr0 ^ cr0) & MMU_CR0_PG) != 0 || (changed & (MMU_CR4_PGE | MMU_CR4_PAE)) != 0 ||
                 (changed & ~cr4 & MMU_CR4_PCIDE) != 0 || (changed & cr4 & MMU_CR4_SMEP) != 0;
    regs.cr0 = cr0;
    regs.cr4 = cr4;
    regs.efer = efer;
    if (flush) {
        struct tlb_naming naming = {TLB_BY_VPID | TLB_KEEP_GUEST_PHYSICAL, regs.vpid, 0, 0};
        remove_named(m, &naming, NULL, NULL);
    }
    mmu_set_context(m, &regs);
}

/*
 * SDM 29.4.3.1: with VPIDs disabled, VM entry and VM exit remove linear and combined mappings of VPID 0000H for all
 * PCIDs, and combined ones for all EP4TAs. With them, nothing.
 */
void mmu_vm_transition(struct mmu *m, const struct mmu_regs *regs)
{
    bool vpids_off = m->env.regs.vpid == 0 && regs->vpid == 0;
    if (!m->tagged) {
        mmu_flush_all(m);
    } else if (vpids_off) {
        struct tlb_naming naming = {TLB_BY_VPID | TLB_KEEP_GUEST_PHYSICAL, 0, 0, 0};
        remove_named(m, &naming, NULL, NULL);
    }
    mmu_set_context(m, regs);
}

/*
 * A page fault removes the TLB and paging-structure-cache entries that would be used for its address (SDM 4.10.4.1);
 * an EPT violation the guest-physical mappings of its gPA and the combined ones of its linear address (29.4.3.1).
 */
void mmu_drop_faulting(struct mmu *m, const struct hv_fault *fault)
{
    mmu_pending_forget(m);
    tlb_levels_drop(&m->tlb, fault->gva.v, m->env.view);
    pwc_drop(&m->pwc, HV_GUEST, fault->gva.v, m->env.view.space);
    if (fault->dimension == HV_HOST) {
        for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
            tlb_drop(&m->nested_tlb, fault->gpa.v, size, m->env.host_space);
        }
        pwc_drop(&m->pwc, HV_HOST, fault->gpa.v, m->env.host_space);
    }
}
