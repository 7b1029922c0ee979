/* SPDX-License-Identifier: MIT */
#include "vmm/dma_unit.h"

#include <string.h>

const char *const dma_mode_names[] = {"off", "passthrough", "legacy", "first", "second", "nested", "exclusion",
                                        NULL};
const char *const dma_policy_names[] = {"strict", "deferred", "optimistic", "static", NULL};

const struct param_row dma_map_param_rows[] = {
#define P(...) PARAM_ROW(struct dma_map_params, __VA_ARGS__)
#include "vmm/dma_map_params.def"
#undef P
};
const size_t dma_map_param_count = HV_ARRAY_LEN(dma_map_param_rows);

const struct param_row dma_cost_param_rows[] = {
#define P(...) PARAM_ROW(struct dma_cost_params, __VA_ARGS__)
#include "vmm/dma_cost_params.def"
#undef P
};
const size_t dma_cost_param_count = HV_ARRAY_LEN(dma_cost_param_rows);

const struct stat_row dma_map_stat_rows[] = {
#define S(...) STAT_ROW(struct dma_map_stats, __VA_ARGS__)
#include "vmm/dma_map_stats.def"
#undef S
};
const size_t dma_map_stat_count = HV_ARRAY_LEN(dma_map_stat_rows);

enum { RTADDR_SCALABLE = 1 << 10 };

/* Bits of CAP and ECAP. */
enum {
    CAP_CM = 7, CAP_SAGAW = 8, CAP_FRO = 24, CAP_SSLPS = 34, CAP_PSI = 39, CAP_NFR = 40, CAP_MAMV = 48, CAP_FS1GP = 56, CAP_PI = 59,
    CAP_FS5LP = 60,
    ECAP_C = 0, ECAP_QI = 1, ECAP_DT = 2, ECAP_IR = 3, ECAP_EIM = 4, ECAP_PT = 6, ECAP_NEST = 26, ECAP_PRS = 29,
    ECAP_PASID = 40, ECAP_SMTS = 43, ECAP_SSTS = 46, ECAP_FSTS = 47, ECAP_PTRS = 56,
};

static bool has(uint64_t capabilities, unsigned bit)
{
    return (capabilities >> bit & 1) != 0;
}

static struct dma_caps read_caps(struct iommu *iommu)
{
    uint64_t cap = iommu_read(iommu, IOMMU_CAP, 8, 0), ecap = iommu_read(iommu, IOMMU_ECAP, 8, 0);
    return (struct dma_caps){
        .scalable = has(ecap, ECAP_SMTS),
        .first_stage = has(ecap, ECAP_FSTS),
        .second_stage = has(ecap, ECAP_SSTS),
        .nested = has(ecap, ECAP_NEST),
        .passthrough = has(ecap, ECAP_PT),
        .pasid = has(ecap, ECAP_PASID),
        .queued = has(ecap, ECAP_QI),
        .caching_mode = has(cap, CAP_CM),
        .coherent = has(ecap, ECAP_C),
        .page_selective = has(cap, CAP_PSI),
        .device_tlb = has(ecap, ECAP_DT),
        .page_requests = has(ecap, ECAP_PRS),
        .translated_pasid = has(ecap, ECAP_PTRS),
        .interrupts = has(ecap, ECAP_IR),
        .extended_interrupts = has(ecap, ECAP_EIM),
        .posted = has(cap, CAP_PI),
        .first_1g = has(cap, CAP_FS1GP),
        .first_5 = has(cap, CAP_FS5LP),
        /* SAGAW's bit 1 is 3 levels; SSLPS' bit 0 is 2 MiB. */
        .second_levels = (unsigned)(cap >> CAP_SAGAW & 31) << 2,
        .second_sizes = (unsigned)(cap >> CAP_SSLPS & 3) << HV_PAGE_2M | 1u << HV_PAGE_4K,
        .fault_records = (unsigned)(cap >> CAP_NFR & 255) + 1,
        .fault_offset = (uint32_t)(cap >> CAP_FRO & 1023) * 16,
        .mask_max = (unsigned)(cap >> CAP_MAMV & 63),
    };
}

/* The parameter whose being off makes a mode impossible; NULL: there is none. */
static const char *missing_for(enum dma_mode mode, const struct dma_caps *caps)
{
    bool scalable = mode == DMA_FIRST || mode == DMA_SECOND || mode == DMA_NESTED;
    return !caps->queued                                                 ? "iommu.queued_invalidation"
           : scalable && !caps->scalable                                 ? "iommu.scalable"
           : mode == DMA_PASSTHROUGH && !caps->passthrough               ? "iommu.passthrough"
           : (mode == DMA_FIRST || mode == DMA_NESTED) && !caps->first_stage ? "iommu.first_stage"
           : (mode == DMA_SECOND || mode == DMA_NESTED) && !caps->second_stage ? "iommu.second_stage"
           : mode == DMA_NESTED && !caps->nested                         ? "iommu.nested"
                                                                         : NULL;
}

uint64_t dma_unit_take_page(struct dma_unit *u)
{
    uint64_t page = frames_take(u->frames, HV_PAGE_4K);
    void *bytes = page != FRAMES_NONE ? physmem_pointer(u->memory, (hv_hpa){page}, HV_PAGE_BYTES) : NULL;
    if (bytes == NULL) {
        return FRAMES_NONE;
    }
    memset(bytes, 0, HV_PAGE_BYTES);
    return page;
}

bool dma_unit_init(struct dma_unit *u, const struct dma_unit_config *config, struct iommu *iommu, struct hv_err *err)
{
    *u = (struct dma_unit){
        .iommu = iommu,
        .memory = config->memory,
        .frames = config->frames,
        .caps = read_caps(iommu),
        .cost = *config->cost,
    };
    const char *missing = missing_for(config->mode, &u->caps);
    if (missing != NULL) {
        return hv_fail(err, "iommu.mode is %s, but %s is false; set it to true or choose another mode",
                       dma_mode_names[config->mode], missing);
    }
    u->scalable = u->caps.scalable && config->mode != DMA_LEGACY;
    u->root = dma_unit_take_page(u);
    u->queue = dma_unit_take_page(u);
    u->status = dma_unit_take_page(u);
    if (u->status == FRAMES_NONE) {
        return hv_fail(err, "there is no memory left for the IOMMU's tables; raise machine.memory");
    }
    if (iommu_is_read_only(iommu, u->status, sizeof(uint64_t))) {
        return hv_fail(err, "iommu.rom_base and iommu.rom_bytes cover %#llx, where the IOMMU has to write that an "
                       "invalidation is complete; choose other memory to be read-only", (unsigned long long)u->status);
    }
    return true;
}

void dma_unit_command(struct dma_unit *u, uint32_t bit, hv_cycles now)
{
    uint32_t lasting = IOMMU_GSTS_TES | IOMMU_GSTS_QIES | IOMMU_GSTS_IRES | IOMMU_GSTS_CFIS;
    uint32_t status = (uint32_t)iommu_read(u->iommu, IOMMU_GSTS, 4, now) & lasting;
    iommu_write(u->iommu, IOMMU_GCMD, 4, status | bit, now);
    HV_ASSERT((iommu_read(u->iommu, IOMMU_GSTS, 4, now) & bit) != 0, "command %#x was not carried out", bit);
}

hv_cycles dma_unit_start(struct dma_unit *u, hv_cycles now)
{
    iommu_write(u->iommu, IOMMU_RTADDR, 8, u->root | (u->scalable ? RTADDR_SCALABLE : 0), now);
    dma_unit_command(u, IOMMU_GSTS_RTPS, now);
    now = dma_queue_start(u, now);
    const struct dma_command all[] = {dma_command_context_all(), dma_command_pasid_all(), dma_command_iotlb_all()};
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        if (i != 1 || u->scalable) {
            dma_queue_add(u, &all[i]);
        }
    }
    now = dma_queue_wait(u, now);
    dma_unit_command(u, IOMMU_GSTS_TES, now);
    return now;
}
