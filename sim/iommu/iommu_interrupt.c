/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping and posting: VT-d chapter 5. The checks are in the order of "Interrupt Remapping Fault
 * Conditions" (5.1.4.1).
 */
#include "iommu/iommu_faults.h"
#include "iommu/iommu_register_parts.h"

enum { FUNCTION_BITS = 7, INDEX_IN_RECORD_SHIFT = 48 };

struct request {
    uint16_t source;
    uint64_t address;
    uint32_t data, index;
};

/*
 * The compatibility format: SDM Vol. 3A "Message Address Register Format" (11.11; 10.11 in editions before 2022). A
 * destination of 8 bits, modes as an I/O APIC or the device programmed them.
 */
static void decode_compatible(const struct request *q, struct iommu_interrupt *out)
{
    out->ok = true;
    out->vector = (uint8_t)q->data;
    out->delivery_mode = q->data >> 8 & 7;
    out->trigger = q->data >> 15 & 1;
    out->destination = q->address >> 12 & 0xff;
    out->redirection_hint = q->address >> 3 & 1;
    out->destination_mode = q->address >> 2 & 1;
}

/* Bits 31:16 of the data are reserved when there is a subhandle, and ignored otherwise (5.1.2.2). */
static uint8_t decode_index(const struct iommu *u, struct request *q)
{
    uint32_t handle = (q->address >> IOMMU_REQUEST_HANDLE_SHIFT & 0x7fff) |
                      ((q->address & IOMMU_REQUEST_HANDLE_15) != 0 ? 0x8000 : 0);
    if ((q->address & IOMMU_REQUEST_SHV) != 0) {
        if (q->data >> 16 != 0) {
            return IOMMU_FAULT_INTERRUPT_RESERVED;
        }
        handle += q->data;
    }
    q->index = handle;
    return handle < u->regs.interrupt_entries ? IOMMU_FAULT_NONE : IOMMU_FAULT_INTERRUPT_INDEX;
}

static uint64_t entry_address(const struct iommu *u, uint32_t index)
{
    return u->regs.interrupt_table + (uint64_t)index * IOMMU_IRTE_BYTES;
}

static struct iommu_irte entry_in_memory(const struct iommu *u, uint32_t index)
{
    uint64_t address = entry_address(u, index);
    return (struct iommu_irte){.low = physmem_read64(u->memory, (hv_hpa){address}),
                               .high = physmem_read64(u->memory, (hv_hpa){address + 8})};
}

/* Fields that must be zero; reserved values of DLM pass, to be refused by the interrupt controller they reach. */
static bool has_reserved(const struct iommu *u, const struct iommu_irte *e)
{
    if ((e->low & IOMMU_IRTE_IM) != 0) {
        return !iommu_posts(&u->params) || (e->low & IOMMU_IRTE_POSTED_RESERVED) != 0 ||
               (e->high & IOMMU_IRTE_POSTED_RESERVED_HIGH) != 0;
    }
    uint64_t reserved = IOMMU_IRTE_REMAPPED_RESERVED |
                        (u->regs.extended_interrupts ? 0 : IOMMU_IRTE_REMAPPED_RESERVED_XAPIC);
    return (e->low & reserved) != 0 || (e->high & IOMMU_IRTE_REMAPPED_RESERVED_HIGH) != 0;
}

/* SVT says whether SID is a requester, with SQ, or a first and last bus; its reserved value lets nobody pass. */
static bool is_source_valid(const struct iommu_irte *e, uint16_t source)
{
    static const uint16_t ignored[] = {
        [IOMMU_SQ_ALL] = 0, [IOMMU_SQ_NOT_BIT_2] = 4, [IOMMU_SQ_NOT_BITS_2_1] = 6,
        [IOMMU_SQ_NOT_BITS_2_0] = FUNCTION_BITS,
    };
    uint16_t sid = (uint16_t)e->high;
    switch (e->high >> IOMMU_IRTE_SVT_SHIFT & 3) {
    case IOMMU_SVT_SOURCE: return ((sid ^ source) & ~ignored[e->high >> IOMMU_IRTE_SQ_SHIFT & 3]) == 0;
    case IOMMU_SVT_BUSES: return source >> 8 >= sid >> 8 && source >> 8 <= (sid & 0xff);
    case IOMMU_SVT_NONE: return true;
    default: return false;
    }
}

/* What a read entry that is present must be, whoever asks. */
static uint8_t check_entry(const struct iommu *u, const struct iommu_irte *e)
{
    if ((e->low & IOMMU_IRTE_P) == 0) {
        return IOMMU_FAULT_INTERRUPT_ABSENT;
    }
    return has_reserved(u, e) ? IOMMU_FAULT_INTERRUPT_ENTRY_RESERVED : IOMMU_FAULT_NONE;
}

/* The entry of an index, cached or from memory. Only entries without fault are kept, with CAP.CM all. */
static uint8_t find_entry(struct iommu *u, uint32_t index, struct iommu_irte *e, hv_cycles *now)
{
    const struct iommu_irte *cached = iommu_interrupt_cache_find(&u->interrupt_cache, index);
    if (cached != NULL) {
        *e = *cached;
        if (u->stale != NULL) {
            struct iommu_irte memory = entry_in_memory(u, index);
            iommu_stale_interrupt(u, index, e, &memory, *now);
        }
        return check_entry(u, e);
    }
    if (!iommu_in_memory(u, entry_address(u, index), IOMMU_IRTE_BYTES)) {
        return IOMMU_FAULT_INTERRUPT_ENTRY_READ;
    }
    iommu_read_table(u, entry_address(u, index), now);
    *e = entry_in_memory(u, index);
    uint8_t fault = check_entry(u, e);
    if (fault == IOMMU_FAULT_NONE || u->params.caching_mode) {
        iommu_interrupt_cache_fill(&u->interrupt_cache, index, e);
    }
    return fault;
}

static void remap(struct iommu *u, const struct iommu_irte *e, struct iommu_interrupt *out)
{
    uint32_t destination = (uint32_t)(e->low >> IOMMU_IRTE_DST_SHIFT);
    out->ok = true;
    out->vector = (uint8_t)(e->low >> IOMMU_IRTE_VECTOR_SHIFT);
    out->delivery_mode = e->low >> IOMMU_IRTE_DLM_SHIFT & 7;
    out->trigger = (e->low & IOMMU_IRTE_TM) != 0;
    out->redirection_hint = (e->low & IOMMU_IRTE_RH) != 0;
    out->destination_mode = (e->low & IOMMU_IRTE_DM) != 0;
    out->destination = u->regs.extended_interrupts ? destination : destination >> 8 & 0xff;
    u->stats.interrupts_remapped++;
}

static uint64_t descriptor_word(const struct iommu *u, uint64_t descriptor, unsigned offset)
{
    return physmem_read64(u->memory, (hv_hpa){descriptor + offset});
}

static bool is_descriptor_legal(const struct iommu *u, uint64_t descriptor)
{
    uint64_t reserved = descriptor_word(u, descriptor, IOMMU_POSTED_CONTROL) & IOMMU_POSTED_CONTROL_RESERVED;
    for (unsigned offset = IOMMU_POSTED_CONTROL + 8; offset < IOMMU_POSTED_BYTES; offset += 8) {
        reserved |= descriptor_word(u, descriptor, offset);
    }
    return reserved == 0;
}

/*
 * "Interrupt Posting" (5.2): the vector goes into the descriptor, and a notification to where it says unless one is
 * outstanding, or suppressed and this is not urgent. The descriptor's line is read and written.
 */
static uint8_t post(struct iommu *u, const struct iommu_irte *e, struct iommu_interrupt *out)
{
    uint64_t descriptor = iommu_irte_descriptor(e);
    if (!iommu_may_write(u, descriptor, IOMMU_POSTED_BYTES) || u->wires.post == NULL) {
        return IOMMU_FAULT_INTERRUPT_DESCRIPTOR_READ;
    }
    iommu_read_table(u, descriptor, &out->done);
    if (!is_descriptor_legal(u, descriptor)) {
        return IOMMU_FAULT_INTERRUPT_DESCRIPTOR_RESERVED;
    }
    uint32_t ndst = 0;
    uint8_t vector = (uint8_t)(e->low >> IOMMU_IRTE_VECTOR_SHIFT), notification = 0;
    out->ok = out->posted = true;
    bool urgent = (e->low & IOMMU_IRTE_URG) != 0;
    out->notify = u->wires.post(u->wires.ctx, descriptor, vector, urgent, &notification, &ndst);
    if (out->notify) {
        out->vector = notification;
        out->destination = u->regs.extended_interrupts ? ndst : ndst >> 8 & 0xff;
    }
    iommu_write_line(u, descriptor, out->done);
    u->stats.interrupts_posted++;
    return IOMMU_FAULT_NONE;
}

static uint8_t remap_or_post(struct iommu *u, struct request *q, struct iommu_irte *e, struct iommu_interrupt *out)
{
    uint8_t fault = decode_index(u, q);
    if (fault == IOMMU_FAULT_NONE) {
        fault = find_entry(u, q->index, e, &out->done);
    }
    if (fault != IOMMU_FAULT_NONE) {
        return fault;
    }
    if (!is_source_valid(e, q->source)) {
        return IOMMU_FAULT_INTERRUPT_SOURCE;
    }
    if ((e->low & IOMMU_IRTE_IM) != 0) {
        return post(u, e, out);
    }
    remap(u, e, out);
    return IOMMU_FAULT_NONE;
}

/* A fault's record has the index, unless the request has none. */
static void block(struct iommu *u, const struct request *q, const struct iommu_irte *e, struct iommu_interrupt *out)
{
    *out = (struct iommu_interrupt){.fault = out->fault, .done = out->done};
    u->stats.interrupts_blocked++;
    struct iommu_fault fault = {
        .source = q->source, .reason = out->fault, .access = IOMMU_WRITE,
        .disabled = (e->low & IOMMU_IRTE_FPD) != 0, .address = (uint64_t)q->index << INDEX_IN_RECORD_SHIFT,
    };
    iommu_record_fault(u, &fault, out->done);
}

/* Which way an interrupt takes while remapping is on, or why none. */
static uint8_t remapped(struct iommu *u, struct request *q, struct iommu_irte *e, struct iommu_interrupt *out)
{
    if (iommu_requires_x2apic(&u->params) && !u->regs.extended_interrupts) {
        return IOMMU_FAULT_INTERRUPT_EXTENDED;
    }
    if ((q->address & IOMMU_REQUEST_REMAPPABLE) != 0) {
        return remap_or_post(u, q, e, out);
    }
    if (!u->regs.compatibility_on || u->regs.extended_interrupts) {
        return IOMMU_FAULT_INTERRUPT_COMPATIBILITY;
    }
    decode_compatible(q, out);
    return IOMMU_FAULT_NONE;
}

struct iommu_interrupt iommu_interrupt(struct iommu *u, uint16_t source, uint64_t address, uint32_t data,
                                       hv_cycles now)
{
    struct request q = {.source = source, .address = address, .data = data};
    struct iommu_interrupt out = {.done = now};
    struct iommu_irte e = {0};
    u->stats.interrupts++;
    if (address >> IOMMU_REQUEST_PREFIX_SHIFT != IOMMU_REQUEST_PREFIX) {
        return out; /* no interrupt at all */
    }
    if (u->regs.remapping_on) {
        out.done += u->params.hit_cycles;
        out.fault = remapped(u, &q, &e, &out);
    } else if (iommu_requires_remapping(&u->params)) {
        out.fault = IOMMU_FAULT_INTERRUPT_REMAPPING_OFF;
    } else {
        decode_compatible(&q, &out);
    }
    if (out.fault != IOMMU_FAULT_NONE) {
        block(u, &q, &e, &out);
    }
    return out;
}

void iommu_invalidate_interrupts(struct iommu *u, bool all, uint32_t index, unsigned mask_log2)
{
    u->stats.invalidations_interrupt++;
    iommu_interrupt_cache_drop(&u->interrupt_cache, all, index, mask_log2);
}
