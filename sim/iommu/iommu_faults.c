/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_faults.h"

enum { UNQUALIFIED, QUALIFIED };

const struct iommu_fault_row iommu_fault_rows[] = {
#define F(number, name, area, qualified, answer, code, words) \
    {number, IOMMU_AREA_##area, IOMMU_ATS_##answer, (qualified) == QUALIFIED, code, words},
#include "iommu/iommu_faults.def"
#undef F
};
const size_t iommu_fault_count = sizeof(iommu_fault_rows) / sizeof(iommu_fault_rows[0]);

const struct iommu_fault_row *iommu_fault_find(unsigned number)
{
    for (size_t i = 0; i < iommu_fault_count; i++) {
        if (iommu_fault_rows[i].number == number) {
            return &iommu_fault_rows[i];
        }
    }
    return NULL;
}
