/* SPDX-License-Identifier: MIT */
#include "vmm/irq_map.h"

#include <stdlib.h>
#include <string.h>

#include "apic/posted.h"
#include "iommu/iommu_irte.h"

enum { IRTA_EXTENDED = 1 << 11, XAPIC_SHIFT = 8 };

/* Of the word of a descriptor that holds ON, SN, NV and NDST. */
enum { NV_SHIFT = 16, NDST_SHIFT = 32 };

/* --- the table --------------------------------------------------------------------------------------------------- */

bool irq_map_init(struct irq_map *m, struct dma_unit *unit, unsigned entries_log2, bool extended, struct hv_err *err)
{
    HV_ASSERT(entries_log2 >= 1 && entries_log2 <= 16, "a table of 2^%u entries", entries_log2);
    *m = (struct irq_map){.unit = unit, .entries_log2 = entries_log2, .extended = extended};
    if (!unit->caps.interrupts || (extended && !unit->caps.extended_interrupts)) {
        return hv_fail(err, "interrupts cannot be remapped: %s is false; set it to true",
                       unit->caps.interrupts ? "iommu.x2apic" : "iommu.interrupt_remapping");
    }
    uint64_t bytes = (uint64_t)IOMMU_IRTE_BYTES << entries_log2;
    m->table = frames_take(unit->frames, bytes > HV_PAGE_BYTES ? HV_PAGE_2M : HV_PAGE_4K);
    void *entries = m->table != FRAMES_NONE ? physmem_pointer(unit->memory, (hv_hpa){m->table}, bytes) : NULL;
    if (entries == NULL) {
        return hv_fail(err, "there is no memory left for the interrupt-remapping table; raise machine.memory");
    }
    memset(entries, 0, bytes);
    m->used = calloc(((size_t)1 << entries_log2) / 64 + 1, sizeof(*m->used));
    HV_ASSERT(m->used != NULL, "out of memory");
    return true;
}

void irq_map_fini(struct irq_map *m)
{
    free(m->used);
    memset(m, 0, sizeof(*m));
}

hv_cycles irq_map_start(struct irq_map *m, hv_cycles now)
{
    struct dma_unit *u = m->unit;
    uint64_t value = m->table | (m->extended ? IRTA_EXTENDED : 0) | (m->entries_log2 - 1);
    iommu_write(u->iommu, IOMMU_IRTA, 8, value, now);
    dma_unit_command(u, IOMMU_GSTS_IRTPS, now);
    struct dma_command all = dma_command_interrupt_all();
    dma_queue_add(u, &all);
    now = dma_queue_wait(u, now);
    dma_unit_command(u, IOMMU_GSTS_IRES, now);
    return now;
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

static hv_hpa word_of(const struct irq_map *m, uint32_t index, unsigned word)
{
    return (hv_hpa){m->table + (uint64_t)index * IOMMU_IRTE_BYTES + 8 * word};
}

/* An entry and a descriptor name a processor alike: its x2APIC id, or its APIC id in bits 15:8. */
static uint32_t destination_field(const struct irq_map *m, uint32_t destination)
{
    return m->extended ? destination : (destination & 255) << XAPIC_SHIFT;
}

/*
 * Delivery mode, trigger and destination mode stay 0: fixed, edge, physical. The whole requester id is compared.
 * Software writes both words at once (CMPXCHG16B), so the hardware never sees half an entry.
 */
static hv_cycles write_entry(struct irq_map *m, uint32_t index, const struct irq_route *r, hv_cycles now)
{
    struct iommu_irte e = {
        .low = IOMMU_IRTE_P | (uint64_t)r->vector << IOMMU_IRTE_VECTOR_SHIFT,
        .high = r->source | (uint64_t)IOMMU_SVT_SOURCE << IOMMU_IRTE_SVT_SHIFT,
    };
    if (r->posted) {
        struct iommu_irte address = iommu_irte_of_descriptor(r->descriptor);
        e.low |= IOMMU_IRTE_IM | (r->urgent ? IOMMU_IRTE_URG : 0) | address.low;
        e.high |= address.high;
    } else {
        e.low |= (uint64_t)destination_field(m, r->destination) << IOMMU_IRTE_DST_SHIFT;
    }
    physmem_write64(m->unit->memory, word_of(m, index, 1), e.high);
    physmem_write64(m->unit->memory, word_of(m, index, 0), e.low);
    m->unit->stats.interrupt_entries++;
    return now + m->unit->cost.interrupt_entry_cycles;
}

static hv_cycles invalidate(struct irq_map *m, uint32_t index, hv_cycles now)
{
    struct dma_command command = dma_command_interrupt(index);
    dma_queue_add(m->unit, &command);
    return dma_queue_wait(m->unit, now);
}

static bool take_index(struct irq_map *m, uint32_t *index)
{
    for (*index = 0; *index >> m->entries_log2 == 0; ++*index) {
        uint64_t bit = UINT64_C(1) << (*index % 64);
        if ((m->used[*index / 64] & bit) == 0) {
            m->used[*index / 64] |= bit;
            return true;
        }
    }
    return false;
}

static bool in_use(const struct irq_map *m, uint32_t index)
{
    return index >> m->entries_log2 == 0 && (m->used[index / 64] >> (index % 64) & 1) != 0;
}

struct irq_message irq_map_add(struct irq_map *m, const struct irq_route *route, hv_cycles now)
{
    uint32_t index;
    if (!take_index(m, &index)) {
        return (struct irq_message){.ok = false, .done = now};
    }
    now = write_entry(m, index, route, now);
    if (m->unit->caps.caching_mode) {
        now = invalidate(m, index, now);
    }
    return (struct irq_message){
        .ok = true,
        .index = index,
        .address = iommu_request_address(index, false),
        .done = now,
    };
}

hv_cycles irq_map_change(struct irq_map *m, uint32_t index, const struct irq_route *route, hv_cycles now)
{
    HV_ASSERT(in_use(m, index), "interrupt entry %u is free", (unsigned)index);
    return invalidate(m, index, write_entry(m, index, route, now));
}

hv_cycles irq_map_remove(struct irq_map *m, uint32_t index, hv_cycles now)
{
    HV_ASSERT(in_use(m, index), "interrupt entry %u is free", (unsigned)index);
    physmem_write64(m->unit->memory, word_of(m, index, 0), 0);
    physmem_write64(m->unit->memory, word_of(m, index, 1), 0);
    m->used[index / 64] &= ~(UINT64_C(1) << (index % 64));
    return invalidate(m, index, now + m->unit->cost.interrupt_entry_cycles);
}

hv_cycles irq_map_move(struct irq_map *m, uint32_t index, uint32_t destination, hv_cycles now)
{
    HV_ASSERT(in_use(m, index), "interrupt entry %u is free", (unsigned)index);
    uint64_t low = physmem_read64(m->unit->memory, word_of(m, index, 0));
    HV_ASSERT((low & IOMMU_IRTE_IM) == 0, "posted interrupt %u moves by its descriptor", (unsigned)index);
    low = (uint32_t)low | (uint64_t)destination_field(m, destination) << IOMMU_IRTE_DST_SHIFT;
    physmem_write64(m->unit->memory, word_of(m, index, 0), low);
    m->unit->stats.interrupt_entries++;
    m->unit->stats.interrupt_moves++;
    return invalidate(m, index, now + m->unit->cost.interrupt_entry_cycles);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

void irq_descriptor_init(struct irq_map *m, uint64_t descriptor, uint8_t notification_vector, uint32_t destination)
{
    for (uint64_t offset = 0; offset < POSTED_BYTES; offset += 8) {
        physmem_write64(m->unit->memory, (hv_hpa){descriptor + offset}, 0);
    }
    uint64_t control = (uint64_t)notification_vector << NV_SHIFT |
                       (uint64_t)destination_field(m, destination) << NDST_SHIFT;
    physmem_write64(m->unit->memory, (hv_hpa){descriptor + IOMMU_POSTED_CONTROL}, control);
}

static hv_cycles change_control(struct irq_map *m, uint64_t descriptor, uint64_t clear, uint64_t set, hv_cycles now)
{
    hv_hpa control = {descriptor + IOMMU_POSTED_CONTROL};
    physmem_write64(m->unit->memory, control, (physmem_read64(m->unit->memory, control) & ~clear) | set);
    return now + m->unit->cost.interrupt_entry_cycles;
}

hv_cycles irq_descriptor_move(struct irq_map *m, uint64_t descriptor, uint32_t destination, hv_cycles now)
{
    uint64_t field = (uint64_t)destination_field(m, destination) << NDST_SHIFT;
    m->unit->stats.interrupt_moves++;
    return change_control(m, descriptor, UINT64_C(0xffffffff) << NDST_SHIFT, field, now);
}

hv_cycles irq_descriptor_suppress(struct irq_map *m, uint64_t descriptor, bool suppress, hv_cycles now)
{
    return change_control(m, descriptor, POSTED_SN, suppress ? POSTED_SN : 0, now);
}
