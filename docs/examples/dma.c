/* SPDX-License-Identifier: MIT */
/* A device behind an IOMMU, and three mistakes of the software that owns it: see docs/io.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "iommu/iommu_faults.h"
#include "vmm/dma_map.h"
#include "vmm/irq_map.h"

enum { CARD = 0x0300, STRANGER = 0x0400, BUFFER = 0x800000 };

struct host {
    struct physmem memory;
    struct frames frames;
    struct iommu iommu;
    struct iommu_params hardware;
    struct dma_unit unit;
    struct dma_domain domain;
    hv_cycles now;
};

/* What a device gets for an address, and what the newest fault record says. */
static void reach(struct host *h, const char *when, uint16_t source, uint64_t address)
{
    const struct iommu_request r = {.source = source, .address = address, .bytes = 64, .access = IOMMU_WRITE};
    struct iommu_reply reply = iommu_translate(&h->iommu, &r, h->now);
    if (reply.ok) {
        printf("%s: 0x%" PRIx64 "\n", when, reply.address);
    } else {
        printf("%s: blocked, reason %02xH: %s\n", when, reply.fault, iommu_fault_find(reply.fault)->words);
    }
}

static void interrupt(struct host *h, const char *when, uint16_t source, const struct irq_message *m)
{
    struct iommu_interrupt i = iommu_interrupt(&h->iommu, source, m->address, m->data, h->now);
    if (i.ok) {
        printf("%s: vector %02xH to processor %u\n", when, i.vector, (unsigned)i.destination);
    } else {
        printf("%s: blocked, reason %02xH: %s\n", when, i.fault, iommu_fault_find(i.fault)->words);
    }
}

/* Memory of 64 MiB, tables from 1 MiB on; the card in a domain of its own with second-stage tables. */
static bool start(struct host *h, struct hv_err *err)
{
    static const struct dma_cost_params free_of_charge;
    const struct iommu_wires none = {0};
    params_defaults(&iommu_schema, &h->hardware);
    h->frames = (struct frames){.next = HV_MIB(1), .end = HV_MIB(4)};
    const struct dma_unit_config config = {DMA_SECOND, &free_of_charge, &h->memory, &h->frames};
    const struct dma_domain_config domain = {.id = 1, .mode = DMA_SECOND, .first_levels = 4, .second_levels = 4};
    const struct dma_device card = {.source = CARD};
    if (!physmem_init(&h->memory, HV_MIB(64), err) ||
        !iommu_init(&h->iommu, &h->hardware, &h->memory, &none, err) ||
        !dma_unit_init(&h->unit, &config, &h->iommu, err) || !dma_domain_init(&h->domain, &h->unit, &domain, err)) {
        return false;
    }
    iommu_check_stale(&h->iommu, true);
    h->now = dma_unit_start(&h->unit, 0);
    return dma_attach(&h->domain, &card, h->now).ok;
}

static void translate(struct host *h)
{
    dma_domain_map(&h->domain, 0x10000, BUFFER, HV_PAGE_BYTES, HV_PAGE_4K);
    reach(h, "mapped", CARD, 0x10040);
    reach(h, "another device", STRANGER, 0x10040);
    *page_table_entry(&h->domain.second, 0x10000, 1) = 0;
    reach(h, "unmapped, not invalidated", CARD, 0x10040);
    h->now = dma_domain_flush(&h->domain, h->now);
    reach(h, "invalidated", CARD, 0x10040);
}

static bool send_interrupts(struct host *h, struct hv_err *err)
{
    struct irq_map map;
    if (!irq_map_init(&map, &h->unit, 4, false, err)) {
        return false;
    }
    irq_map_start(&map, h->now);
    const struct irq_route route = {.source = CARD, .vector = 0x51, .destination = 2};
    const struct irq_message m = irq_map_add(&map, &route, h->now);
    interrupt(h, "the card's interrupt", CARD, &m);
    interrupt(h, "forged by another device", STRANGER, &m);
    irq_map_fini(&map);
    return true;
}

int main(void)
{
    static struct host h;
    struct hv_err err = {""};
    if (!start(&h, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    translate(&h);
    bool sent = send_interrupts(&h, &err);
    iommu_stale_report(&h.iommu, stdout);
    dma_domain_fini(&h.domain);
    iommu_fini(&h.iommu);
    frames_fini(&h.frames);
    physmem_fini(&h.memory);
    return sent ? EXIT_SUCCESS : EXIT_FAILURE;
}
