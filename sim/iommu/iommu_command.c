/* SPDX-License-Identifier: MIT */
/*
 * Commands of the registers: VT-d "Global Command Register", "Context Command Register", "IOTLB Invalidate Register".
 *
 * MODEL: a command takes effect at once. GSTS answers in the same moment; an invalidation says that it is complete
 * after iommu.invalidation_cycles, but what it removed is gone from the start, so software that does not wait for it
 * meets no stale entry where silicon might.
 */
#include "iommu/iommu_register_parts.h"

/* GCMD's other commands. SFL, EAFL and WBF (29:27) belong to capabilities that are not offered. */
#define COMMAND_SRTP IOMMU_GSTS_RTPS
#define COMMAND_SIRTP IOMMU_GSTS_IRTPS

enum { RTADDR_TTM_SHIFT = 10, IRTA_EIME = 1 << 11, IRTA_SIZE = 15 };

#define PAGE_ADDRESS (~UINT64_C(0xfff))

static void set_status(struct iommu *u, uint32_t bit, bool on)
{
    uint32_t status = iommu_reg32(&u->regs, IOMMU_GSTS);
    iommu_set_reg32(&u->regs, IOMMU_GSTS, on ? status | bit : status & ~bit);
}

static void set_root_table(struct iommu *u)
{
    uint64_t value = iommu_reg64(&u->regs, IOMMU_RTADDR);
    u->regs.root_table = value & PAGE_ADDRESS;
    u->regs.table_mode = value >> RTADDR_TTM_SHIFT & 3;
    set_status(u, IOMMU_GSTS_RTPS, true);
}

static void set_interrupt_table(struct iommu *u)
{
    uint64_t value = iommu_reg64(&u->regs, IOMMU_IRTA);
    u->regs.interrupt_table = value & PAGE_ADDRESS;
    u->regs.interrupt_entries = UINT32_C(2) << (value & IRTA_SIZE);
    u->regs.extended_interrupts = (value & IRTA_EIME) != 0;
    set_status(u, IOMMU_GSTS_IRTPS, true);
}

/* "Invalidation Queue Head Register": the head is reset while the queue is off. */
static void set_queue(struct iommu *u, bool on, hv_cycles now)
{
    u->regs.queue_on = on;
    set_status(u, IOMMU_GSTS_QIES, on);
    if (on) {
        iommu_queue_run(u, now);
    } else {
        iommu_set_reg64(&u->regs, IOMMU_IQH, 0);
    }
}

static void interrupt_commands(struct iommu *u, uint32_t value, uint32_t changed)
{
    if ((value & COMMAND_SIRTP) != 0) {
        set_interrupt_table(u);
    }
    if ((changed & IOMMU_GSTS_CFIS) != 0) {
        u->regs.compatibility_on = (value & IOMMU_GSTS_CFIS) != 0;
        set_status(u, IOMMU_GSTS_CFIS, u->regs.compatibility_on);
    }
    if ((changed & IOMMU_GSTS_IRES) != 0) {
        u->regs.remapping_on = (value & IOMMU_GSTS_IRES) != 0;
        set_status(u, IOMMU_GSTS_IRES, u->regs.remapping_on);
    }
}

/*
 * Software must give one command at a time, with the other bits as GSTS has them. Several at once are undefined; here
 * pointers are set first, then what uses them is switched.
 */
void iommu_global_command(struct iommu *u, uint32_t value, hv_cycles now)
{
    struct iommu_regs *r = &u->regs;
    uint32_t changed = value ^ iommu_reg32(r, IOMMU_GSTS);
    if ((value & COMMAND_SRTP) != 0) {
        set_root_table(u);
    }
    if (u->params.interrupt_remapping) {
        interrupt_commands(u, value, changed);
    }
    if ((changed & IOMMU_GSTS_TES) != 0) {
        r->translation_on = (value & IOMMU_GSTS_TES) != 0;
        set_status(u, IOMMU_GSTS_TES, r->translation_on);
    }
    if (!r->translation_on && !r->remapping_on) {
        r->next_record = 0; /* "Primary Fault Logging" */
    }
    if (u->params.queued_invalidation && (changed & IOMMU_GSTS_QIES) != 0) {
        set_queue(u, (value & IOMMU_GSTS_QIES) != 0, now);
    }
}

hv_cycles iommu_occupy(struct iommu *u, hv_cycles now, hv_cycles cycles)
{
    uint32_t which;
    hv_cycles begin = walkers_begin(&u->regs.invalidator, now, &which);
    if (cycles > 0) {
        walkers_take(&u->regs.invalidator, which, begin, begin + cycles);
    }
    return u->regs.busy_until = begin + cycles;
}

hv_cycles iommu_busy_until(const struct iommu *u)
{
    return u->regs.busy_until;
}

/* "Register-based Invalidation Interface": only without the queue, and in legacy mode. */
static bool may_use_registers(const struct iommu *u)
{
    return !u->regs.queue_on && u->regs.table_mode == IOMMU_LEGACY;
}

/* The granularity asked for, at which it was done; 0: ignored. */
static unsigned invalidate_context(struct iommu *u, uint64_t value)
{
    unsigned asked = value >> IOMMU_CIRG_SHIFT & 3;
    if (asked == 0 || !may_use_registers(u)) {
        return 0;
    }
    static const enum iommu_context_scope scope[] = {0, IOMMU_CONTEXT_ALL, IOMMU_CONTEXT_DOMAIN, IOMMU_CONTEXT_DEVICE};
    iommu_invalidate_context(u, scope[asked], (uint16_t)value, (uint16_t)(value >> 16), value >> 32 & 3);
    return asked;
}

void iommu_context_command(struct iommu *u, uint64_t value, hv_cycles now)
{
    if ((value & IOMMU_INVALIDATE) == 0) {
        return;
    }
    uint64_t command = iommu_reg64(&u->regs, IOMMU_CCMD) & ~(UINT64_C(3) << IOMMU_CAIG_SHIFT);
    uint64_t done = invalidate_context(u, command);
    iommu_set_reg64(&u->regs, IOMMU_CCMD, command | done << IOMMU_CAIG_SHIFT);
    u->regs.context_done = done != 0 ? iommu_occupy(u, now, u->params.invalidation_cycles) : now;
}

static unsigned invalidate_iotlb(struct iommu *u, uint64_t value)
{
    unsigned asked = value >> IOMMU_IIRG_SHIFT & 3;
    uint64_t target = iommu_reg64(&u->regs, IOMMU_IVA);
    unsigned mask = target & IOMMU_IVA_AM;
    bool page = asked == 1 + IOMMU_IOTLB_PAGE;
    if (asked == 0 || (page && mask > IOMMU_MAX_ADDRESS_MASK) || !may_use_registers(u)) {
        return 0;
    }
    enum iommu_iotlb_scope scope = (enum iommu_iotlb_scope)(asked - 1);
    bool leaf_hint = (target & IOMMU_IVA_IH) != 0;
    iommu_invalidate_iotlb(u, scope, (uint16_t)(value >> 32), target & PAGE_ADDRESS, mask, leaf_hint);
    return asked;
}

void iommu_iotlb_command(struct iommu *u, uint64_t value, hv_cycles now)
{
    if ((value & IOMMU_INVALIDATE) == 0) {
        return;
    }
    uint64_t command = iommu_reg64(&u->regs, IOMMU_IOTLB) & ~(UINT64_C(3) << IOMMU_IAIG_SHIFT);
    uint64_t done = invalidate_iotlb(u, command);
    iommu_set_reg64(&u->regs, IOMMU_IOTLB, command | done << IOMMU_IAIG_SHIFT);
    u->regs.iotlb_done = done != 0 ? iommu_occupy(u, now, u->params.invalidation_cycles) : now;
}
