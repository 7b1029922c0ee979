/* SPDX-License-Identifier: MIT */
#include "machine/io_params.h"

#include "machine/params.h"

const char *const io_device_names[] = {"none", "dma", "nic", "storage", NULL};
const char *const io_attach_names[] = {"emulated", "paravirtual", "assigned", "posted", NULL};

const struct param_row io_param_rows[] = {
#define P(...) PARAM_ROW(struct io_params, __VA_ARGS__)
#include "machine/io_params.def"
#undef P
};
const size_t io_param_count = HV_ARRAY_LEN(io_param_rows);

static bool is_native(const struct machine_params *p)
{
    return p->paging.mode == PAGING_NATIVE;
}

/* Which patterns a device has. */
static bool check_pattern(const struct machine_params *p, struct hv_err *err)
{
    static const struct { enum io_device device; unsigned patterns; const char *words; } rows[] = {
        {IO_DEVICE_DMA, 1u << DEV_READ | 1u << DEV_WRITE, "read or write"},
        {IO_DEVICE_NIC, 1u << DEV_RECEIVE | 1u << DEV_TRANSMIT | 1u << DEV_REQUEST_RESPONSE,
         "receive, transmit or request_response"},
        {IO_DEVICE_STORAGE, 1u << DEV_STORAGE, "storage"},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        if (rows[i].device == p->io.device && (rows[i].patterns >> p->dev.pattern & 1) == 0) {
            return hv_fail(err, "io.device %s does not do io.pattern %s; set that to %s", io_device_names[p->io.device],
                           dev_pattern_names[p->dev.pattern], rows[i].words);
        }
    }
    return true;
}

/* How a guest reaches the device. */
static bool check_attach(const struct machine_params *p, struct hv_err *err)
{
    const char *attach = io_attach_names[p->io.attach];
    if (p->paging.mode != PAGING_NESTED || p->host_more.format == PAGING_NPT) {
        return hv_fail(err, "io.attach %s needs paging.mode nested with EPT, the hypervisor that devices are modelled for; "
                       "set it, or paging.mode native", attach);
    }
    if (p->io.device == IO_DEVICE_STORAGE && p->io.attach <= IO_PARAVIRTUAL) {
        return hv_fail(err, "io.attach %s is modelled for io.device nic only; choose assigned or posted", attach);
    }
    if (p->io.attach >= IO_ASSIGNED && p->dma_map.mode == DMA_EXCLUSION) {
        return hv_fail(err, "io.attach %s has a guest tell the device guest-physical addresses, but iommu.mode "
                       "exclusion translates nothing; set it to second, or io.attach to paravirtual", attach);
    }
    if (p->io.attach >= IO_ASSIGNED && p->dma_map.mode <= DMA_PASSTHROUGH) {
        return hv_fail(err, "io.attach %s gives a guest a device, which only an IOMMU keeps within the guest's memory; set "
                       "iommu.mode to second or another mode with tables, or io.attach to paravirtual", attach);
    }
    if (p->io.attach >= IO_ASSIGNED && p->dma_map.mode == DMA_FIRST) {
        return hv_fail(err, "io.attach %s maps a guest's memory by second-stage tables; set iommu.mode to legacy, second or "
                       "nested", attach);
    }
    if (p->io.attach <= IO_PARAVIRTUAL && p->vcpu.interrupts == VCPU_INTERRUPTS_DIRECT) {
        return hv_fail(err, "io.attach %s has the hypervisor take the device's interrupts, which vcpu.interrupts direct "
                       "keeps from it; set that to emulated, or io.attach to assigned", attach);
    }
    if (p->io.attach <= IO_PARAVIRTUAL && p->dma_map.mode == DMA_NESTED) {
        return hv_fail(err, "io.attach %s gives the guest no device to map buffers for; set iommu.mode to another than "
                       "nested", attach);
    }
    if (p->io.attach == IO_POSTED && !(p->iommu.interrupt_remapping && p->iommu.posting)) {
        return hv_fail(err, "io.attach posted needs iommu.interrupt_remapping and iommu.posting; set both to true");
    }
    return true;
}

static bool check_guest(struct machine_params *p, struct hv_err *err)
{
    if (p->io.attach == IO_POSTED && p->vcpu.interrupts == VCPU_INTERRUPTS_EMULATED) {
        p->vcpu.interrupts = VCPU_INTERRUPTS_POSTED;
    }
    if (p->io.attach == IO_POSTED && p->vcpu.interrupts != VCPU_INTERRUPTS_POSTED) {
        return hv_fail(err, "io.attach posted needs vcpu.interrupts posted, not %s; leave that out",
                       vcpu_interrupts_names[p->vcpu.interrupts]);
    }
    if (p->vcpu.interrupt_interval_cycles != 0) {
        return hv_fail(err, "vcpu.interrupt_interval_cycles is a second source of interrupts beside io.device %s; set it "
                       "to 0", io_device_names[p->io.device]);
    }
    const uint64_t per_vm = p->vm.vcpus != 0 ? p->vm.vcpus : p->machine.cores;
    if (p->vm.count * per_vm > 64 * p->machine.cores) {
        return hv_fail(err, "%llu virtual processors are more than 64 for each core, which io.device %s has vectors for; "
                       "lower vm.count or vm.vcpus", (unsigned long long)(p->vm.count * per_vm),
                       io_device_names[p->io.device]);
    }
    return check_attach(p, err);
}

/* What needs an IOMMU that translates. */
static bool check_translations(const struct machine_params *p, struct hv_err *err)
{
    const char *mode = dma_mode_names[p->dma_map.mode];
    if (p->dev.ats && (p->dma_map.mode == DMA_OFF || p->dma_map.mode == DMA_EXCLUSION)) {
        return hv_fail(err, "io.ats has the device ask an IOMMU for translations, and iommu.mode %s has none; choose "
                       "another mode, or set io.ats to false", mode);
    }
    if (p->io.device != IO_DEVICE_DMA && p->dma_map.mode == DMA_EXCLUSION && p->dma_map.policy != DMA_STATIC) {
        return hv_fail(err, "iommu.mode exclusion leaves a device's memory open to it for good; set iommu.policy to "
                       "static, not %s", dma_policy_names[p->dma_map.policy]);
    }
    return true;
}

bool io_params_resolve(struct machine_params *p, struct hv_err *err)
{
    if (p->io.device == IO_DEVICE_NONE) {
        return true;
    }
    if (p->core.model == CORE_FUNCTIONAL || p->core.warmup_model == CORE_WARMUP_FUNCTIONAL) {
        return hv_fail(err, "core.%s functional has no time for devices to act in; choose another, or io.device none",
                       p->core.model == CORE_FUNCTIONAL ? "model" : "warmup_model");
    }
    if (p->io.device == IO_DEVICE_DMA && p->dma_map.mode == DMA_NESTED) {
        return hv_fail(err, "iommu.mode nested is for the device of a guest, and io.device dma is nobody's; set it to first "
                       "or second");
    }
    const bool driven = p->io.device != IO_DEVICE_DMA && !is_native(p);
    return dev_params_check(&p->dev, err) && check_pattern(p, err) && (!driven || check_guest(p, err)) &&
           check_translations(p, err);
}
