/* SPDX-License-Identifier: MIT */
/*
 * Requests of devices that have a TLB of their own (VT-d chapter 4 "Support For Device-TLBs"): translation requests,
 * and whether a page request is let in.
 *
 * MODEL: a page that has to be looked at a second time, because it may only be written or because a dirty flag has to
 * be set, is walked twice.
 */
#include "iommu/iommu_parts.h"

static bool grants(const struct iommu_lookup *l, enum hv_access_kind kind)
{
    const struct tlb_needs *needs = &l->mapping->needs[l->privileged][kind];
    return (l->payload & needs->mask) == needs->want;
}

/* Whether looking for writing may grant more: the page cannot be read, or a dirty flag is still clear. */
static bool may_grant_more(const struct iommu_lookup *l, enum iommu_reason reason)
{
    if (reason == IOMMU_FAULT_NONE) {
        return !grants(l, HV_STORE) && (l->payload & TLB_HOST_W) != 0 && (l->payload & TLB_DIRTY) == 0;
    }
    return reason == IOMMU_FAULT_LGN_3 || reason == IOMMU_FAULT_SGN_7;
}

enum iommu_reason iommu_lookup_for_device(struct iommu_lookup *l, struct iommu_reply *reply)
{
    const struct iommu_request *r = l->request;
    enum iommu_reason reason = iommu_lookup_page(l, HV_LOAD);
    if (!r->no_write && may_grant_more(l, reason)) {
        uint64_t payload = l->payload;
        unsigned size = l->size;
        if (iommu_lookup_page(l, HV_STORE) == IOMMU_FAULT_NONE) {
            reason = IOMMU_FAULT_NONE;
        } else {
            l->payload = payload;
            l->size = size;
        }
    }
    if (reason == IOMMU_FAULT_NONE) {
        reply->read = grants(l, HV_LOAD);
        reply->write = !r->no_write && grants(l, HV_STORE);
        reply->execute = r->access == IOMMU_EXECUTE && grants(l, HV_FETCH);
    }
    return reason;
}

/* The checks of a page request before it is queued (VT-d "Page Request Services"). */
static enum iommu_reason page_request_reason(struct iommu_lookup *l, const struct iommu_page_request *request)
{
    if (l->u->regs.table_mode == IOMMU_LEGACY) {
        return IOMMU_FAULT_RTA_3;
    }
    enum iommu_reason reason = iommu_mode_reason(l->u, request->has_pasid);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    const struct iommu_context *c = iommu_find_context(&l->reader, request->source);
    uint32_t pasid = request->pasid;
    l->disabled = c->mapping.disabled;
    if (c->mapping.fault != IOMMU_FAULT_NONE) {
        return (enum iommu_reason)c->mapping.fault;
    }
    return c->page_requests ? iommu_choose_pasid(c, request->has_pasid, &pasid) : IOMMU_FAULT_SCT_8;
}

bool iommu_page_request_allowed(struct iommu *u, const struct iommu_page_request *request, hv_cycles *now,
                                struct iommu_fault *fault)
{
    struct iommu_lookup l = {.u = u, .reader = {.u = u, .now = *now, .snooped = u->params.coherent}};
    enum iommu_reason reason = page_request_reason(&l, request);
    iommu_account_structures(&l, *now);
    *now = l.reader.now;
    if (reason == IOMMU_FAULT_NONE) {
        return true;
    }
    fault->source = request->source;
    fault->reason = (uint8_t)reason;
    fault->has_pasid = request->has_pasid;
    fault->privileged = request->privileged;
    fault->disabled = l.disabled;
    fault->pasid = request->pasid;
    fault->address = request->address;
    return false;
}
