/* SPDX-License-Identifier: MIT */
/* The IOMMU of a machine of hvsim.h, for hv_iommu.c and hv_dma.c. */
#ifndef HV_MACHINE_HV_IOMMU_H
#define HV_MACHINE_HV_IOMMU_H

#include "iommu/iommu.h"
#include "machine/hv_machine.h"

enum { HV_IOMMU_RESPONSES = 512 }; /* as many groups of page requests as a device has */

struct hv_iommu {
    struct iommu iommu;
    enum cpu_answer (*next_device)(void *ctx, const struct cpu_device_access *access, hv_cycles now);
    struct iommu_interrupt interrupt; /* what became of the last message */
    bool own_event;                   /* the message is the IOMMU's own, which is not remapped */
    struct iommu_page_response responses[HV_IOMMU_RESPONSES]; /* not yet read: a ring */
    unsigned first_response, response_count;
};

static inline struct hv_machine *hv_machine_of(const struct hv_cpu *c)
{
    return c->apic.user;
}

#endif
