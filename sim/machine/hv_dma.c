/* SPDX-License-Identifier: MIT */
/*
 * Devices of a machine of hvsim.h: a DMA or a page request is one call.
 *
 * MODEL: devices are those calls; they have no links and no device TLBs. A DMA does not look into private caches, as in
 * io_port.c. Of responses to page requests that nobody reads, the oldest are lost.
 */
#include <string.h>

#include "machine/hv_iommu.h"

enum { TRANSLATION_BYTES = 8 }; /* of the answer to a translation request */

/* Lines set out at once. Returns when the last is there. */
static hv_cycles move_lines(struct hv_machine *m, uint64_t hpa, size_t bytes, bool write, hv_cycles now)
{
    hv_cycles done = now + m->shared.llc.latency_cycles;
    for (uint64_t line = hpa >> CACHE_LINE_SHIFT; bytes > 0 && line <= (hpa + bytes - 1) >> CACHE_LINE_SHIFT; line++) {
        if (write) {
            mem_shared_write_back(&m->shared, line, now);
        } else {
            hv_cycles there = mem_shared_read(&m->shared, line, CACHE_DEMAND, now).done;
            done = there > done ? there : done;
        }
    }
    return done;
}

/* Data of one page. Where there is no memory, reads are all ones and writes lost; so are writes to read-only memory. */
static void move_bytes(struct hv_machine *m, uint64_t hpa, void *data, size_t bytes, bool write)
{
    void *memory = physmem_pointer(&m->memory, (hv_hpa){hpa}, bytes);
    if (data == NULL || bytes == 0) {
        return;
    }
    if (write && memory != NULL && !(m->io != NULL && iommu_is_read_only(&m->io->iommu, hpa, bytes))) {
        memcpy(memory, data, bytes);
    } else if (!write && memory != NULL) {
        memcpy(data, memory, bytes);
    } else if (!write) {
        memset(data, 0xff, bytes);
    }
}

static enum iommu_access access_of(const struct hv_dma *d)
{
    return d->write ? IOMMU_WRITE : d->has_pasid && d->execute ? IOMMU_EXECUTE : IOMMU_READ;
}

/* Without an IOMMU addresses are host-physical, and nobody translates them for a device. */
static struct iommu_reply translate(struct hv_machine *m, const struct hv_dma *d, uint64_t address, size_t bytes,
                                    hv_cycles now)
{
    if (m->io == NULL) {
        return (struct iommu_reply){.ok = d->type == HV_DMA_UNTRANSLATED, .address = address, .done = now};
    }
    const struct iommu_request r = {
        .source = d->source, .has_pasid = d->has_pasid, .privileged = d->has_pasid && d->privileged,
        .pasid = d->pasid & 0xfffff, .address = address, .bytes = (uint32_t)bytes,
        .access = access_of(d), .type = (enum iommu_address_type)d->type,
        .no_write = d->type == HV_DMA_TRANSLATION_REQUEST && !d->write,
    };
    return iommu_translate(&m->io->iommu, &r, now);
}

/* One page of it; false: that was the last. */
static bool move_page(struct hv_machine *m, const struct hv_dma *d, struct hv_dma_reply *reply)
{
    bool asks = d->type == HV_DMA_TRANSLATION_REQUEST;
    uint64_t address = d->address + reply->moved;
    size_t room = HV_PAGE_BYTES - address % HV_PAGE_BYTES, left = asks ? 0 : d->bytes - reply->moved;
    size_t bytes = left < room ? left : room;
    struct iommu_reply r = translate(m, d, address, asks ? TRANSLATION_BYTES : bytes, reply->done);
    reply->ok = r.ok;
    reply->fault = r.fault;
    reply->done = r.done;
    reply->may_read = r.read;
    reply->may_write = r.write;
    reply->may_execute = r.execute;
    reply->size_log2 = r.size_shift;
    if (!r.ok || asks) {
        reply->hpa = asks && r.ok ? r.address : reply->hpa;
        return false;
    }
    reply->hpa = r.address;
    move_bytes(m, r.address, d->data != NULL ? (char *)d->data + reply->moved : NULL, bytes, d->write);
    reply->done = move_lines(m, r.address, bytes, d->write, r.done);
    reply->moved += bytes;
    return reply->moved < d->bytes;
}

struct hv_dma_reply hv_dma(struct hv_cpu *c, const struct hv_dma *dma)
{
    struct hv_dma_reply reply = {.done = c->p.now};
    if ((unsigned)dma->type > HV_DMA_TRANSLATED) {
        return reply;
    }
    while (move_page(hv_machine_of(c), dma, &reply)) {
    }
    return reply;
}

/* ---- Page requests ---------------------------------------------------------------------------------------------- */

void hv_page_request(struct hv_cpu *c, const struct hv_page_request *request)
{
    struct hv_machine *m = hv_machine_of(c);
    if (m->io == NULL) {
        return;
    }
    const struct iommu_page_request r = {
        .source = request->source, .has_pasid = request->has_pasid, .read = request->read, .write = request->write,
        .privileged = request->has_pasid && request->privileged, .execute = request->has_pasid && request->execute,
        .last = request->last,
        .pasid = request->pasid & 0xfffff, .address = request->address, .group = request->group & 0x1ff,
    };
    iommu_page_request(&m->io->iommu, &r, c->p.now);
}

bool hv_page_response(struct hv_machine *m, struct hv_page_response *response)
{
    struct hv_iommu *io = m->io;
    if (io == NULL || io->response_count == 0) {
        return false;
    }
    const struct iommu_page_response *r = &io->responses[io->first_response];
    *response = (struct hv_page_response){r->source, r->has_pasid, r->pasid, r->group, r->code};
    io->first_response = (io->first_response + 1) % HV_IOMMU_RESPONSES;
    io->response_count--;
    return true;
}
