/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's own interrupts: fault event, invalidation completion event, page request event. VT-d "Fault Event
 * Control Register" and its like: a control register, then data, address and upper address of an MSI.
 */
#include "iommu/iommu_register_parts.h"

enum { DATA = 4, ADDRESS = 8, UPPER_ADDRESS = 12 };

void iommu_event_deliver(struct iommu *u, uint32_t control, hv_cycles now)
{
    struct iommu_regs *r = &u->regs;
    uint32_t state = iommu_reg32(r, control);
    if ((state & IOMMU_EVENT_IP) == 0 || (state & IOMMU_EVENT_IM) != 0) {
        return;
    }
    iommu_set_reg32(r, control, state & ~IOMMU_EVENT_IP);
    if (u->wires.msi != NULL) {
        uint64_t upper = iommu_reg32(r, control + UPPER_ADDRESS);
        u->wires.msi(u->wires.ctx, upper << 32 | iommu_reg32(r, control + ADDRESS), iommu_reg32(r, control + DATA),
                     now);
    }
}

void iommu_event_raise(struct iommu *u, uint32_t control, hv_cycles now)
{
    iommu_set_reg32(&u->regs, control, iommu_reg32(&u->regs, control) | IOMMU_EVENT_IP);
    iommu_event_deliver(u, control, now);
}

void iommu_event_withdraw(struct iommu *u, uint32_t control)
{
    iommu_set_reg32(&u->regs, control, iommu_reg32(&u->regs, control) & ~IOMMU_EVENT_IP);
}
