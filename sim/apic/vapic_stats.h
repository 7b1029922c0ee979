/* SPDX-License-Identifier: MIT */
/* What APIC virtualization counts on a processor; apart from vapic.h for those who only keep it. */
#ifndef HV_APIC_VAPIC_STATS_H
#define HV_APIC_VAPIC_STATS_H

#include "base/stat.h"

struct vapic_stats {
#define S STAT_MEMBER
#include "apic/vapic_stats.def"
#undef S
};

extern const struct stat_row vapic_stat_rows[];
extern const size_t vapic_stat_count;

#endif
