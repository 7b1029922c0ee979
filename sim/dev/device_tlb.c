/* SPDX-License-Identifier: MIT */
#include "dev/device_tlb.h"

#include <stdlib.h>
#include <string.h>

bool device_tlb_init(struct device_tlb *t, const struct dev_params *params, struct hv_err *err)
{
    *t = (struct device_tlb){.pri = params->pri};
    if (!params->ats) {
        return true;
    }
    t->count = (uint32_t)params->ats_entries;
    t->entries = calloc(t->count, sizeof(*t->entries));
    return t->entries != NULL || hv_fail(err, "no memory for a device TLB of %u entries; lower io.ats_entries",
                                         t->count);
}

void device_tlb_fini(struct device_tlb *t)
{
    free(t->entries);
    *t = (struct device_tlb){0};
}

void device_tlb_reset(struct device_tlb *t)
{
    if (t->count != 0) {
        memset(t->entries, 0, t->count * sizeof(*t->entries));
    }
    memset(t->pages, 0, sizeof(t->pages));
    t->latest = 0;
    t->clock = 0;
}

/* Whether an entry is of the same function and address space as a DMA. */
static bool same_space(const struct device_tlb_entry *e, const struct dev_dma *d)
{
    return e->used != 0 && e->source == d->source && e->has_pasid == d->has_pasid &&
           (!d->has_pasid || e->pasid == d->pasid);
}

static bool grants(const struct device_tlb_entry *e, const struct dev_dma *d)
{
    return same_space(e, d) && e->page == d->address >> e->shift && (d->write ? e->write : e->read);
}

const struct device_tlb_entry *device_tlb_find(struct device_tlb *t, const struct dev_dma *d)
{
    uint32_t at = t->latest;
    for (uint32_t tried = 0; tried <= t->count; tried++) {
        if (grants(&t->entries[at], d)) {
            t->latest = at;
            t->entries[at].used = ++t->clock;
            return &t->entries[at];
        }
        at = tried; /* after the latest one, all from the first on */
    }
    return NULL;
}

/* The place for a translation: that of an older one of the same page, or of the least recently used. */
static struct device_tlb_entry *place_for(struct device_tlb *t, const struct dev_dma *d, uint32_t shift)
{
    struct device_tlb_entry *oldest = &t->entries[0];
    for (uint32_t i = 0; i < t->count; i++) {
        struct device_tlb_entry *e = &t->entries[i];
        if (same_space(e, d) && e->shift == shift && e->page == d->address >> shift) {
            return e;
        }
        oldest = e->used < oldest->used ? e : oldest;
    }
    return oldest;
}

static bool same_page(const struct dev_page_request *r, const struct dev_dma *d)
{
    return r->source == d->source && r->has_pasid == d->has_pasid && (!d->has_pasid || r->pasid == d->pasid) &&
           r->address == (d->address & ~(HV_PAGE_BYTES - 1)) && (r->write || !d->write);
}

/* The page request that was sent for a DMA. */
static struct device_tlb_page *page_of(struct device_tlb *t, const struct dev_dma *d)
{
    for (unsigned i = 0; i < DEVICE_TLB_PAGE_REQUESTS; i++) {
        if (t->pages[i].taken && same_page(&t->pages[i].request, d)) {
            return &t->pages[i];
        }
    }
    return NULL;
}

bool device_tlb_fill(struct device_tlb *t, const struct dev_dma *d, const struct dev_translation *answer)
{
    uint32_t shift = answer->size_shift < HV_PAGE_SHIFT ? HV_PAGE_SHIFT : answer->size_shift > 63 ? 63
                                                                                                  : answer->size_shift;
    struct device_tlb_entry *e = place_for(t, d, shift);
    bool replaced = e->used != 0 && !(same_space(e, d) && e->shift == shift && e->page == d->address >> shift);
    *e = (struct device_tlb_entry){
        .page = d->address >> shift,
        .host = answer->address & ~((UINT64_C(1) << shift) - 1),
        .used = ++t->clock,
        .pasid = d->pasid,
        .source = d->source,
        .shift = (uint8_t)shift,
        .has_pasid = d->has_pasid,
        .read = answer->read,
        .write = answer->write,
    };
    t->latest = (uint32_t)(e - t->entries);
    struct device_tlb_page *page = t->pri ? page_of(t, d) : NULL;
    if (page != NULL && page->answered && (d->write ? e->write : e->read)) {
        page->taken = false; /* the request has served its purpose */
    }
    return replaced;
}

static bool is_named(const struct device_tlb_entry *e, const struct dev_invalidation *what)
{
    if (e->used == 0 || e->source != what->source || e->has_pasid != what->has_pasid ||
        (what->has_pasid && !what->global && e->pasid != what->pasid)) {
        return false;
    }
    uint32_t shift = e->shift > what->size_shift ? e->shift : what->size_shift;
    return shift >= 64 || e->page >> (shift - e->shift) == what->address >> shift;
}

uint64_t device_tlb_invalidate(struct device_tlb *t, const struct dev_invalidation *what)
{
    uint64_t removed = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (is_named(&t->entries[i], what)) {
            t->entries[i].used = 0;
            removed++;
        }
    }
    return removed;
}

/* A place for another page request. Responses whose DMA never came back, after a reset of its queue, give way. */
static struct device_tlb_page *free_page(struct device_tlb *t)
{
    struct device_tlb_page *unclaimed = NULL;
    for (unsigned i = 0; i < DEVICE_TLB_PAGE_REQUESTS; i++) {
        if (!t->pages[i].taken) {
            return &t->pages[i];
        }
        unclaimed = t->pages[i].answered && unclaimed == NULL ? &t->pages[i] : unclaimed;
    }
    return unclaimed;
}

enum device_tlb_verdict device_tlb_refused(struct device_tlb *t, const struct dev_dma *d,
                                           struct dev_page_request *request)
{
    if (!t->pri) {
        return DEVICE_TLB_BLOCKED;
    }
    struct device_tlb_page *page = page_of(t, d);
    if (page != NULL && page->answered) {
        page->taken = false;
        return DEVICE_TLB_BLOCKED;
    }
    if (page != NULL) {
        return DEVICE_TLB_WAIT;
    }
    page = free_page(t);
    if (page == NULL) {
        return DEVICE_TLB_WAIT; /* any response makes the device try again */
    }
    *page = (struct device_tlb_page){
        .taken = true,
        .request = {.source = d->source,
                    .has_pasid = d->has_pasid,
                    .read = !d->write,
                    .write = d->write,
                    .last = true,
                    .pasid = d->pasid,
                    .address = d->address & ~(HV_PAGE_BYTES - 1),
                    .group = (uint16_t)(page - t->pages)},
    };
    *request = page->request;
    return DEVICE_TLB_SEND;
}

bool device_tlb_response(struct device_tlb *t, const struct dev_page_response *r)
{
    if (r->group >= DEVICE_TLB_PAGE_REQUESTS) {
        return false;
    }
    struct device_tlb_page *page = &t->pages[r->group];
    if (!page->taken || page->answered || page->request.source != r->source) {
        return false;
    }
    page->answered = true;
    page->code = r->code;
    return true;
}
