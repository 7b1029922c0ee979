/* SPDX-License-Identifier: MIT */
#include "iommu/dma_scene.h"

/* Host permissions for the first page of memory: entry 0 of each level. */
static void permit(struct scene *s)
{
    uint64_t table[5];
    for (unsigned level = 4; level >= 1; level--) {
        table[level] = dma_take_page(s->lab);
        s->permission[level] = table[level];
        if (level < 4) {
            dma_poke(s->lab, s->permission[level + 1] + 8, table[level] | 1);
        }
    }
    dma_poke(s->lab, s->permission[1], 3);
    dma_poke(s->lab, s->pasid + 32, table[4]);
    dma_poke(s->lab, s->context, dma_peek(s->lab, s->context) | IOMMU_SCALABLE_HPTE | IOMMU_SCALABLE_EPTR);
    s->request.address = 0x40;
    s->request.type = IOMMU_TRANSLATED;
}

struct scene scene_new(const struct iommu_params *params, enum scene_kind kind, enum iommu_access access)
{
    struct iommu_params own = *params;
    own.host_permissions = kind == HOST;
    struct scene s = {.lab = dma_lab_new(&own, kind == LEGACY ? IOMMU_LEGACY : IOMMU_SCALABLE)};
    if (kind == LEGACY || kind == SECOND || kind == NESTED) {
        s.second = dma_second_tables(s.lab, 4);
        dma_map(&s.second, kind == NESTED ? SCENE_PAGE : SCENE_IOVA, SCENE_PAGE, HV_PAGE_4K);
    }
    if (kind == FIRST || kind == NESTED) {
        s.first = dma_nested_tables(s.lab, 4, kind == NESTED ? &s.second : NULL, HV_PAGE_4K);
        dma_map(&s.first, SCENE_IOVA, SCENE_PAGE, HV_PAGE_4K);
        s.first.below = NULL; /* which would point into this function */
    }
    if (kind == LEGACY) {
        dma_attach(s.lab, SCENE_SOURCE, SCENE_DOMAIN, &s.second);
        s.request = dma_request(SCENE_SOURCE, SCENE_IOVA, access);
    } else {
        dma_attach_pasid(s.lab, SCENE_SOURCE, SCENE_PASID, SCENE_DOMAIN, s.first.lab != NULL ? &s.first : NULL,
                         s.second.lab != NULL ? &s.second : NULL);
        s.pasid = dma_pasid_entry(s.lab, SCENE_SOURCE, SCENE_PASID);
        s.request = dma_pasid_request(SCENE_SOURCE, SCENE_PASID, SCENE_IOVA, access);
    }
    s.context = dma_context_entry(s.lab, SCENE_SOURCE);
    if (kind == HOST) {
        permit(&s);
    }
    return s;
}
