/* SPDX-License-Identifier: MIT */
/* VM exits of a core's guests as statistics: in all, and by reason. */
#ifndef HV_CPU_VMX_VMX_STATS_H
#define HV_CPU_VMX_VMX_STATS_H

#include "base/stat.h"

struct vmx_stats {
#define S STAT_MEMBER
#include "cpu/vmx/vmx_stats.def"
#undef S
    struct vmx_reason_stats {
        uint64_t count, cycles;
    } reasons[80]; /* by basic exit reason */
};

/* Registers all of them under "vmx" and "vmx.exit.REASON". */
void vmx_stats_register(struct vmx_stats *s, struct stat_registry *r);

#endif
