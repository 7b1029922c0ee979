/* SPDX-License-Identifier: MIT */
/* Making devices, the IOMMU and drivers, in the order in which firmware, host and guests would. */
#include "machine/io_parts.h"

#include <stdlib.h>

#include "machine/io_front.h"
#include "machine/io_nic.h"

/* ---- Hardware --------------------------------------------------------------------------------------------------- */

static void *new_zeroed(size_t bytes)
{
    void *p = calloc(1, bytes);
    HV_ASSERT(p != NULL, "out of memory");
    return p;
}

static bool build_device(struct machine_io *io, struct hv_err *err)
{
    const struct dev_params *p = &io->machine->params.dev;
    const uint64_t mhz = io->machine->params.machine.clock_mhz;
    switch (io->device) {
    case IO_DEVICE_DMA:
        io->engine = new_zeroed(sizeof(*io->engine));
        return dma_engine_init(io->engine, p, &io->root, mhz, err);
    case IO_DEVICE_NIC:
        io->nic = new_zeroed(sizeof(*io->nic));
        return nic_init(io->nic, p, &io->root, mhz, IO_DEVICE_ID, err);
    case IO_DEVICE_STORAGE:
        io->storage = new_zeroed(sizeof(*io->storage));
        return storage_init(io->storage, p, &io->root, mhz, IO_DEVICE_ID, err);
    case IO_DEVICE_NONE:
        break;
    }
    return true;
}

/* An invalidation of the IOMMU's for the device's own TLB; a response to its page request. */
static void device_tlb(void *ctx, const struct iommu_device_invalidation *what, hv_cycles now)
{
    const struct dev_invalidation invalidation = {
        .source = what->source, .has_pasid = what->has_pasid, .global = what->global, .pasid = what->pasid,
        .address = what->address, .size_shift = what->pages_log2 >= 52 ? 64 : what->pages_log2 + HV_PAGE_SHIFT,
    };
    struct machine_io *io = ctx;
    pcie_invalidate(io_link(io), &invalidation, now);
}

static void page_response(void *ctx, const struct iommu_page_response *r, hv_cycles now)
{
    const struct dev_page_response response = {.source = r->source, .group = r->group, .code = r->code};
    struct machine_io *io = ctx;
    switch (io->device) {
    case IO_DEVICE_DMA: dma_engine_page_response(io->engine, &response, now); break;
    case IO_DEVICE_NIC: nic_page_response(io->nic, &response, now); break;
    case IO_DEVICE_STORAGE: storage_page_response(io->storage, &response, now); break;
    case IO_DEVICE_NONE: break;
    }
}

static bool build_iommu(struct machine_io *io, struct hv_err *err)
{
    const struct machine_params *p = &io->machine->params;
    const struct iommu_wires wires = {
        .memory = {io_port_read, io_port_write, io}, .msi = io_event_message, .post = io_wire_post, .device_tlb = device_tlb,
        .page_response = page_response, .ctx = io,
    };
    if (p->dma_map.mode == DMA_OFF) {
        return true;
    }
    if (p->dma_map.mode == DMA_EXCLUSION) {
        return io_exclusion_build(io, err);
    }
    io->iommu = new_zeroed(sizeof(*io->iommu));
    if (!iommu_init(io->iommu, &p->iommu, &io->machine->memory, &wires, err)) {
        return false;
    }
    iommu_check_stale(io->iommu, p->check.stale);
    return true;
}

/* ---- Software --------------------------------------------------------------------------------------------------- */

static const struct io_driver_kind *kind_of(const struct machine_io *io)
{
    switch (io->device) {
    case IO_DEVICE_NIC: return &io_nic_driver;
    case IO_DEVICE_STORAGE: return &io_storage_driver;
    case IO_DEVICE_DMA:
    case IO_DEVICE_NONE: break;
    }
    return NULL;
}

/* Which core and virtual processor a driver is for: function i is VM i's modulo their number, each VM's in turn. */
static void place(struct io_driver *d)
{
    const struct machine *m = d->io->machine;
    const struct machine_params *p = &m->params;
    const uint64_t per_vm = p->vm.vcpus != 0 ? p->vm.vcpus : p->machine.cores;
    const uint64_t vm = d->number % p->vm.count;
    const uint64_t vcpu = d->io->native ? d->number : vm * per_vm + d->number / p->vm.count % per_vm;
    d->core = &m->cores[vcpu % p->machine.cores];
    d->vcpu = d->io->native ? 0 : (uint32_t)(vcpu / p->machine.cores);
    d->host = !d->io->native && (p->io.attach <= IO_PARAVIRTUAL || d->kind == NULL);
}

static void make_driver(struct machine_io *io, unsigned number)
{
    const struct dev_params *p = &io->machine->params.dev;
    struct io_driver *d = &io->drivers[number];
    const uint64_t packets = p->packets == 0 ? UINT64_MAX : p->packets / io->driver_count;
    d->io = io;
    d->number = number;
    d->function = p->functions > 0 && io->nic != NULL ? number + 1 : 0;
    d->kind = kind_of(io);
    d->poll_at = UINT64_MAX;
    d->share = packets + (p->packets != 0 && number < p->packets % io->driver_count);
    place(d);
    struct io_core *c = &io->cores[d->core - io->machine->cores];
    c->core = d->core;
    c->drivers[c->driver_count++] = d;
    d->core->io = c;
}

static void make_drivers(struct machine_io *io)
{
    const struct machine *m = io->machine;
    io->cores = calloc(m->params.machine.cores, sizeof(*io->cores));
    io->driver_count = io->nic != NULL && m->params.dev.functions > 0 ? (unsigned)m->params.dev.functions : 1;
    io->drivers = calloc(io->driver_count, sizeof(*io->drivers));
    HV_ASSERT(io->cores != NULL && io->drivers != NULL, "out of memory");
    for (unsigned i = 0; i < m->params.machine.cores; i++) {
        io->cores[i].core = &m->cores[i];
        io->cores[i].due = UINT64_MAX;
        m->cores[i].io = &io->cores[i];
    }
    for (unsigned i = 0; i < io->driver_count; i++) {
        make_driver(io, i);
    }
}

static uint64_t bytes_of(const struct machine_io *io)
{
    const struct machine_params *p = &io->machine->params;
    switch (io->device) {
    case IO_DEVICE_NIC: return io_nic_bytes(p) + io_front_bytes(p);
    case IO_DEVICE_STORAGE: return io_storage_bytes(p);
    case IO_DEVICE_DMA:
    case IO_DEVICE_NONE: break;
    }
    return p->dev.window;
}

enum { INTERRUPTS_LOG2 = 8 }; /* entries to remap interrupts by: one for each driver */

/* What is left of memory becomes tables of the IOMMU. */
static bool start_iommu(struct machine_io *io, struct hv_err *err)
{
    const struct machine_params *p = &io->machine->params;
    if (io->iommu == NULL) {
        return io->exclusion == NULL || io_exclusion_start(io, err);
    }
    io->frames = (struct frames){.next = io->machine->host_next, .end = p->machine.memory};
    const struct dma_unit_config config = {
        (enum dma_mode)p->dma_map.mode, &p->dma_cost, &io->machine->memory, &io->frames,
    };
    if (!dma_unit_init(&io->unit, &config, io->iommu, err)) {
        return false;
    }
    dma_unit_start(&io->unit, 0);
    io_event_route(io);
    if (!p->iommu.interrupt_remapping) {
        return true;
    }
    if (!irq_map_init(&io->interrupts, &io->unit, INTERRUPTS_LOG2, p->iommu.x2apic, err)) {
        return false;
    }
    irq_map_start(&io->interrupts, 0);
    return true;
}

static bool reserve_all(struct machine_io *io, struct hv_err *err)
{
    for (unsigned i = 0; i < io->driver_count; i++) {
        if (!io_memory_reserve(&io->drivers[i], bytes_of(io), err)) {
            return false;
        }
    }
    return true;
}

static bool init_driver(struct io_driver *d, struct hv_err *err)
{
    return io_memory_attach(d, err) &&
           (d->kind == NULL || (io_wire_connect(d, err) && d->kind->init(d, err)));
}

/* The DMA engine needs no driver: its window is mapped, and it begins. */
static void begin_engine(struct machine_io *io)
{
    struct io_driver *d = &io->drivers[0];
    const uint64_t packets = io->machine->params.dev.packets;
    dma_engine_place(io->engine, IO_DEVICE_ID, d->memory.seen);
    dma_engine_start(io->engine, packets == 0 ? UINT64_MAX : packets, 0);
}

static bool begin_all(struct machine_io *io, struct hv_err *err)
{
    for (unsigned i = 0; i < io->driver_count; i++) {
        if (!init_driver(&io->drivers[i], err)) {
            return false;
        }
    }
    if (io->iommu != NULL) {
        iommu_reset_stats(io->iommu);
        io->unit.stats = (struct dma_map_stats){0};
    }
    if (io->exclusion != NULL) {
        io->exclusion->stats = (struct dev_vector_stats){0};
    }
    if (io->engine != NULL) {
        begin_engine(io);
    }
    for (unsigned i = 0; i < io->driver_count && io->drivers[i].kind != NULL; i++) {
        io_front_init(&io->drivers[i]);
        io->drivers[i].kind->begin(&io->drivers[i]);
    }
    return true;
}

bool io_build(struct machine *m, struct hv_err *err)
{
    struct machine_io *io = new_zeroed(sizeof(*io));
    m->io = io;
    io->machine = m;
    io->params = &m->params.io;
    io->device = (enum io_device)m->params.io.device;
    io->native = m->params.paging.mode == PAGING_NATIVE;
    io_port_init(io);
    if (!build_device(io, err) || !build_iommu(io, err)) {
        return false;
    }
    make_drivers(io);
    return reserve_all(io, err) && io_window_build(io, err) && start_iommu(io, err) && begin_all(io, err);
}

static void free_device(struct machine_io *io)
{
    if (io->engine != NULL) {
        dma_engine_fini(io->engine);
    }
    if (io->nic != NULL) {
        nic_fini(io->nic);
    }
    if (io->storage != NULL) {
        storage_fini(io->storage);
    }
    free(io->engine);
    free(io->nic);
    free(io->storage);
}

void io_free(struct machine_io *io)
{
    if (io == NULL) {
        return;
    }
    for (unsigned i = 0; i < io->driver_count; i++) {
        struct io_driver *d = &io->drivers[i];
        if (d->kind != NULL) {
            d->kind->fini(d);
        }
        io_front_fini(d);
        io_memory_fini(d);
    }
    for (uint64_t i = 0; io->cores != NULL && i < io->machine->params.machine.cores; i++) {
        free(io->cores[i].arrivals);
    }
    if (io->iommu != NULL) {
        iommu_fini(io->iommu);
    }
    io_exclusion_free(io);
    irq_map_fini(&io->interrupts);
    frames_fini(&io->frames);
    free(io->iommu);
    free_device(io);
    free(io->windows);
    free(io->writes);
    free(io->cores);
    free(io->drivers);
    free(io);
}
