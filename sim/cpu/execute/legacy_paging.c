/* SPDX-License-Identifier: MIT */
#include "cpu/execute/legacy_paging.h"

#include "cpu/execute/access.h"

enum {
    PRESENT = 1 << 0, WRITABLE = 1 << 1, USER = 1 << 2, ACCESSED = 1 << 5, DIRTY = 1 << 6, LARGE = 1 << 7,
};
#define EXECUTE_DISABLE (UINT64_C(1) << 63)
#define FRAME_PAE UINT64_C(0x000ffffffffff000)
#define FRAME_32 UINT64_C(0xfffff000)

/* One walk: what its entries have allowed so far, and the leaf. */
struct legacy_walk {
    struct processor *p;
    uint32_t linear;
    enum hv_access_kind kind;
    bool pae;
    uint64_t rights; /* the AND of WRITABLE and USER over all entries */
    bool no_execute;
    uint64_t entry, at;
    enum cpu_end *end;
};

/* SDM Vol. 3A 4.7: the error code; whether a fetch is reported depends on NXE (with PAE paging) or SMEP. */
static bool page_fault(struct legacy_walk *w, uint32_t bits)
{
    const struct mmu_regs *regs = &w->p->mmu->env.regs;
    bool fetch = (w->pae && (regs->efer & MMU_EFER_NXE) != 0) || (regs->cr4 & MMU_CR4_SMEP) != 0;
    bits |= w->kind == HV_STORE ? HV_PF_WRITE : 0;
    bits |= regs->user ? HV_PF_USER : 0;
    bits |= w->kind == HV_FETCH && fetch ? HV_PF_FETCH : 0;
    w->p->raised = (struct cpu_exception){CPU_PF, true, bits, w->linear};
    *w->end = CPU_RAISED;
    return false;
}

/* The bits that have to be 0: above the physical-address width, and XD without NXE. */
static uint64_t reserved_bits(const struct legacy_walk *w)
{
    uint64_t wide = ~((UINT64_C(1) << w->p->vmx.caps.physical_bits) - 1) & ~EXECUTE_DISABLE;
    bool nxe = (w->p->state.msrs.efer & CPU_EFER_NXE) != 0;
    return w->pae ? wide | (nxe ? 0 : EXECUTE_DISABLE) : 0;
}

/* Reads the entry of `index` in a table. */
static bool read_entry(struct legacy_walk *w, uint64_t table, uint32_t index)
{
    size_t bytes = w->pae ? 8 : 4;
    w->at = table + index * bytes;
    w->entry = 0;
    if (!cpu_access_guest_physical(w->p, (hv_gpa){w->at}, HV_LOAD, &w->entry, bytes, w->end)) {
        return false;
    }
    if ((w->entry & PRESENT) == 0) {
        return page_fault(w, 0);
    }
    if ((w->entry & reserved_bits(w)) != 0) {
        return page_fault(w, HV_PF_PRESENT | HV_PF_RESERVED);
    }
    w->rights &= w->entry;
    w->no_execute |= w->pae && (w->entry & EXECUTE_DISABLE) != 0;
    return true;
}

static bool set_flags(struct legacy_walk *w, uint64_t flags)
{
    uint64_t entry = w->entry | flags;
    return entry == w->entry ||
           cpu_access_guest_physical(w->p, (hv_gpa){w->at}, HV_STORE, &entry, w->pae ? 8 : 4, w->end);
}

/* SDM Vol. 3A 4.6.1 "Determination of Access Rights". */
static bool allowed(const struct legacy_walk *w)
{
    const struct mmu_regs *regs = &w->p->mmu->env.regs;
    bool user_page = (w->rights & USER) != 0, ac = (regs->rflags & MMU_RFLAGS_AC) != 0;
    if (regs->user ? !user_page : user_page && (w->kind == HV_FETCH ? (regs->cr4 & MMU_CR4_SMEP) != 0
                                                                    : (regs->cr4 & MMU_CR4_SMAP) != 0 && !ac)) {
        return false;
    }
    bool checks_write = regs->user || (regs->cr0 & MMU_CR0_WP) != 0;
    return !(w->kind == HV_STORE && checks_write && (w->rights & WRITABLE) == 0) &&
           !(w->kind == HV_FETCH && w->no_execute);
}

/* The leaf has been read: rights, flags, and the address in a page of 1 << shift bytes. */
static bool finish(struct legacy_walk *w, unsigned shift, uint64_t frame, hv_gpa *address)
{
    uint64_t offset = (UINT64_C(1) << shift) - 1;
    if (!allowed(w)) {
        return page_fault(w, HV_PF_PRESENT);
    }
    *address = (hv_gpa){(frame & ~offset) | (w->linear & offset)};
    return set_flags(w, ACCESSED | (w->kind == HV_STORE ? (uint64_t)DIRTY : 0));
}

/* Two levels of 1024 entries of 4 bytes; with CR4.PSE pages of 4 MiB, whose bits 20:13 are the address's 39:32. */
static bool walk_32(struct legacy_walk *w, hv_gpa *address)
{
    if (!read_entry(w, w->p->state.cr3 & FRAME_32, w->linear >> 22)) {
        return false;
    }
    if ((w->entry & LARGE) != 0 && (w->p->state.cr4 & CPU_CR4_PSE) != 0) {
        return finish(w, 22, (w->entry & 0xffc00000) | (w->entry >> 13 & 0xff) << 32, address);
    }
    return set_flags(w, ACCESSED) && read_entry(w, w->entry & FRAME_32, w->linear >> 12 & 1023) &&
           finish(w, 12, w->entry & FRAME_32, address);
}

/* The four PDPTEs are in registers; then two levels of 512 entries of 8 bytes, with pages of 2 MiB. */
static bool walk_pae(struct legacy_walk *w, hv_gpa *address)
{
    uint64_t pdpte = w->p->state.pdpte[w->linear >> 30];
    if ((pdpte & PRESENT) == 0) {
        return page_fault(w, 0);
    }
    if (!read_entry(w, pdpte & FRAME_PAE, w->linear >> 21 & 511)) {
        return false;
    }
    if ((w->entry & LARGE) != 0) {
        return finish(w, 21, w->entry & FRAME_PAE, address);
    }
    return set_flags(w, ACCESSED) && read_entry(w, w->entry & FRAME_PAE, w->linear >> 12 & 511) &&
           finish(w, 12, w->entry & FRAME_PAE, address);
}

bool cpu_legacy_translate(struct processor *p, hv_gva linear, enum hv_access_kind kind, hv_gpa *address,
                          enum cpu_end *end)
{
    struct legacy_walk w = {
        .p = p, .linear = (uint32_t)linear.v, .kind = kind, .pae = (p->state.cr4 & CPU_CR4_PAE) != 0,
        .rights = WRITABLE | USER, .end = end,
    };
    return w.pae ? walk_pae(&w, address) : walk_32(&w, address);
}
