/* SPDX-License-Identifier: MIT */
/* What a machine of hvsim.h consists of, for the files that its calls are in. */
#ifndef HV_MACHINE_HV_MACHINE_H
#define HV_MACHINE_HV_MACHINE_H

#include "api/api.h"
#include "machine/hardware.h"

struct hv_machine_cpu {
    struct hv_cpu cpu;
    struct mmu mmu;
    struct mem_path path;
};

struct hv_machine {
    struct machine_params params;
    struct trace_points trace;
    struct physmem memory;
    struct mem_shared shared;
    struct vmx_caps caps;
    struct vmx_costs costs;
    struct apic_bus bus;
    struct ioapic ioapic;
    struct vmx_watch *watch; /* check.vmx; NULL: off */
    uint64_t next_page; /* memory below is given out; page 0 never is */
    unsigned cpu_count; /* of those whose hardware is there */
    struct hv_machine_cpu *cpus;
    struct hv_iommu *io;     /* NULL: devices reach memory and processors as they like */
};

/* hv_iommu.c: its share of hv_machine_free() and of hv_report(). */
void hv_iommu_free(struct hv_machine *m);
size_t hv_iommu_report(const struct hv_machine *m, FILE *out);

#endif
