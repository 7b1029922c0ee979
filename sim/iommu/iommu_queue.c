/* SPDX-License-Identifier: MIT */
/*
 * The invalidation queue: VT-d "Queued Invalidation Interface" (6.5.2).
 *
 * MODEL: a write of the tail runs all descriptors at once, in their order. Their time, the references that fetch them
 * and iommu.invalidation_cycles for each that invalidates, passes in iommu_busy_until(); software that polls a status
 * word must wait for that, because the word is written from the start.
 */
#include "iommu/iommu_register_parts.h"

enum { NARROW_BYTES = 16, WIDE_BYTES = 32, LINE_BYTES = 64, PAGE_SHIFT = 12 };

#define IQA_SIZE UINT64_C(7)
#define IQA_WIDE (UINT64_C(1) << 11)
#define OFFSET UINT64_C(0x7fff0)

struct queue {
    uint64_t base, bytes, entry_bytes;
};

static struct queue queue_of(const struct iommu *u)
{
    uint64_t address = iommu_reg64(&u->regs, IOMMU_IQA);
    return (struct queue){
        .base = address & ~UINT64_C(0xfff), .bytes = UINT64_C(1) << (PAGE_SHIFT + (address & IQA_SIZE)),
        .entry_bytes = (address & IQA_WIDE) != 0 ? WIDE_BYTES : NARROW_BYTES,
    };
}

static uint64_t head_of(const struct iommu *u)
{
    return iommu_reg64(&u->regs, IOMMU_IQH) & OFFSET;
}

static uint64_t tail_of(const struct iommu *u)
{
    return iommu_reg64(&u->regs, IOMMU_IQT) & OFFSET;
}

/* What forbids to take anything from the queue as it is programmed. */
static enum iommu_queue_error check_queue(const struct iommu *u, const struct queue *q)
{
    uint64_t tail = tail_of(u);
    if (u->regs.table_mode == IOMMU_TABLE_RESERVED) {
        return IOMMU_QUEUE_TABLE_MODE;
    }
    if (u->regs.table_mode == IOMMU_SCALABLE && q->entry_bytes != WIDE_BYTES) {
        return IOMMU_QUEUE_WIDTH;
    }
    if (tail >= q->bytes) {
        return IOMMU_QUEUE_TAIL;
    }
    return tail % q->entry_bytes != 0 ? IOMMU_QUEUE_ALIGNMENT : IOMMU_QUEUE_FINE;
}

/* Reads the descriptor at the head; `now` moves on by a reference when it begins a line. */
static bool fetch(struct iommu *u, const struct queue *q, struct iommu_descriptor *d, hv_cycles *now)
{
    uint64_t head = head_of(u), address = q->base + head;
    *d = (struct iommu_descriptor){{0}};
    if (head >= q->bytes || !iommu_in_memory(u, address, q->entry_bytes)) {
        return false;
    }
    if (address % LINE_BYTES == 0 || !u->regs.fetched) {
        iommu_read_table(u, address, now);
        u->regs.fetched = true;
    }
    for (unsigned i = 0; i < q->entry_bytes / 8; i++) {
        d->word[i] = physmem_read64(u->memory, (hv_hpa){address + 8 * i});
    }
    return true;
}

static void step(struct iommu *u, const struct queue *q)
{
    iommu_set_reg64(&u->regs, IOMMU_IQH, (head_of(u) + q->entry_bytes) % q->bytes);
    u->stats.descriptors++;
}

static void stop(struct iommu *u, enum iommu_queue_error error, hv_cycles now)
{
    uint64_t record = iommu_reg64(&u->regs, IOMMU_IQERCD) & ~UINT64_C(0xf);
    iommu_set_reg64(&u->regs, IOMMU_IQERCD, record | (uint64_t)error);
    iommu_fault_status(u, IOMMU_FSTS_IQE, now);
}

/*
 * A device did not answer: wait descriptors that hardware holds behind its invalidation are given up, without status
 * ("Invalidation Wait Descriptor", "ITE"). Software finds the head behind them and queues them again.
 */
static void give_up_waits(struct iommu *u, const struct queue *q, hv_cycles now)
{
    struct iommu_descriptor d;
    for (uint64_t i = 0; i < q->bytes / q->entry_bytes && head_of(u) != tail_of(u); i++) {
        if (!fetch(u, q, &d, &now) || !iommu_descriptor_is_wait(&d)) {
            return;
        }
        step(u, q);
    }
}

/* What is wrong with the queue, or with the descriptor at its head; that costs a reference. */
static enum iommu_queue_error look(struct iommu *u, const struct queue *q, struct iommu_descriptor *d,
                                   bool *invalidates, hv_cycles *now)
{
    enum iommu_queue_error error = check_queue(u, q);
    if (error != IOMMU_QUEUE_FINE) {
        return error;
    }
    return fetch(u, q, d, now) ? iommu_descriptor_check(u, d, invalidates) : IOMMU_QUEUE_FETCH;
}

/* Takes the descriptor at the head, which ends with the queue stopped when something is wrong. */
static void take(struct iommu *u, hv_cycles now)
{
    struct queue q = queue_of(u);
    struct iommu_descriptor d;
    bool invalidates = false;
    hv_cycles fetched = now;
    enum iommu_queue_error error = look(u, &q, &d, &invalidates, &fetched);
    hv_cycles done = iommu_occupy(u, now, fetched - now + (invalidates ? u->params.invalidation_cycles : 0));
    if (error != IOMMU_QUEUE_FINE) {
        stop(u, error, done);
        return;
    }
    step(u, &q);
    iommu_descriptor_run(u, &d, done);
    if ((iommu_reg32(&u->regs, IOMMU_FSTS) & IOMMU_FSTS_ITE) != 0) {
        give_up_waits(u, &q, done);
    }
}

static bool may_take(const struct iommu *u)
{
    uint32_t stopped = iommu_reg32(&u->regs, IOMMU_FSTS) & (IOMMU_FSTS_IQE | IOMMU_FSTS_ITE);
    return u->regs.queue_on && stopped == 0 && head_of(u) != tail_of(u);
}

/*
 * Who answers an event or a device-TLB invalidation may write registers at once; then this run sees it and goes on. It
 * ends after as many descriptors as the queue holds, so that nobody keeps it going for ever.
 */
void iommu_queue_run(struct iommu *u, hv_cycles now)
{
    struct iommu_regs *r = &u->regs;
    if (r->processing) {
        return;
    }
    struct queue q = queue_of(u);
    r->processing = true;
    r->fetched = false;
    for (uint64_t i = 0; i < q.bytes / q.entry_bytes && may_take(u); i++) {
        take(u, now);
        now = r->busy_until;
    }
    r->processing = false;
}

/* "Invalidation Time-out Error" and "Invalidation Completion Error": IQERCD keeps the source of the first. */
void iommu_device_tlb_error(struct iommu *u, enum iommu_device_tlb_error error, uint16_t source, hv_cycles now)
{
    uint32_t bit = error == IOMMU_DEVICE_TLB_TIMEOUT ? IOMMU_FSTS_ITE : IOMMU_FSTS_ICE;
    unsigned shift = error == IOMMU_DEVICE_TLB_TIMEOUT ? 32 : 48;
    if (!iommu_has_device_tlb(&u->params) || (iommu_reg32(&u->regs, IOMMU_FSTS) & bit) != 0) {
        return;
    }
    uint64_t record = iommu_reg64(&u->regs, IOMMU_IQERCD) & ~(UINT64_C(0xffff) << shift);
    iommu_set_reg64(&u->regs, IOMMU_IQERCD, record | (uint64_t)source << shift);
    iommu_fault_status(u, bit, now);
}
