/* SPDX-License-Identifier: MIT */
/*
 * A machine for hypervisor logic in C (api/hvsim.h): the hardware of a configuration without its workload.
 *
 * MODEL: the processors of such a machine run one after the other, each call to its end, so they do not contend for the
 * shared caches and memory as the cores of a workload do. Each has a clock of its own; an interprocessor interrupt
 * arrives when the receiver's clock reaches the time of its arrival, or at once when that has passed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vmx/vmx_params.h"
#include "cpu/vmx/vmx_watch.h"
#include "machine/data_files.h"
#include "machine/hv_machine.h"

enum { IOAPIC_SOURCE = 0xf0f8 /* bus 0xf0, device 0x1f, function 0, as chipsets have it */ };

static bool read_params(struct machine_params *params, const char *config, const char *const *settings,
                        struct hv_err *err)
{
    char path[PATH_MAX];
    machine_params_init(params);
    if (config != NULL &&
        !(data_file_find(DATA_CONFIG, config, path, err) && params_load(&machine_schema, params, path, err))) {
        return false;
    }
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        if (!params_set_option(&machine_schema, params, settings[i], err)) {
            return false;
        }
    }
    return machine_params_resolve(params, err);
}

static bool init_cpu(struct hv_machine *m, unsigned n, struct hv_err *err)
{
    struct hv_machine_cpu *c = &m->cpus[n];
    struct hardware_core hardware = {&c->mmu, &c->path};
    m->cpu_count = n + 1;
    if (!hardware_init_core(&hardware, &m->params, &m->shared, &m->memory, &m->trace, err)) {
        return false;
    }
    struct processor_config config = {
        .memory = &m->memory, .mmu = &c->mmu, .path = &c->path, .caps = &m->caps, .costs = &m->costs, .number = n,
    };
    api_cpu_init(&c->cpu, &config, &m->bus);
    c->cpu.p.watch = m->watch;
    c->cpu.apic.ioapic = &m->ioapic;
    c->cpu.apic.user = m;
    return true;
}

static bool init_machine(struct hv_machine *m, const char *config, const char *const *settings, struct hv_err *err)
{
    if (!read_params(&m->params, config, settings, err) ||
        !vmx_params_caps(&m->params.vmx, (unsigned)m->params.mmu.physical_bits, true, &m->caps, err) ||
        !physmem_init(&m->memory, m->params.machine.memory, err) ||
        !hardware_init_shared(&m->shared, &m->params, err)) {
        return false;
    }
    m->costs = vmx_params_costs(&m->params.vmx_cost);
    apic_bus_init(&m->bus, &m->params.apic);
    ioapic_init(&m->ioapic, 0, IOAPIC_SOURCE);
    apic_bus_add_ioapic(&m->bus, &m->ioapic);
    m->watch = m->params.check.vmx ? vmx_watch_new() : NULL;
    m->next_page = HV_PAGE_BYTES;
    m->cpus = calloc(m->params.machine.cores, sizeof(*m->cpus));
    HV_ASSERT(m->cpus != NULL, "out of memory");
    for (unsigned n = 0; n < m->params.machine.cores; n++) {
        if (!init_cpu(m, n, err)) {
            return false;
        }
    }
    return true;
}

struct hv_machine *hv_machine_new(const char *config, const char *const *settings, char error[HV_ERROR_BYTES])
{
    struct hv_machine *m = calloc(1, sizeof(*m));
    struct hv_err err = {""};
    HV_ASSERT(m != NULL, "out of memory");
    if (!init_machine(m, config, settings, &err)) {
        snprintf(error, HV_ERROR_BYTES, "%.*s", HV_ERROR_BYTES - 1, err.text);
        hv_machine_free(m);
        return NULL;
    }
    return m;
}

void hv_machine_free(struct hv_machine *m)
{
    if (m == NULL) {
        return;
    }
    for (unsigned n = 0; n < m->cpu_count; n++) {
        struct hardware_core hardware = {&m->cpus[n].mmu, &m->cpus[n].path};
        hardware_fini_core(&hardware);
    }
    hv_iommu_free(m);
    free(m->cpus);
    vmx_watch_free(m->watch);
    hardware_fini_shared(&m->shared);
    physmem_fini(&m->memory);
    free(m);
}

struct hv_cpu *hv_machine_cpu(struct hv_machine *m, unsigned n)
{
    return n < m->cpu_count ? &m->cpus[n].cpu : NULL;
}

uint64_t hv_pages(struct hv_machine *m, size_t count)
{
    uint64_t start = m->next_page;
    if (count > (m->memory.size - start) / HV_PAGE_BYTES) {
        return HV_NO_MEMORY;
    }
    m->next_page += count * HV_PAGE_BYTES;
    return start;
}

bool hv_read(const struct hv_machine *m, uint64_t hpa, void *to, size_t bytes)
{
    const void *from = physmem_pointer(&m->memory, (hv_hpa){hpa}, bytes);
    if (from == NULL) {
        return false;
    }
    memcpy(to, from, bytes);
    return true;
}

bool hv_write(struct hv_machine *m, uint64_t hpa, const void *from, size_t bytes)
{
    void *to = physmem_pointer(&m->memory, (hv_hpa){hpa}, bytes);
    if (to == NULL) {
        return false;
    }
    memcpy(to, from, bytes);
    return true;
}

size_t hv_report(const struct hv_machine *m, FILE *out)
{
    size_t found = m->watch != NULL ? vmx_watch_report(m->watch, out) : 0;
    for (unsigned n = 0; n < m->cpu_count; n++) {
        found += stale_report(&m->cpus[n].mmu, out);
    }
    return found + hv_iommu_report(m, out);
}
