/* SPDX-License-Identifier: MIT */
/* A device whose request for one page passes, by each way of translating: the tests then spoil one thing of it. */
#ifndef HV_TESTS_IOMMU_DMA_SCENE_H
#define HV_TESTS_IOMMU_DMA_SCENE_H

#include "iommu/dma_lab.h"

enum { SCENE_SOURCE = 0x1234, SCENE_DOMAIN = 7, SCENE_PASID = 0x45 };

#define SCENE_IOVA UINT64_C(0x0000007040201000) /* what the device asks for */
#define SCENE_PAGE HV_GIB(1)                    /* what it becomes; nested, of the first stage too */

/* Legacy tables; in scalable mode each stage, both and none; and none, a translated request under host permissions. */
enum scene_kind { LEGACY, FIRST, SECOND, NESTED, PASS, HOST };

struct scene {
    struct dma_lab *lab;
    struct dma_tables first, second; /* those that the kind has; the others have no lab */
    struct iommu_request request;
    uint64_t context, pasid;         /* where these entries lie */
    uint64_t permission[5];          /* and the host-permission entries, by level */
};

/* Host permissions are offered for HOST alone, whatever the parameters say. The caller frees the lab. */
struct scene scene_new(const struct iommu_params *params, enum scene_kind kind, enum iommu_access access);

#endif
