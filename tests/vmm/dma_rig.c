/* SPDX-License-Identifier: MIT */
#include "dma_rig.h"

#include <stdlib.h>
#include <string.h>

#include "apic/posted.h"
#include "gtest.h"

/* Guest-physical 0 of a nested domain lies at this host address; the guest's tables at its start, buffers beyond. */
#define GUEST_MEMORY HV_GIB(8)
#define GUEST_BYTES HV_GIB(6)

enum { CLOCK_MHZ = 1000 };

static bool post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct dma_rig *r = ctx;
    struct posted_notification n =
        posted_post(&r->memory, (hv_hpa){descriptor}, vector, urgent ? POSTED_URGENT : POSTED_NORMAL);
    *notify_vector = n.vector;
    *ndst = n.ndst;
    return n.send;
}

static void device_tlb(void *ctx, const struct iommu_device_invalidation *what, hv_cycles now)
{
    struct dma_rig *r = ctx;
    r->device_invalidation = *what;
    r->device_invalidations++;
    if (r->silent) {
        iommu_device_tlb_error(r->iommu, IOMMU_DEVICE_TLB_TIMEOUT, what->source, now);
    }
}

void dma_rig_init(struct dma_rig *r)
{
    struct hv_err err = {""};
    memset(r, 0, sizeof(*r));
    assert_true(physmem_init(&r->memory, HV_GIB(16), &err));
    r->frames = (struct frames){.next = DMA_RIG_TABLES, .end = DMA_RIG_TABLES_END};
    params_defaults(&iommu_schema, &r->hardware);
    r->hardware.invalidation_cycles = DMA_RIG_HARDWARE;
    r->cost = (struct dma_cost_params){
        .map_cycles = DMA_RIG_MAP, .unmap_cycles = DMA_RIG_UNMAP, .entry_cycles = DMA_RIG_ENTRY,
        .write_back_cycles = DMA_RIG_WRITE_BACK, .reuse_cycles = DMA_RIG_REUSE, .defer_cycles = DMA_RIG_DEFER,
        .submit_cycles = DMA_RIG_SUBMIT, .wait_cycles = DMA_RIG_WAIT, .interrupt_entry_cycles = DMA_RIG_INTERRUPT,
    };
    r->iommu = calloc(1, sizeof(*r->iommu));
    assert_non_null(r->iommu);
}

void dma_rig_start(struct dma_rig *r, enum dma_mode mode)
{
    struct hv_err err = {""};
    struct iommu_wires wires = {.post = post, .device_tlb = device_tlb, .ctx = r};
    if (!iommu_init(r->iommu, &r->hardware, &r->memory, &wires, &err)) {
        fail_msg("%s", err.text);
    }
    struct dma_unit_config config = {.mode = mode, .cost = &r->cost, .memory = &r->memory, .frames = &r->frames};
    if (!dma_unit_init(&r->unit, &config, r->iommu, &err)) {
        fail_msg("%s", err.text);
    }
    r->now = dma_unit_start(&r->unit, 0);
    memset(&r->unit.stats, 0, sizeof(r->unit.stats));
}

void dma_rig_fini(struct dma_rig *r)
{
    dma_map_fini(&r->map);
    dma_domain_fini(&r->domain);
    frames_fini(&r->frames);
    frames_fini(&r->guest_frames);
    iommu_fini(r->iommu);
    free(r->iommu);
    physmem_fini(&r->memory);
}

/* The hypervisor's second stage under a guest's domain: its memory in one piece. */
static void make_guest(struct dma_rig *r, struct dma_domain_config *c)
{
    r->guest_frames = (struct frames){.next = HV_MIB(1), .end = HV_MIB(64)};
    r->guest_offset = GUEST_MEMORY;
    c->first_frames = &r->guest_frames;
    c->first_offset = GUEST_MEMORY;
    c->second_levels = 4;
}

void dma_rig_attach(struct dma_rig *r, const struct dma_rig_setup *s)
{
    struct hv_err err = {""};
    struct dma_domain_config c = {.id = 5, .mode = s->mode, .first_levels = s->levels, .second_levels = s->levels};
    if (s->mode == DMA_NESTED) {
        make_guest(r, &c);
    }
    if (!dma_domain_init(&r->domain, &r->unit, &c, &err)) {
        fail_msg("%s", err.text);
    }
    if (s->mode == DMA_NESTED) {
        assert_true(dma_domain_map(&r->domain, 0, GUEST_MEMORY, GUEST_BYTES, HV_PAGE_2M));
    }
    struct dma_device device = {.source = DMA_RIG_SOURCE};
    struct dma_done done = dma_attach(&r->domain, &device, r->now);
    assert_true(done.ok);
    r->now = done.at;
    struct dma_map_params params = {
        .mode = s->mode, .page_size = s->page, .policy = s->policy,
        .deferred_entries = s->entries != 0 ? s->entries : 250, .deferred_us = s->us != 0 ? s->us : 10000,
    };
    struct dma_map_config config = {.params = &params, .clock_mhz = CLOCK_MHZ};
    if (!dma_map_init(&r->map, &r->domain, &config, &err)) {
        fail_msg("%s", err.text);
    }
    memset(&r->unit.stats, 0, sizeof(r->unit.stats));
}

void dma_rig_begin(struct dma_rig *r, const struct dma_rig_setup *setup)
{
    dma_rig_init(r);
    dma_rig_start(r, setup->mode);
    dma_rig_attach(r, setup);
}

uint64_t dma_rig_host(const struct dma_rig *r, uint64_t address)
{
    return address + r->guest_offset;
}

uint64_t dma_rig_access(struct dma_rig *r, uint16_t source, uint64_t iova, enum iommu_access access)
{
    struct iommu_request request = {.source = source, .address = iova, .bytes = 1, .access = access};
    struct iommu_reply reply = iommu_translate(r->iommu, &request, r->now);
    return reply.ok ? reply.address : UINT64_MAX;
}

uint64_t dma_rig_word(const struct dma_rig *r, uint64_t address)
{
    return physmem_read64(&r->memory, (hv_hpa){address});
}
