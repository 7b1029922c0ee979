/* SPDX-License-Identifier: MIT */
/*
 * The translation of one page: from the IOTLB, from a walk under way, or by a walk.
 */
#include "iommu/iommu_parts.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Waits for the walk that brings the translation, if it is under way. False: it makes a walk of its own. */
static bool wait_for_arrival(struct iommu_lookup *l, const struct iommu_arrival *arrival)
{
    hv_cycles now = l->reader.now;
    if (now >= arrival->there) {
        return true;
    }
    if (!l->u->params.merge_walks) {
        return false;
    }
    /* Asked for later than now: this request would have made the walk, and waits as long. */
    l->reader.now = now >= arrival->asked ? arrival->there : now + (arrival->there - arrival->asked);
    l->u->stats.walks_merged++;
    return true;
}

/* Looks in the IOTLB; `reason` is an error that is cached. */
static bool find_page(struct iommu_lookup *l, enum hv_access_kind kind, enum iommu_reason *reason)
{
    struct iommu_caches *c = &l->u->caches;
    const struct tlb_needs *needs = &l->mapping->needs[l->privileged][kind];
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        if (c->iotlb.live[size] == 0) {
            continue;
        }
        const uint64_t *payload = tlb_lookup(&c->iotlb, l->request->address, size, l->mapping->space);
        if (payload == NULL) {
            continue;
        }
        bool refused = (*payload & IOMMU_IOTLB_FAULT) != 0;
        if ((*payload & needs->mask) != needs->want && !refused) {
            continue;
        }
        if (UNLIKELY(l->reader.now < c->last_arrival) &&
            !wait_for_arrival(l, &c->arrivals[payload - c->iotlb.entries.payload])) {
            return false;
        }
        *reason = refused ? (enum iommu_reason)(*payload >> IOMMU_IOTLB_REASON_SHIFT & 255) : IOMMU_FAULT_NONE;
        l->payload = *payload;
        l->size = size;
        return true;
    }
    return false;
}

/* Fills the IOTLB with what a walk from `asked` to now has found. */
static void fill(struct iommu_lookup *l, uint64_t payload, unsigned size, hv_cycles asked)
{
    struct iommu_caches *c = &l->u->caches;
    if (!tlb_present(&c->iotlb)) {
        return;
    }
    uint64_t address = l->request->address;
    c->iotlb_stats.evictions +=
        tlb_insert(&c->iotlb, address, size, l->mapping->space, payload) == TLB_FILLED_EVICTING;
    uint64_t page = tlb_page_number(address, c->iotlb.shifts[size]);
    ptrdiff_t slot = assoc_find(&c->iotlb.entries, page, tlb_key(page, size, l->mapping->space), 0);
    c->arrivals[slot] = (struct iommu_arrival){asked, l->reader.now};
    c->last_arrival = l->reader.now > c->last_arrival ? l->reader.now : c->last_arrival;
}

static void count_walk(struct iommu *u, const struct iommu_walk *t, hv_cycles cycles)
{
    uint64_t refs = t->refs[HV_GUEST] + t->refs[HV_HOST];
    u->stats.walks++;
    u->stats.walk_refs += refs;
    u->stats.walk_refs_first += t->refs[HV_GUEST];
    u->stats.walk_refs_second += t->refs[HV_HOST];
    u->stats.walk_refs_max = refs > u->stats.walk_refs_max ? refs : u->stats.walk_refs_max;
    u->stats.walk_cycles += cycles;
}

/* Walks on a walker. */
static enum iommu_reason walk(struct iommu_lookup *l, enum hv_access_kind kind)
{
    struct iommu *u = l->u;
    uint32_t which;
    hv_cycles asked = l->reader.now, begin = walkers_begin(&u->walkers, asked, &which);
    struct iommu_walk t;
    t.reader = l->reader;
    t.reader.now = begin + u->params.walk_latency_cycles;
    t.reader.snooped = l->mapping->snooped;
    t.mapping = l->mapping;
    t.privileged = l->privileged;
    t.cacheless = false;
    bool ok = iommu_walk(&t, l->request->address, kind);
    l->reader.now = t.reader.now;
    u->stats.walk_queue_cycles += begin - asked;
    u->stats.walkers_busy_cycles += walkers_take(&u->walkers, which, begin, t.reader.now);
    count_walk(u, &t, t.reader.now - begin);
    if (ok) {
        l->payload = t.w.result;
        l->size = t.w.size;
        fill(l, l->payload, l->size, asked);
        return IOMMU_FAULT_NONE;
    }
    if (t.absent && u->params.caching_mode) {
        fill(l, IOMMU_IOTLB_FAULT | (uint64_t)t.fault << IOMMU_IOTLB_REASON_SHIFT, HV_PAGE_4K, asked);
    }
    return (enum iommu_reason)t.fault;
}

/*
 * Whether a page that cannot be read can be written: "Handling of Zero-Length Reads". MODEL: that is found without time
 * and flags; hardware knows it from the walk before.
 */
static bool may_be_written(struct iommu_lookup *l)
{
    struct iommu_walk t = {
        .reader = {.u = l->u, .now = l->reader.now, .untimed = true}, .mapping = l->mapping,
        .privileged = l->privileged, .cacheless = true,
    };
    bool ok = iommu_walk(&t, l->request->address, HV_STORE);
    l->payload = ok ? t.w.result : l->payload;
    l->size = ok ? t.w.size : l->size;
    return ok;
}

/* The translation for one kind of access: IOTLB or walk. */
enum iommu_reason iommu_lookup_page(struct iommu_lookup *l, enum hv_access_kind kind)
{
    struct iommu *u = l->u;
    enum iommu_reason reason = IOMMU_FAULT_NONE;
    if (find_page(l, kind, &reason)) {
        u->caches.iotlb_stats.hits++;
        if (UNLIKELY(u->stale != NULL)) {
            iommu_stale_page(u, l->mapping, l->privileged, l->request->address, l->payload, l->size, l->reader.now);
        }
        /* What a legacy entry that is not present is called depends on the access, which may be another one now. */
        if (UNLIKELY(reason == IOMMU_FAULT_LGN_2 || reason == IOMMU_FAULT_LGN_3)) {
            return kind == HV_STORE ? IOMMU_FAULT_LGN_2 : IOMMU_FAULT_LGN_3;
        }
        return reason;
    }
    u->caches.iotlb_stats.misses++;
    reason = walk(l, kind);
    bool unreadable = reason == IOMMU_FAULT_LGN_3 || reason == IOMMU_FAULT_SGN_7;
    if (UNLIKELY(unreadable && iommu_is_zero_length_read(u, l->request)) && may_be_written(l)) {
        return IOMMU_FAULT_NONE;
    }
    return reason;
}
