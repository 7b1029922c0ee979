/* SPDX-License-Identifier: MIT */
/*
 * Recording of faults: VT-d "Primary Fault Logging", "Fault Status Register", "Fault Recording Registers".
 */
#include "iommu/iommu_faults.h"
#include "iommu/iommu_register_parts.h"

/* The upper half of a fault record. */
#define RECORD_F (UINT64_C(1) << 63)
#define RECORD_T1 (UINT64_C(1) << 62)
#define RECORD_PP (UINT64_C(1) << 31)
#define RECORD_EXE (UINT64_C(1) << 30)
#define RECORD_PRIV (UINT64_C(1) << 29)
#define RECORD_T2 (UINT64_C(1) << 28)
enum { RECORD_AT_SHIFT = 60, RECORD_PASID_SHIFT = 40, RECORD_REASON_SHIFT = 32 };

/* What the fault event tells of. */
#define EVENTS (IOMMU_FSTS_PFO | IOMMU_FSTS_PPF | IOMMU_FSTS_IQE | IOMMU_FSTS_ICE | IOMMU_FSTS_ITE)

static uint32_t low_half(uint32_t record)
{
    return (uint32_t)IOMMU_FRCD_LOW + record * IOMMU_FRCD_BYTES;
}

static uint32_t high_half(uint32_t record)
{
    return (uint32_t)IOMMU_FRCD_HIGH + record * IOMMU_FRCD_BYTES;
}

static bool is_pending(const struct iommu *u, uint32_t record)
{
    return (iommu_reg64(&u->regs, high_half(record)) & RECORD_F) != 0;
}

void iommu_fault_status(struct iommu *u, uint32_t bit, hv_cycles now)
{
    uint32_t before = iommu_reg32(&u->regs, IOMMU_FSTS);
    iommu_set_reg32(&u->regs, IOMMU_FSTS, before | bit);
    if ((before & EVENTS) == 0) {
        iommu_event_raise(u, IOMMU_FECTL, now);
    }
}

/* The event is served when none of its reasons is left. */
static void withdraw_served(struct iommu *u)
{
    if ((iommu_reg32(&u->regs, IOMMU_FSTS) & EVENTS) == 0) {
        iommu_event_withdraw(u, IOMMU_FECTL);
    }
}

void iommu_fault_status_cleared(struct iommu *u, hv_cycles now)
{
    withdraw_served(u);
    iommu_queue_run(u, now); /* the queue goes on once IQE and ITE are clear */
}

/* PPF is the OR of all F bits. */
void iommu_fault_record_cleared(struct iommu *u)
{
    for (uint32_t i = 0; i < u->params.fault_records; i++) {
        if (is_pending(u, i)) {
            return;
        }
    }
    iommu_set_reg32(&u->regs, IOMMU_FSTS, iommu_reg32(&u->regs, IOMMU_FSTS) & ~IOMMU_FSTS_PPF);
    withdraw_served(u);
}

/* T1 and T2 tell a write (00), page request (T2), read (T1). Of an interrupt they are undefined, here 0. */
static uint64_t record_of(const struct iommu_fault *f, const struct iommu_fault_row *row)
{
    uint64_t record = RECORD_F | f->source | (uint64_t)f->reason << RECORD_REASON_SHIFT;
    if (row != NULL && row->area == IOMMU_AREA_INTERRUPT) {
        return record;
    }
    record |= (uint64_t)(f->type & 3) << RECORD_AT_SHIFT;
    if (f->page_request) {
        record |= RECORD_T2;
    } else if (f->access != IOMMU_WRITE) {
        record |= RECORD_T1;
    }
    if (f->has_pasid) {
        record |= RECORD_PP | (uint64_t)(f->pasid & 0xfffff) << RECORD_PASID_SHIFT |
                  (f->access == IOMMU_EXECUTE ? RECORD_EXE : 0) | (f->privileged ? RECORD_PRIV : 0);
    }
    return record;
}

static void store_record(struct iommu *u, const struct iommu_fault *f, const struct iommu_fault_row *row,
                         hv_cycles now)
{
    struct iommu_regs *r = &u->regs;
    uint32_t record = r->next_record;
    iommu_set_reg64(r, low_half(record), f->address & ~UINT64_C(0xfff));
    iommu_set_reg64(r, high_half(record), record_of(f, row));
    r->next_record = (uint32_t)((record + 1) % u->params.fault_records);
    u->stats.faults_recorded++;
    if ((iommu_reg32(r, IOMMU_FSTS) & IOMMU_FSTS_PPF) == 0) {
        uint32_t status = iommu_reg32(r, IOMMU_FSTS) & ~(UINT32_C(0xff) << IOMMU_FSTS_FRI_SHIFT);
        iommu_set_reg32(r, IOMMU_FSTS, status | record << IOMMU_FSTS_FRI_SHIFT);
        iommu_fault_status(u, IOMMU_FSTS_PPF, now);
    }
}

/*
 * Of the faults of one requester hardware may collapse those after the first. This one does not, so every fault takes
 * a record while there are any.
 */
void iommu_record_fault(struct iommu *u, const struct iommu_fault *f, hv_cycles now)
{
    const struct iommu_fault_row *row = iommu_fault_find(f->reason);
    u->stats.faults++;
    if (f->disabled && (row == NULL || row->qualified)) {
        u->stats.faults_suppressed++;
    } else if ((iommu_reg32(&u->regs, IOMMU_FSTS) & IOMMU_FSTS_PFO) != 0) {
        u->stats.faults_overflowed++;
    } else if (is_pending(u, u->regs.next_record)) {
        u->stats.faults_overflowed++;
        iommu_fault_status(u, IOMMU_FSTS_PFO, now);
    } else {
        store_record(u, f, row, now);
    }
}
