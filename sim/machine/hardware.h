/* SPDX-License-Identifier: MIT */
/*
 * The hardware of a machine from its parameters: what cores share, and the caches and the MMU of each. A machine that
 * runs workloads (machine.h) and one that runs hypervisor logic in C (api_machine.c) are built from it.
 */
#ifndef HV_MACHINE_HARDWARE_H
#define HV_MACHINE_HARDWARE_H

#include "machine/params.h"
#include "mmu/mmu.h"

/* Last-level cache and main memory. */
bool hardware_init_shared(struct mem_shared *shared, const struct machine_params *params, struct hv_err *err);
void hardware_fini_shared(struct mem_shared *shared);

/* What one core alone owns. */
struct hardware_core {
    struct mmu *mmu;
    struct mem_path *path;
};

/* `shared`, `memory` and `trace` outlive the core. After a failure hardware_fini_core() is to be called as well. */
bool hardware_init_core(const struct hardware_core *core, const struct machine_params *params,
                        struct mem_shared *shared, struct physmem *memory, const struct trace_points *trace,
                        struct hv_err *err);
void hardware_fini_core(const struct hardware_core *core);

#endif
