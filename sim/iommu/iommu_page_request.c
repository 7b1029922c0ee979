/* SPDX-License-Identifier: MIT */
/*
 * Page requests of devices (PRI): VT-d "Page Request Queue" and "Page Request Descriptor" (7.4), "Page Request Status
 * Register".
 */
#include "iommu/iommu_descriptors.h"
#include "iommu/iommu_register_parts.h"

#define QUEUE_OFFSET UINT64_C(0x7ffe0)
#define QUEUE_SIZE UINT64_C(7)

void iommu_respond(struct iommu *u, const struct iommu_page_response *response, hv_cycles now)
{
    u->stats.page_responses++;
    if (u->wires.page_response != NULL) {
        u->wires.page_response(u->wires.ctx, response, now);
    }
}

/* Hardware answers a group itself, at its last request, when software is not to see it. */
static void respond_to_last(struct iommu *u, const struct iommu_page_request *q, uint8_t code, hv_cycles now)
{
    if (!q->last) {
        return;
    }
    struct iommu_page_response response = {.source = q->source, .has_pasid = q->has_pasid, .pasid = q->pasid,
                                           .group = q->group, .code = code};
    iommu_respond(u, &response, now);
}

/* "Page Request Event Control Register": raised when the first of the status bits is set. */
static void set_status(struct iommu *u, uint32_t bit, hv_cycles now)
{
    uint32_t before = iommu_reg32(&u->regs, IOMMU_PRS);
    iommu_set_reg32(&u->regs, IOMMU_PRS, before | bit);
    if (before == 0) {
        iommu_event_raise(u, IOMMU_PECTL, now);
    }
}

void iommu_page_status_cleared(struct iommu *u)
{
    if (iommu_reg32(&u->regs, IOMMU_PRS) == 0) {
        iommu_event_withdraw(u, IOMMU_PECTL);
    }
}

static void write_descriptor(struct iommu *u, uint64_t address, const struct iommu_page_request *q, hv_cycles now)
{
    uint64_t low = IOMMU_PAGE_REQUEST_TYPE | (uint64_t)q->source << IOMMU_PAGE_REQUEST_SOURCE_SHIFT;
    if (q->has_pasid) {
        low |= IOMMU_PAGE_REQUEST_HAS_PASID | (uint64_t)(q->pasid & 0xfffff) << IOMMU_PAGE_REQUEST_PASID_SHIFT |
               (uint64_t)q->execute << IOMMU_PAGE_REQUEST_EXECUTE_SHIFT |
               (uint64_t)q->privileged << IOMMU_PAGE_REQUEST_PRIVILEGED_SHIFT;
    }
    uint64_t high = (q->address & ~UINT64_C(0xfff)) | (uint64_t)(q->group & 0x1ff) << IOMMU_PAGE_REQUEST_GROUP_SHIFT |
                    (q->read ? IOMMU_PAGE_REQUEST_READ : 0) | (q->write ? IOMMU_PAGE_REQUEST_WRITE : 0) |
                    (q->last ? IOMMU_PAGE_REQUEST_LAST : 0);
    const uint64_t word[IOMMU_PAGE_REQUEST_BYTES / 8] = {low, high};
    for (unsigned i = 0; iommu_may_write(u, address, sizeof(word)) && i < HV_ARRAY_LEN(word); i++) {
        physmem_write64(u->memory, (hv_hpa){address + 8 * i}, word[i]);
    }
    iommu_write_line(u, address, now);
}

/*
 * A queue that is full sets PRO; until software clears it, requests are dropped, and their groups answered with
 * success so that the device tries again. PPR is set by the last request of a group.
 */
static void enqueue(struct iommu *u, const struct iommu_page_request *q, hv_cycles now)
{
    uint64_t queue = iommu_reg64(&u->regs, IOMMU_PQA);
    uint64_t bytes = UINT64_C(1) << (12 + (queue & QUEUE_SIZE));
    uint64_t tail = (iommu_reg64(&u->regs, IOMMU_PQT) & QUEUE_OFFSET) % bytes;
    uint64_t next = (tail + IOMMU_PAGE_REQUEST_BYTES) % bytes;
    bool overflow = (iommu_reg32(&u->regs, IOMMU_PRS) & IOMMU_PRS_PRO) != 0;
    if (overflow || next == iommu_reg64(&u->regs, IOMMU_PQH)) {
        if (!overflow) {
            set_status(u, IOMMU_PRS_PRO, now);
        }
        respond_to_last(u, q, IOMMU_RESPONSE_SUCCESS, now);
        return;
    }
    write_descriptor(u, (queue & ~UINT64_C(0xfff)) + tail, q, now);
    iommu_set_reg64(&u->regs, IOMMU_PQT, next);
    if (q->last) {
        set_status(u, IOMMU_PRS_PPR, now);
    }
}

void iommu_page_request(struct iommu *u, const struct iommu_page_request *request, hv_cycles now)
{
    u->stats.page_requests++;
    if (!iommu_has_page_requests(&u->params) || !u->regs.translation_on) {
        respond_to_last(u, request, IOMMU_RESPONSE_INVALID, now);
        return;
    }
    struct iommu_fault fault = {
        .page_request = true, .access = request->execute ? IOMMU_EXECUTE : request->write ? IOMMU_WRITE : IOMMU_READ,
    };
    if (iommu_page_request_allowed(u, request, &now, &fault)) {
        enqueue(u, request, now);
        return;
    }
    iommu_record_fault(u, &fault, now);
    respond_to_last(u, request, IOMMU_RESPONSE_INVALID, now);
}
