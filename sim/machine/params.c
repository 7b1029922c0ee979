/* SPDX-License-Identifier: MIT */
#include "machine/params.h"

#include <string.h>

const char *const timing_sync_names[] = {"exact", "quantum", NULL};
const char *const machine_cache_names[] = {"l1d", "l1i", "l2", "llc", NULL};

/* The value of workload.accesses while nobody has set it. */
#define ACCESSES_OPEN UINT64_MAX
#define ACCESSES_DEFAULT UINT64_C(1000000)
#define ACCESSES_ALL UINT64_C(1000000000000000)

static const struct param_row machine_own_rows[] = {
#define P(...) PARAM_ROW(struct machine_own_params, __VA_ARGS__)
#include "machine/machine_params.def"
#undef P
};

static const struct param_row timing_rows[] = {
#define P(...) PARAM_ROW(struct timing_params, __VA_ARGS__)
#include "machine/timing_params.def"
#undef P
};

static const struct param_row tlb_all_rows[] = {
#define P(...) PARAM_ROW(struct tlb_all_params, __VA_ARGS__)
#include "machine/tlb_all_params.def"
#undef P
};

static const struct param_row check_rows[] = {
#define P(...) PARAM_ROW(struct check_params, __VA_ARGS__)
#include "machine/check_params.def"
#undef P
};

#define BLOCK(prefix, member, block, defaults, help)                                                          \
    {prefix, offsetof(struct machine_params, member), block##_param_rows, &block##_param_count, defaults, help}
#define OWN(prefix, member, rows, help)                                                                       \
    {prefix, offsetof(struct machine_params, member), rows, &(const size_t){HV_ARRAY_LEN(rows)}, NULL, help}
#define TLB(unit, name, defaults, help) BLOCK("tlb." name, tlb[unit], tlb, defaults, help)
#define CACHE(which, name, defaults, help) BLOCK("cache." name, cache[which], cache, defaults, help)
#define PWC(d, side, level, entries) \
    BLOCK("mmu.pwc." side ".l" #level, pwc_level[d][level], pwc_level, "entries=" entries, \
          side "-dimension page-walk cache of level " #level " entries")

/* Defaults are a recent Intel client core (Skylake); configs/skylake.yaml names the sources. */
static const struct param_mount mounts[] = {
    OWN("machine", machine, machine_own_rows, "the machine"),
    OWN("timing", timing, timing_rows, "how cores share time"),
    OWN("check", check, check_rows, "checks of what software does"),
    BLOCK("core", core, core, NULL, "a core"),
    OWN("tlb", tlb_all, tlb_all_rows, "all TLBs and page-walk caches"),
    TLB(TLB_L1D_4K, "l1d_4k", "entries=64 ways=4", "first-level data TLB, 4K pages"),
    TLB(TLB_L1D_2M, "l1d_2m", "entries=32 ways=4 sizes=[2m]", "first-level data TLB, 2M pages"),
    TLB(TLB_L1D_1G, "l1d_1g", "entries=4 ways=full sizes=[1g]", "first-level data TLB, 1G pages"),
    TLB(TLB_L1I_4K, "l1i_4k", "entries=128 ways=8", "first-level instruction TLB, 4K pages"),
    TLB(TLB_L1I_2M, "l1i_2m", "entries=8 ways=full sizes=[2m]", "first-level instruction TLB, 2M pages"),
    TLB(TLB_L2, "l2", "entries=1536 ways=12 latency_cycles=7 sizes=[4k,2m]", "second-level TLB"),
    TLB(TLB_L2_1G, "l2_1g", "entries=16 ways=4 latency_cycles=7 sizes=[1g]", "second-level TLB, 1G pages"),
    BLOCK("mmu", mmu, mmu, NULL, "page walkers"),
    BLOCK("mmu.pwc", pwc, pwc, "kind=translation", "page-walk caches"),
    PWC(HV_GUEST, "guest", 5, "2"), PWC(HV_GUEST, "guest", 4, "2"),
    PWC(HV_GUEST, "guest", 3, "4"), PWC(HV_GUEST, "guest", 2, "32"),
    PWC(HV_HOST, "host", 5, "2"), PWC(HV_HOST, "host", 4, "2"),
    PWC(HV_HOST, "host", 3, "4"), PWC(HV_HOST, "host", 2, "32"),
    BLOCK("mmu.nested_tlb", nested_tlb, nested_tlb, NULL, "nested TLB: guest-physical to host-physical"),
    CACHE(CACHE_L1D, "l1d", "size=32KiB ways=8 latency_cycles=4", "first-level data cache"),
    CACHE(CACHE_L1I, "l1i", "size=32KiB ways=8 latency_cycles=4", "first-level instruction cache"),
    CACHE(CACHE_L2, "l2", "size=256KiB ways=4 latency_cycles=14", "second-level cache"),
    CACHE(CACHE_LLC, "llc", "size=8MiB ways=16 latency_cycles=44", "last-level cache, shared"),
    BLOCK("dram", dram, dram, NULL, "main memory"),
    BLOCK("paging", paging, paging, NULL, "how memory is mapped"),
    BLOCK("paging.guest", guest, paging_side, NULL, "guest (or native) page tables"),
    BLOCK("paging.host", host, paging_side, NULL, "host page tables (EPT, NPT)"),
    BLOCK("paging.host", host_more, paging_host, NULL, "host page tables (EPT, NPT)"),
    BLOCK("vm", vm, vm, NULL, "virtual machines"),
    BLOCK("vcpu", vcpu, vcpu, NULL, "virtual processors"),
    BLOCK("sched", sched, sched, NULL, "what shares a processor"),
    BLOCK("vmx", vmx, vmx, NULL, "what the processors' VMX offers"),
    BLOCK("vmx.cost", vmx_cost, vmx_cost, NULL, "what VMX takes in hardware"),
    BLOCK("vmm", vmm, vmm, NULL, "the hypervisor"),
    BLOCK("vmm.cost", vmm_cost, vmm_cost, NULL, "what software costs"),
    BLOCK("apic", apic, apic, NULL, "interrupt controllers"),
    BLOCK("io", io, io, NULL, "a device, and how its drivers reach it"),
    BLOCK("io", dev, dev, NULL, "what a device does, and its link"),
    IOMMU_MOUNTS(offsetof(struct machine_params, iommu)),
    BLOCK("iommu", dma_map, dma_map, NULL, "what software makes of the IOMMU"),
    BLOCK("iommu.cost", dma_cost, dma_cost, NULL, "what the software that owns the IOMMU costs"),
    BLOCK("iommu.exclusion", exclusion, dev_vector, NULL, "AMD's Device Exclusion Vector, of iommu.mode exclusion"),
    BLOCK("iommu.exclusion.cache", exclusion.cache, iommu_cache, NULL, "its cache: an entry is the bits of 2 MiB"),
    BLOCK("vmm.shadow", vmm_shadow, vmm_shadow, NULL, "how a hypervisor keeps shadow page tables"),
    BLOCK("vmm.agile", vmm_agile, vmm_agile, NULL, "which guest tables agile paging leaves to nested walks"),
    BLOCK("workload", workload, workload, NULL, "the access stream"),
    BLOCK("workload.join", workload.join, join, NULL, "a workload of kind join"),
    BLOCK("workload.kvstore", workload.kvstore, kvstore, NULL, "a workload of kind kvstore"),
    BLOCK("workload.events", workload.events, events, NULL, "changes of page tables beside the accesses"),
};

const struct param_schema machine_schema = {mounts, HV_ARRAY_LEN(mounts)};

/* A group that is not listed counts as software's, which is never wrong, only slower in a sweep. */
bool machine_param_is_hardware(const struct param_ref *ref)
{
    static const char *const groups[] = {"timing", "check", "core", "tlb", "mmu", "cache", "dram", "io", "iommu"};
    size_t length = strcspn(ref->name, ".");
    for (size_t i = 0; i < HV_ARRAY_LEN(groups); i++) {
        if (strlen(groups[i]) == length && memcmp(ref->name, groups[i], length) == 0) {
            return true;
        }
    }
    return false;
}

void machine_params_init(struct machine_params *params)
{
    params_defaults(&machine_schema, params);
    params->workload.accesses = ACCESSES_OPEN;
}

static bool check_consistent(const struct machine_params *p, struct hv_err *err)
{
    if (p->guest.page_size == HV_PAGE_1G && !p->mmu.pages_1g) {
        return hv_fail(err, "paging.guest.page_size is 1g, but mmu.pages_1g is false; set one of them otherwise");
    }
    if (p->machine.memory % HV_PAGE_BYTES != 0) {
        return hv_fail(err, "machine.memory is %llu bytes, no multiple of 4KiB",
                       (unsigned long long)p->machine.memory);
    }
    if (p->mmu.physical_bits < 64 && p->machine.memory > UINT64_C(1) << p->mmu.physical_bits) {
        return hv_fail(err, "machine.memory of %llu GiB does not fit mmu.physical_bits of %llu; raise the bits or "
                       "lower the memory", (unsigned long long)(p->machine.memory >> 30),
                       (unsigned long long)p->mmu.physical_bits);
    }
    if (p->paging.mode == PAGING_NATIVE && p->vm.count > 1) {
        return hv_fail(err, "vm.count is %llu, but paging.mode native has no virtual machines; use sched.processes, or "
                       "paging.mode nested", (unsigned long long)p->vm.count);
    }
    if (p->vcpu.interrupts == VCPU_INTERRUPTS_DIRECT && !p->apic.x2apic) {
        return hv_fail(err, "vcpu.interrupts direct needs apic.x2apic, because the guest ends its interrupts by an MSR; "
                       "set apic.x2apic to true or choose another way");
    }
    if (p->guest.huge_fraction > 0 && p->guest.page_size != HV_PAGE_4K) {
        return hv_fail(err, "paging.guest.huge_fraction applies to page_size 4k only; set it to 0 or page_size to 4k");
    }
    if (p->host.huge_fraction > 0 && p->host.page_size != HV_PAGE_4K) {
        return hv_fail(err, "paging.host.huge_fraction applies to page_size 4k only; set it to 0 or page_size to 4k");
    }
    if (p->guest.fragmentation > 0 && p->guest.page_size == HV_PAGE_1G) {
        return hv_fail(err, "paging.guest.fragmentation applies to page_size 4k and 2m only; set it to 0 or page_size to "
                       "one of these");
    }
    if (p->host.fragmentation > 0 && p->host.page_size == HV_PAGE_1G) {
        return hv_fail(err, "paging.host.fragmentation applies to page_size 4k and 2m only; set it to 0 or page_size to "
                       "one of these");
    }
    return true;
}

void machine_workload_resolve(struct workload_params *w)
{
    if (w->accesses == ACCESSES_OPEN) {
        w->accesses = w->kind == WORKLOAD_TRACE ? ACCESSES_ALL : ACCESSES_DEFAULT;
    }
}

bool machine_params_resolve(struct machine_params *params, struct hv_err *err)
{
    machine_workload_resolve(&params->workload);
    return check_consistent(params, err) && io_params_resolve(params, err);
}
