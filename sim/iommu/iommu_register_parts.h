/* SPDX-License-Identifier: MIT */
/*
 * What the files of registers, queues, faults and interrupts share among themselves. Not for other blocks.
 */
#ifndef HV_IOMMU_IOMMU_REGISTER_PARTS_H
#define HV_IOMMU_IOMMU_REGISTER_PARTS_H

#include "iommu/iommu_parts.h"

/* Capabilities that need another one. */
static inline bool iommu_has_device_tlb(const struct iommu_params *p)
{
    return p->device_tlb && p->queued_invalidation; /* ECAP.DT: there is no register to invalidate device TLBs with */
}

static inline bool iommu_has_page_requests(const struct iommu_params *p)
{
    return p->page_requests && p->scalable && iommu_has_device_tlb(p);
}

static inline bool iommu_has_x2apic(const struct iommu_params *p)
{
    return p->x2apic && p->interrupt_remapping;
}

static inline bool iommu_requires_x2apic(const struct iommu_params *p)
{
    return p->x2apic_required && iommu_has_x2apic(p);
}

static inline bool iommu_requires_remapping(const struct iommu_params *p)
{
    return p->remapping_required && p->interrupt_remapping;
}

/* Requests with an address that a device TLB has translated may have a PASID. */
static inline bool iommu_has_translated_pasid(const struct iommu_params *p)
{
    return p->translated_pasid && p->scalable && p->pasid && iommu_has_device_tlb(p);
}

static inline bool iommu_has_host_permissions(const struct iommu_params *p)
{
    return p->host_permissions && p->scalable && iommu_has_device_tlb(p);
}

static inline bool iommu_posts(const struct iommu_params *p)
{
    return p->posting && p->interrupt_remapping;
}

/* What CAP and ECAP say (iommu_capabilities.c). */
uint64_t iommu_capability(const struct iommu_params *p);
uint64_t iommu_extended_capability(const struct iommu_params *p);

/* The bits of an address that this IOMMU implements: those below the host address width. */
static inline uint64_t iommu_address_bits(const struct iommu_params *p)
{
    return (UINT64_C(1) << p->physical_bits) - 1;
}

/* Whether memory answers at all bytes of an address range, which does not wrap. */
static inline bool iommu_in_memory(const struct iommu *u, uint64_t address, uint64_t bytes)
{
    return physmem_pointer(u->memory, (hv_hpa){address}, bytes) != NULL;
}

/* A line of memory that the IOMMU writes; nobody waits for it. */
static inline void iommu_write_line(struct iommu *u, uint64_t address, hv_cycles now)
{
    if (u->wires.memory.write_back != NULL) {
        u->wires.memory.write_back(u->wires.memory.ctx, address >> 6, now);
    }
}

/* Commands (iommu_command.c). A command has been stored as far as it is when these are called. */
void iommu_global_command(struct iommu *u, uint32_t value, hv_cycles now);
void iommu_context_command(struct iommu *u, uint64_t value, hv_cycles now);
void iommu_iotlb_command(struct iommu *u, uint64_t value, hv_cycles now);

/* The hardware that invalidates is taken for so long, from when it is free at or after `now`. Returns until when. */
hv_cycles iommu_occupy(struct iommu *u, hv_cycles now, hv_cycles cycles);

/* The invalidation queue (iommu_queue.c): takes descriptors while it may, at most as many as it holds. */
void iommu_queue_run(struct iommu *u, hv_cycles now);

/*
 * One descriptor (iommu_descriptors.c): first whether it is a legal one, and whether it takes the time of an
 * invalidation; then, of a legal one, what it does.
 */
struct iommu_descriptor {
    uint64_t word[4];
};
enum iommu_queue_error iommu_descriptor_check(const struct iommu *u, const struct iommu_descriptor *d,
                                              bool *invalidates);
void iommu_descriptor_run(struct iommu *u, const struct iommu_descriptor *d, hv_cycles now);
bool iommu_descriptor_is_wait(const struct iommu_descriptor *d);

/* Events (iommu_event.c), each with the offset of its control register. */
void iommu_event_raise(struct iommu *u, uint32_t control, hv_cycles now);
void iommu_event_deliver(struct iommu *u, uint32_t control, hv_cycles now); /* if it is pending and not masked */
void iommu_event_withdraw(struct iommu *u, uint32_t control); /* software has served what it was about */

/* FSTS (iommu_fault.c): sets a status bit, and raises the fault event if none was set before. */
void iommu_fault_status(struct iommu *u, uint32_t bit, hv_cycles now);

/* Software has cleared status bits, or the F bit of a fault record. */
void iommu_fault_status_cleared(struct iommu *u, hv_cycles now);
void iommu_fault_record_cleared(struct iommu *u);

/* Page requests (iommu_page_request.c): software has cleared bits of PRS; a response to a device. */
void iommu_page_status_cleared(struct iommu *u);
void iommu_respond(struct iommu *u, const struct iommu_page_response *response, hv_cycles now);

/* The interrupt-entry cache (iommu_interrupt.c): drops entries index .. with mask_log2 low bits ignored, or all. */
void iommu_invalidate_interrupts(struct iommu *u, bool all, uint32_t index, unsigned mask_log2);

#endif
