/* SPDX-License-Identifier: MIT */
/*
 * One request: what its source is allowed (context and PASID cache), then the IOTLB, then a walk.
 *
 * MODEL: pass-through is granted to a translation request (ATS) for 4 KiB at a time. MODEL: a request to the
 * interrupt address range that is no interrupt is recorded (29H) while translation or interrupt remapping is on.
 */
#include "iommu/iommu_register_parts.h"
#include "iommu/iommu_tables.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static struct iommu_reply finish(struct iommu *u, struct iommu_reply reply, hv_cycles asked)
{
    hv_cycles cycles = reply.done - asked;
    u->stats.blocked += !reply.ok;
    u->stats.translation_cycles += cycles;
    histogram_add(&u->translation_cycles, cycles);
    return reply;
}

/* A fault: recorded, unless it is one that a translation request is answered without rights for. */
static struct iommu_reply refuse(const struct iommu_lookup *l, enum iommu_reason reason)
{
    const struct iommu_request *r = l->request;
    const struct iommu_fault_row *row = iommu_fault_find(reason);
    hv_cycles done = l->reader.now + l->u->params.hit_cycles;
    const struct iommu_reply empty = {.ok = true, .address = r->address, .size_shift = HV_PAGE_SHIFT, .done = done};
    if (r->type == IOMMU_TRANSLATION_REQUEST && row->answer == IOMMU_ATS_EMPTY) {
        return empty;
    }
    struct iommu_fault fault = {
        .source = r->source,
        .reason = (uint8_t)reason,
        .access = (uint8_t)r->access,
        .type = (uint8_t)r->type,
        .has_pasid = r->has_pasid,
        .privileged = r->privileged,
        .disabled = l->disabled,
        .pasid = r->pasid,
        .address = r->address,
    };
    iommu_record_fault(l->u, &fault, done);
    if (r->type == IOMMU_TRANSLATION_REQUEST && row->answer == IOMMU_ATS_EMPTY_RECORDED) {
        return empty;
    }
    return (struct iommu_reply){.fault = (uint8_t)reason, .done = done};
}

/* Whether the mode of the root-table address register lets the request in at all. */
enum iommu_reason iommu_mode_reason(const struct iommu *u, bool has_pasid)
{
    switch ((enum iommu_table_mode)u->regs.table_mode) {
    case IOMMU_LEGACY:
        return has_pasid ? IOMMU_FAULT_RTA_2 : IOMMU_FAULT_NONE;
    case IOMMU_SCALABLE:
        return u->params.scalable ? IOMMU_FAULT_NONE : IOMMU_FAULT_RTA_1;
    case IOMMU_ABORT_DMA:
        return IOMMU_FAULT_RTA_4;
    case IOMMU_TABLE_RESERVED:
        break;
    }
    return IOMMU_FAULT_RTA_1;
}

/* Which PASID a request of scalable mode has, or why none. */
enum iommu_reason iommu_choose_pasid(const struct iommu_context *c, bool has_pasid, uint32_t *pasid)
{
    if (has_pasid && !c->pasids) {
        return IOMMU_FAULT_SCT_6;
    }
    if (!has_pasid) {
        *pasid = c->rid_pasid;
        return IOMMU_FAULT_NONE;
    }
    if (*pasid >= c->directory_pasids) {
        return IOMMU_FAULT_SCT_7;
    }
    return *pasid == c->rid_pasid ? IOMMU_FAULT_SCT_9 : IOMMU_FAULT_NONE;
}

/*
 * Reads of root, context and PASID tables take a walker. MODEL: their references are made when the request arrives;
 * when no walker is free by then, the wait is added behind them.
 */
void iommu_account_structures(struct iommu_lookup *l, hv_cycles asked)
{
    struct iommu *u = l->u;
    if (__builtin_expect(l->reader.refs == 0, 1)) {
        return;
    }
    u->stats.structure_refs += l->reader.refs;
    uint32_t which;
    hv_cycles cycles = l->reader.now - asked + u->params.context_cycles;
    hv_cycles begin = walkers_begin(&u->walkers, asked, &which);
    u->stats.walkers_busy_cycles += walkers_take(&u->walkers, which, begin, begin + cycles);
    u->stats.walk_queue_cycles += begin - asked;
    u->stats.structure_cycles += cycles;
    l->reader.now = begin + cycles;
}

static enum iommu_reason find_scalable(struct iommu_lookup *l, const struct iommu_context *c)
{
    const struct iommu_request *r = l->request;
    uint32_t pasid = r->pasid;
    if (UNLIKELY(r->has_pasid && pasid >> l->u->params.pasid_bits != 0)) {
        return IOMMU_FAULT_SGN_10;
    }
    if (UNLIKELY(r->has_pasid && r->type == IOMMU_TRANSLATED && !c->translated_pasids)) {
        return IOMMU_FAULT_SCT_10;
    }
    enum iommu_reason reason = iommu_choose_pasid(c, r->has_pasid, &pasid);
    if (UNLIKELY(reason != IOMMU_FAULT_NONE) || (r->type == IOMMU_TRANSLATED && !c->host_permissions)) {
        return reason;
    }
    l->permissions = r->type == IOMMU_TRANSLATED;
    l->mapping = iommu_find_pasid(&l->reader, c, r->source, pasid);
    l->disabled |= l->mapping->disabled;
    if (UNLIKELY(l->mapping->fault != IOMMU_FAULT_NONE)) {
        return (enum iommu_reason)l->mapping->fault;
    }
    if (l->permissions) {
        return IOMMU_FAULT_NONE;
    }
    l->privileged = r->has_pasid ? r->privileged : c->rid_privileged;
    if (UNLIKELY(r->access == IOMMU_EXECUTE && !l->mapping->execute_requests)) {
        return IOMMU_FAULT_SPT_5;
    }
    return UNLIKELY(l->privileged && !l->mapping->supervisor_requests) ? IOMMU_FAULT_SPT_6 : IOMMU_FAULT_NONE;
}

/* How the request's addresses are translated: context entry, then PASID-table entry. */
static enum iommu_reason find_mapping(struct iommu_lookup *l)
{
    const struct iommu_request *r = l->request;
    enum iommu_reason reason = iommu_mode_reason(l->u, r->has_pasid);
    if (UNLIKELY(reason != IOMMU_FAULT_NONE)) {
        return reason;
    }
    if (UNLIKELY(r->access == IOMMU_EXECUTE && l->u->params.version >= IOMMU_VERSION_WITHOUT_EXECUTE)) {
        return IOMMU_FAULT_RTA_5;
    }
    const struct iommu_context *c = iommu_find_context(&l->reader, r->source);
    l->mapping = &c->mapping;
    l->disabled = c->mapping.disabled;
    if (UNLIKELY(c->mapping.fault != IOMMU_FAULT_NONE)) {
        return (enum iommu_reason)c->mapping.fault;
    }
    if (UNLIKELY(r->type != IOMMU_UNTRANSLATED && !c->device_tlb)) {
        return c->mapping.scalable ? IOMMU_FAULT_SCT_5 : IOMMU_FAULT_LCT_5;
    }
    return c->mapping.scalable ? find_scalable(l, c) : IOMMU_FAULT_NONE;
}

/* Whether the address is one that the mapping translates. */
static enum iommu_reason check_address(const struct iommu_lookup *l)
{
    const struct iommu_mapping *m = l->mapping;
    uint64_t address = l->request->address, beyond = iommu_beyond(l->u);
    switch ((enum iommu_stages)m->stages) {
    case IOMMU_PASS:
        beyond |= m->scalable ? 0 : UINT64_MAX << iommu_bits_of_levels(m->second_levels);
        return (address & beyond) == 0 ? IOMMU_FAULT_NONE : m->scalable ? IOMMU_FAULT_SGN_4 : IOMMU_FAULT_LGN_1;
    case IOMMU_SECOND:
        if (address >> iommu_bits_of_levels(m->second_levels) == 0) {
            return IOMMU_FAULT_NONE;
        }
        return m->scalable ? IOMMU_FAULT_SGN_5 : IOMMU_FAULT_LGN_1;
    case IOMMU_FIRST:
    case IOMMU_NESTED:
    case IOMMU_STAGES:
        break;
    }
    unsigned spare = 64 - iommu_bits_of_levels(m->first_levels);
    return (uint64_t)((int64_t)(address << spare) >> spare) == address ? IOMMU_FAULT_NONE : IOMMU_FAULT_SGN_1;
}

/* A translation's address, which may not be that of an interrupt. */
static struct iommu_reply answer(const struct iommu_lookup *l, uint64_t address, unsigned shift)
{
    if (UNLIKELY(iommu_in_interrupt_range(address))) {
        return refuse(l, l->mapping->scalable ? IOMMU_FAULT_SGN_8 : IOMMU_FAULT_LGN_4);
    }
    return (struct iommu_reply){
        .ok = true, .address = address, .size_shift = shift, .done = l->reader.now + l->u->params.hit_cycles,
    };
}

/* Pass-through, and addresses that a device TLB has translated: as they are, unless they are protected. */
static struct iommu_reply pass(const struct iommu_lookup *l)
{
    const struct iommu_request *r = l->request;
    if (UNLIKELY(iommu_protected(l->u, r->address, r->bytes))) {
        return (struct iommu_reply){.done = l->reader.now + l->u->params.hit_cycles};
    }
    l->u->stats.passed_through++;
    struct iommu_reply reply = answer(l, r->address, HV_PAGE_SHIFT);
    reply.read = reply.ok;
    reply.write = reply.ok && !r->no_write;
    reply.execute = reply.ok && r->access == IOMMU_EXECUTE;
    return reply;
}

static struct iommu_reply pass_translated(struct iommu_lookup *l)
{
    if ((l->request->address & iommu_beyond(l->u)) != 0) {
        return refuse(l, l->mapping->scalable ? IOMMU_FAULT_SGN_4 : IOMMU_FAULT_LGN_1);
    }
    enum iommu_reason reason = l->permissions ? iommu_check_host_permission(l) : IOMMU_FAULT_NONE;
    if (reason != IOMMU_FAULT_NONE) {
        return refuse(l, reason);
    }
    l->u->stats.translated_requests++;
    return pass(l);
}

static struct iommu_reply translate(struct iommu_lookup *l)
{
    static const enum hv_access_kind kinds[] = {
        [IOMMU_READ] = HV_LOAD, [IOMMU_WRITE] = HV_STORE, [IOMMU_EXECUTE] = HV_FETCH,
    };
    const struct iommu_request *r = l->request;
    hv_cycles asked = l->reader.now;
    enum iommu_reason reason = find_mapping(l);
    iommu_account_structures(l, asked);
    if (UNLIKELY(reason != IOMMU_FAULT_NONE)) {
        return refuse(l, reason);
    }
    if (UNLIKELY(r->type == IOMMU_TRANSLATED)) {
        return pass_translated(l);
    }
    reason = check_address(l);
    if (UNLIKELY(reason != IOMMU_FAULT_NONE)) {
        return refuse(l, reason);
    }
    if (l->mapping->stages == IOMMU_PASS) {
        return pass(l);
    }
    struct iommu_reply rights = {.ok = false};
    bool for_device = r->type == IOMMU_TRANSLATION_REQUEST;
    reason = UNLIKELY(for_device) ? iommu_lookup_for_device(l, &rights) : iommu_lookup_page(l, kinds[r->access]);
    if (UNLIKELY(reason != IOMMU_FAULT_NONE)) {
        return refuse(l, reason);
    }
    unsigned shift = hv_page_shift((enum hv_page_size)l->size);
    struct iommu_reply reply = answer(l, tlb_entry_address(l->payload, r->address, shift).v, shift);
    reply.read = rights.read && reply.ok;
    reply.write = rights.write && reply.ok;
    reply.execute = rights.execute && reply.ok;
    return reply;
}

/* Translation is off: addresses are taken as they are; a device TLB has nothing to ask for. */
static struct iommu_reply untranslated(struct iommu *u, const struct iommu_request *r, hv_cycles now)
{
    bool ok = r->type == IOMMU_UNTRANSLATED && !iommu_protected(u, r->address, r->bytes);
    u->stats.passed_through += ok;
    return (struct iommu_reply){.ok = ok, .address = r->address, .size_shift = HV_PAGE_SHIFT, .done = now};
}

/*
 * "Handling Requests to Interrupt Address Range": what is addressed there without PASID is no DMA, and if it is no
 * interrupt either, a fault. Reads of no bytes bypass the hardware.
 */
static struct iommu_reply at_interrupts(struct iommu *u, const struct iommu_request *r, hv_cycles now)
{
    if (r->access == IOMMU_READ && r->bytes == 0) {
        return (struct iommu_reply){.ok = true, .address = r->address, .size_shift = HV_PAGE_SHIFT, .done = now};
    }
    bool is_interrupt = r->access == IOMMU_WRITE && r->bytes == IOMMU_INTERRUPT_BYTES;
    if (is_interrupt || !(u->regs.translation_on || u->regs.remapping_on)) {
        return (struct iommu_reply){.done = now};
    }
    const struct iommu_fault fault = {.source = r->source, .reason = IOMMU_FAULT_INTERRUPT_FORMAT};
    iommu_record_fault(u, &fault, now);
    return (struct iommu_reply){.fault = IOMMU_FAULT_INTERRUPT_FORMAT, .done = now};
}

/* A PASID that the root complex lets through in no translated request: "Handling of ATS Protocol Errors". */
static bool is_protocol_error(const struct iommu *u, const struct iommu_request *r)
{
    return r->type == IOMMU_TRANSLATED && r->has_pasid && !iommu_has_translated_pasid(&u->params);
}

struct iommu_reply iommu_translate(struct iommu *u, const struct iommu_request *request, hv_cycles now)
{
    u->stats.requests++;
    u->stats.translation_requests += request->type == IOMMU_TRANSLATION_REQUEST;
    bool interrupt = iommu_in_interrupt_range(request->address) && !request->has_pasid &&
                     request->type == IOMMU_UNTRANSLATED;
    if (UNLIKELY(interrupt)) {
        return finish(u, at_interrupts(u, request, now), now);
    }
    if (UNLIKELY(is_protocol_error(u, request))) {
        return finish(u, (struct iommu_reply){.done = now}, now);
    }
    if (UNLIKELY(!u->regs.translation_on)) {
        return finish(u, untranslated(u, request, now), now);
    }
    struct iommu_lookup l;
    l.u = u;
    l.request = request;
    l.reader = (struct iommu_reader){.u = u, .now = now, .snooped = u->params.coherent};
    l.mapping = NULL;
    l.disabled = false;
    l.privileged = false;
    l.permissions = false;
    return finish(u, translate(&l), now);
}
