/* SPDX-License-Identifier: MIT */
#include "machine/explain_machine.h"

static const struct workload_region *first_regions(const struct machine *m, size_t *count)
{
    return workload_regions(m->cores[0].schedule.vcpus[0].tasks[0].workload, count);
}

hv_gva explain_first_page(const struct machine *m)
{
    size_t count;
    const struct workload_region *regions = first_regions(m, &count);
    HV_ASSERT(count > 0, "a workload without memory");
    return regions[0].start;
}

static bool in_workload(const struct machine *m, hv_gva gva)
{
    size_t count;
    const struct workload_region *regions = first_regions(m, &count);
    for (size_t i = 0; i < count; i++) {
        if (gva.v - regions[i].start.v < regions[i].pages * HV_PAGE_BYTES) {
            return true;
        }
    }
    return false;
}

void explain_resolve_fault(struct explain *x, struct machine *m)
{
    if (x->ok || !in_workload(m, x->gva)) {
        return;
    }
    struct vm_fault_reply reply = vm_handle_fault(&m->vms[0], 0, &x->reply.fault);
    if (reply.resolved) {
        x->handler = reply.exit ? "the hypervisor" : "the operating system";
        x->handling_cycles = reply.cycles + reply.exit_cycles;
    }
}
