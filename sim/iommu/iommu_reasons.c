/* SPDX-License-Identifier: MIT */
/*
 * What stopped a walk, in the fault reasons of VT-d: the engine speaks in those of processors.
 */
#include "iommu/iommu_parts.h"

/* An entry that could not be read: the top table is named by another reason than the tables below. */
enum iommu_reason iommu_unreadable_reason(const struct iommu_walk *t)
{
    const struct iommu_mapping *m = t->mapping;
    if (t->w.host_level == 0) {
        return t->w.guest_step == m->first_levels ? IOMMU_FAULT_SFS_4 : IOMMU_FAULT_SFS_1;
    }
    bool top = t->w.host_level == m->second_levels;
    if (!m->scalable) {
        return top ? IOMMU_FAULT_LCT_4 : IOMMU_FAULT_LSS_1; /* the context entry's pointer is to blame */
    }
    return top ? IOMMU_FAULT_SSS_4 : IOMMU_FAULT_SSS_1;
}

/* Of a page fault of the first stage, by what the entries used do not allow. */
static enum iommu_reason first_stage_reason(struct iommu_walk *t)
{
    const struct walk *w = &t->w;
    if ((w->fault.error_code & HV_PF_PRESENT) == 0) {
        t->absent = true;
        return IOMMU_FAULT_SFS_2;
    }
    if ((w->fault.error_code & HV_PF_RESERVED) != 0) {
        t->absent = true;
        return IOMMU_FAULT_SFS_3;
    }
    if (w->env->regs.user && (w->guest.permission & RADIX_IA32E_U) == 0) {
        return IOMMU_FAULT_SGN_2;
    }
    return w->access == HV_FETCH ? IOMMU_FAULT_SGN_3 : IOMMU_FAULT_SGN_6;
}

/* Of a second-stage entry that allows less than is needed, or nothing. */
static enum iommu_reason second_stage_reason(struct iommu_walk *t)
{
    const struct walk *w = &t->w;
    const uint64_t read_write = HV_EPTV_READ | HV_EPTV_WRITE;
    bool scalable = t->mapping->scalable;
    if (w->guest_step != 0 && (w->fault.error_code & read_write) == HV_EPTV_WRITE) {
        return IOMMU_FAULT_SFS_8;
    }
    t->absent = (t->entry & w->env->host.present) == 0;
    if (t->absent && scalable) {
        return IOMMU_FAULT_SSS_2;
    }
    if (w->guest_step != 0) {
        return w->guest_step == t->mapping->first_levels ? IOMMU_FAULT_SFS_6 : IOMMU_FAULT_SFS_7;
    }
    if (w->access == HV_STORE) {
        return scalable ? IOMMU_FAULT_SGN_6 : IOMMU_FAULT_LGN_2;
    }
    return scalable ? IOMMU_FAULT_SGN_7 : IOMMU_FAULT_LGN_3;
}

enum iommu_reason iommu_walk_reason(struct iommu_walk *t)
{
    switch ((enum hv_fault_kind)t->w.fault.kind) {
    case HV_FAULT_NON_CANONICAL:
        return IOMMU_FAULT_SGN_1;
    case HV_FAULT_PAGE:
        return first_stage_reason(t);
    case HV_FAULT_VIOLATION:
        return second_stage_reason(t);
    case HV_FAULT_MISCONFIG:
        t->absent = true;
        return t->mapping->scalable ? IOMMU_FAULT_SSS_3 : IOMMU_FAULT_LSS_2;
    case HV_FAULT_NONE:
    case HV_FAULT_NESTED_PAGE:
    case HV_FAULT_KINDS:
        break;
    }
    HV_ASSERT(false, "a failed walk has a fault");
    return IOMMU_FAULT_NONE;
}
