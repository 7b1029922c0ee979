/* SPDX-License-Identifier: MIT */
/* The tables of the IOMMU for `hvsim list`. */
#ifndef HV_IOMMU_IOMMU_REFERENCE_H
#define HV_IOMMU_IOMMU_REFERENCE_H

#include "base/print.h"

/* Fault reasons: number, name of the condition in the specification, area, whether FPD keeps it unrecorded, words. */
void iommu_print_faults(enum print_format format, FILE *out);

/* Registers: offset, name, bytes, kind, words. */
void iommu_print_registers(enum print_format format, FILE *out);

#endif
