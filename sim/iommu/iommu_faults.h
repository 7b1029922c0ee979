/* SPDX-License-Identifier: MIT */
/*
 * The fault reasons by name, and what is known of each.
 */
#ifndef HV_IOMMU_IOMMU_FAULTS_H
#define HV_IOMMU_IOMMU_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum iommu_reason {
    IOMMU_FAULT_NONE = 0,
#define F(number, name, area, qualified, answer, code, words) IOMMU_FAULT_##name = number,
#include "iommu/iommu_faults.def"
#undef F
};

enum iommu_fault_area { IOMMU_AREA_DMA, IOMMU_AREA_INTERRUPT };

/* What a translation request (ATS) is told of a fault. */
enum iommu_ats_answer { IOMMU_ATS_UR, IOMMU_ATS_CA, IOMMU_ATS_EMPTY, IOMMU_ATS_EMPTY_RECORDED };

struct iommu_fault_row {
    uint8_t number;
    uint8_t area;   /* enum iommu_fault_area */
    uint8_t answer; /* enum iommu_ats_answer */
    bool qualified; /* not recorded when fault-processing disable is set */
    const char *code;
    const char *words;
};

extern const struct iommu_fault_row iommu_fault_rows[];
extern const size_t iommu_fault_count;

/* The row of a number, or NULL. */
const struct iommu_fault_row *iommu_fault_find(unsigned number);

#endif
