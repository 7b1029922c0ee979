/* SPDX-License-Identifier: MIT */
/*
 * The root port: a DMA goes through the IOMMU, line by line to the last-level cache and main memory.
 *
 * A write goes into the last-level cache, as with Intel's Data Direct I/O, and is done when that has taken it. MODEL:
 * cores' private caches are not looked at, as they are not kept coherent with each other either; drivers therefore read
 * what a device has written past them (io_work.c). MODEL: a write of part of a line costs what a whole one costs.
 */
#include "machine/io_parts.h"

#include <string.h>

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    return mem_shared_read(&((struct machine *)ctx)->shared, line, user, now);
}

struct mem_reply io_port_read(void *io, uint64_t line, enum cache_user user, hv_cycles now)
{
    const struct mem_port *memory = &((struct machine_io *)io)->memory;
    return memory->read(memory->ctx, line, user, now);
}

void io_port_write(void *io, uint64_t line, hv_cycles now)
{
    const struct mem_port *memory = &((struct machine_io *)io)->memory;
    memory->write_back(memory->ctx, line, now);
}

static void write_line(void *ctx, uint64_t line, hv_cycles now)
{
    mem_shared_write_back(&((struct machine *)ctx)->shared, line, now);
}

/* All lines of a run set out at once: the memory system keeps them apart. Returns when the last is done. */
static hv_cycles move_lines(struct machine_io *io, uint64_t address, uint32_t bytes, bool write, hv_cycles now)
{
    const uint64_t last = (address + bytes - 1) >> CACHE_LINE_SHIFT;
    hv_cycles done = now + io->machine->shared.llc.latency_cycles;
    for (uint64_t line = address >> CACHE_LINE_SHIFT; line <= last; line++) {
        if (write) {
            io->memory.write_back(io->memory.ctx, line, now);
        } else {
            hv_cycles answered = io->memory.read(io->memory.ctx, line, CACHE_DEMAND, now).done;
            done = answered > done ? answered : done;
        }
    }
    return done;
}

static void move_bytes(struct machine_io *io, const struct dev_dma *d, uint64_t address)
{
    void *bytes = physmem_pointer(&io->machine->memory, (hv_hpa){address}, d->bytes);
    const bool lost = d->write && io->iommu != NULL && iommu_is_read_only(io->iommu, address, d->bytes);
    if (d->data != NULL && bytes != NULL && !lost) {
        memcpy(d->write ? bytes : d->data, d->write ? d->data : bytes, d->bytes);
    }
}

/* What the IOMMU makes of a DMA; without one, and within a host bridge that knows where memory ends, the address itself. */
struct iommu_reply io_port_translate(struct machine_io *io, const struct dev_dma *d, hv_cycles now)
{
    if (io->iommu == NULL) {
        return io->exclusion != NULL
                   ? io_exclusion_check(io, d, now)
                   : (struct iommu_reply){.ok = true, .address = d->address, .done = now};
    }
    const struct iommu_request request = {
        .source = d->source, .has_pasid = d->has_pasid, .pasid = d->pasid, .address = d->address, .bytes = d->bytes,
        .access = d->write ? IOMMU_WRITE : IOMMU_READ, .type = d->translated ? IOMMU_TRANSLATED : IOMMU_UNTRANSLATED,
    };
    return iommu_translate(io->iommu, &request, now);
}

static struct dev_done note(struct machine_io *io, const struct dev_dma *d, hv_cycles now, struct dev_done done)
{
    if (io->activity != NULL) {
        activity_add(io->activity, ACTIVITY_DMA, now, done.at - now, !done.ok ? "blocked" : d->write ? "write" : "read");
    }
    return done;
}

static struct dev_done dma(void *ctx, const struct dev_dma *d, hv_cycles now)
{
    struct machine_io *io = ctx;
    io_stray(io, d, now);
    if (d->bytes == 0) {
        return (struct dev_done){true, now};
    }
    struct iommu_reply reply = io_port_translate(io, d, now);
    if (!reply.ok || reply.address >= io->machine->memory.size ||
        d->bytes > io->machine->memory.size - reply.address) {
        return note(io, d, now, (struct dev_done){false, reply.done});
    }
    move_bytes(io, d, reply.address);
    const hv_cycles done = move_lines(io, reply.address, d->bytes, d->write, reply.done);
    return note(io, d, now, (struct dev_done){true, done});
}

/* ATS: the device keeps the answer. */
static struct dev_translation translate_for_device(void *ctx, const struct dev_translation_request *r, hv_cycles now)
{
    struct machine_io *io = ctx;
    if (io->iommu == NULL) {
        return (struct dev_translation){.at = now};
    }
    const struct iommu_request request = {
        .source = r->source, .has_pasid = r->has_pasid, .pasid = r->pasid, .address = r->address, .bytes = 8,
        .access = r->write ? IOMMU_WRITE : IOMMU_READ, .type = IOMMU_TRANSLATION_REQUEST, .no_write = !r->write,
    };
    struct iommu_reply reply = iommu_translate(io->iommu, &request, now);
    return (struct dev_translation){
        .ok = reply.ok, .read = reply.read, .write = reply.write, .address = reply.address,
        .size_shift = reply.size_shift, .at = reply.done,
    };
}

static void request_page(void *ctx, const struct dev_page_request *r, hv_cycles now)
{
    struct machine_io *io = ctx;
    const struct iommu_page_request request = {
        .source = r->source, .has_pasid = r->has_pasid, .read = r->read, .write = r->write, .last = r->last,
        .pasid = r->pasid, .address = r->address, .group = r->group,
    };
    if (io->iommu != NULL) {
        iommu_page_request(io->iommu, &request, now);
    }
}

const struct dev_port *io_root_port(const struct machine_io *io)
{
    return &io->root;
}

void io_connect(struct machine_io *io, const struct dev_port *device, const struct mem_port *memory)
{
    io_link(io)->port = *device;
    io->memory = *memory;
}

void io_port_init(struct machine_io *io)
{
    io->memory = (struct mem_port){read_line, write_line, io->machine};
    io->root = (struct dev_port){dma, io_wire_interrupt, translate_for_device, request_page, io};
}
