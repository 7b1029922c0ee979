/* SPDX-License-Identifier: MIT */
#include "mmu/walk.h"

const char *const hv_fault_names[HV_FAULT_KINDS] = {
    "none", "non-canonical address", "page fault", "EPT violation", "EPT misconfiguration", "nested page fault",
};

static enum walk_need fail(struct walk *w, enum hv_fault_kind kind, enum hv_dimension dimension, unsigned level,
                           uint64_t error_code)
{
    w->update = 0;
    w->fault = (struct hv_fault){
        .kind = (uint8_t)kind,
        .dimension = (uint8_t)dimension,
        .level = (uint8_t)level,
        .access = (uint8_t)w->access,
        .gva = w->gva,
        .gpa = dimension == HV_HOST ? w->gpa : (hv_gpa){0},
        .error_code = error_code,
    };
    return WALK_FAULT;
}

enum walk_need walk_begin_rarely(struct walk *w)
{
    unsigned spare = 64u - w->env->linear_bits;
    if ((uint64_t)((int64_t)(w->gva.v << spare) >> spare) != w->gva.v) {
        return fail(w, HV_FAULT_NON_CANONICAL, HV_GUEST, 0, 0);
    }
    return walk_switch(w);
}

/* The bits of a page-fault error code that say what was tried. */
static uint64_t access_bits(const struct walk *w)
{
    const struct mmu_regs *regs = &w->env->regs;
    /* SDM 4.7: the I/D flag is reported only when an instruction fetch could fault for being one. */
    bool fetch_reported = (regs->efer & MMU_EFER_NXE) != 0 || (regs->cr4 & MMU_CR4_SMEP) != 0;
    return (w->access == HV_STORE ? HV_PF_WRITE : 0u) | (regs->user ? HV_PF_USER : 0u) |
           (w->access == HV_FETCH && fetch_reported ? HV_PF_FETCH : 0u);
}

enum walk_need walk_guest_fault(struct walk *w, unsigned page_fault_bits)
{
    return fail(w, HV_FAULT_PAGE, HV_GUEST, w->guest.level, page_fault_bits | access_bits(w));
}

/*
 * What the second level was asked for. A read of a guest table with EPT's flags on is treated as a write and sets
 * bits 0 and 1 (SDM, note to Table 28-7).
 */
static uint64_t violation_access(const struct walk *w)
{
    if (w->guest_step != 0) {
        return w->env->host_flags ? HV_EPTV_READ | HV_EPTV_WRITE : HV_EPTV_READ;
    }
    return w->access == HV_LOAD ? HV_EPTV_READ : w->access == HV_STORE ? HV_EPTV_WRITE : HV_EPTV_FETCH;
}

/* Bits 11:9: how guest paging translated the address; defined for the final access only. */
static uint64_t violation_guest_rights(const struct walk *w)
{
    return ((w->leaf & TLB_GUEST_U) != 0 ? HV_EPTV_GUEST_USER : 0u) |
           ((w->leaf & TLB_GUEST_W) != 0 ? HV_EPTV_GUEST_WRITABLE : 0u) |
           ((w->leaf & TLB_GUEST_X) != 0 ? 0u : HV_EPTV_GUEST_XD);
}

static enum walk_need ept_violation(struct walk *w, unsigned level, uint64_t access, uint64_t rights)
{
    uint64_t qualification = access | HV_EPTV_LINEAR_VALID;
    qualification |= (rights & TLB_HOST_R) != 0 ? HV_EPTV_READABLE : 0u;
    qualification |= (rights & TLB_HOST_W) != 0 ? HV_EPTV_WRITABLE : 0u;
    qualification |= (rights & TLB_HOST_X) != 0 ? HV_EPTV_EXECUTABLE : 0u;
    bool mode_based = (w->env->host.present & RADIX_EPT_MODE_BASED) != 0;
    qualification |= mode_based && (rights & TLB_HOST_XU) != 0 ? HV_EPTV_USER_EXECUTABLE : 0u;
    if (w->guest_step == 0) {
        qualification |= HV_EPTV_FINAL | violation_guest_rights(w);
    }
    return fail(w, HV_FAULT_VIOLATION, HV_HOST, level, qualification);
}

/*
 * APM Vol. 2 15.25.6: a nested page fault's EXITINFO1 is a page-fault error code with U set, and what it was for. The
 * fetch bit depends on the host's no-execute feature, which is on, and not on the guest's.
 */
static enum walk_need nested_page_fault(struct walk *w, unsigned level, uint64_t bits)
{
    if (w->guest_step != 0) {
        bits |= HV_PF_WRITE | HV_NPF_TABLE;
    } else {
        bits |= w->access == HV_STORE ? HV_PF_WRITE : w->access == HV_FETCH ? HV_PF_FETCH : 0u;
        bits |= HV_NPF_FINAL;
    }
    return fail(w, HV_FAULT_NESTED_PAGE, HV_HOST, level, bits | HV_PF_USER);
}

enum walk_need walk_host_violation(struct walk *w, bool present)
{
    unsigned level = w->host.level;
    if (w->env->host.format == RADIX_NPT) {
        return nested_page_fault(w, level, present ? HV_PF_PRESENT : 0);
    }
    /* Bits 5:3 are the AND over all entries used; an entry that is not present contributes zeros. */
    uint64_t rights = present ? w->env->host_permission[w->host.permission] : 0;
    return ept_violation(w, level, violation_access(w), rights);
}

enum walk_need walk_host_misconfig(struct walk *w)
{
    if (w->env->host.format == RADIX_NPT) {
        return nested_page_fault(w, w->host.level, HV_PF_PRESENT | HV_PF_RESERVED);
    }
    return fail(w, HV_FAULT_MISCONFIG, HV_HOST, w->host.level, 0);
}

/*
 * A guest entry's accessed or dirty flag has to be set, and the second level does not let it be written.
 * MODEL: SDM note to Table 28-7 leaves open whether the read half of a read-modify-write sets bit 0; here it does
 * not. No effect on time.
 */
enum walk_need walk_table_not_writable(struct walk *w)
{
    /* A leaf has been accepted already; the violation is on its entry, not on the data page. */
    w->guest_step = w->guest.level;
    w->gpa = w->entry_gpa;
    return ept_violation(w, w->host_size + 1u, HV_EPTV_WRITE, w->table_rights);
}
