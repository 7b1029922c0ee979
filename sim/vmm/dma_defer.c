/* SPDX-License-Identifier: MIT */
/* Unmapped buffers that wait for their invalidation, and how long devices can reach them meanwhile. */
#include "vmm/dma_map.h"

static struct dma_map_stats *stats_of(const struct dma_map *m)
{
    return &m->domain->unit->stats;
}

static struct dma_range range_of(const struct dma_map *m, uint64_t iova, uint64_t pages)
{
    return (struct dma_range){
        .address = iova,
        .pages_log2 = dma_iova_size(pages) + hv_page_shift(m->page) - HV_PAGE_SHIFT,
        .leaves_only = true,
    };
}

hv_cycles dma_map_invalidate(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now)
{
    struct dma_range range = range_of(m, iova, pages);
    return dma_domain_invalidate(m->domain, &range, now);
}

hv_cycles dma_map_announce(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now)
{
    struct dma_range range = range_of(m, iova, pages);
    range.leaves_only = false;
    return dma_domain_invalidate(m->domain, &range, now);
}

static void give_iova(struct dma_map *m, uint64_t iova, uint64_t pages)
{
    dma_iova_give(&m->iova, iova, dma_iova_size(pages));
}

void dma_map_exposed(struct dma_map *m, uint64_t pages, hv_cycles since, hv_cycles now)
{
    struct dma_map_stats *stats = stats_of(m);
    hv_cycles cycles = now > since ? now - since : 0;
    hv_cycles from = since > m->accounted ? since : m->accounted;
    stats->exposed_kib_cycles += (pages << hv_page_shift(m->page) >> 10) * (now > from ? now - from : 0);
    if (cycles > stats->exposed_cycles_max) {
        stats->exposed_cycles_max = cycles;
    }
}

/* deferred: all that waits is invalidated at once, and its addresses may be used again. */
static hv_cycles flush_pending(struct dma_map *m, hv_cycles now)
{
    hv_cycles done = dma_domain_flush(m->domain, now);
    for (uint64_t i = 0; i < m->pending_count; i++) {
        const struct dma_pending *p = &m->pending[i];
        dma_map_exposed(m, p->pages, p->since, done);
        give_iova(m, p->iova, p->pages);
    }
    m->pending_count = 0;
    return done;
}

/* optimistic: nobody has come back for what is idle. */
static hv_cycles tear_down_idle(struct dma_map *m, hv_cycles now)
{
    for (const struct dma_kept_buffer *b = dma_kept_oldest(&m->kept); b != NULL; b = dma_kept_next(&m->kept, b)) {
        now += dma_map_clear(m, b->iova, b->pages);
    }
    hv_cycles done = dma_domain_flush(m->domain, now);
    for (struct dma_kept_buffer *b = dma_kept_oldest(&m->kept); b != NULL; b = dma_kept_oldest(&m->kept)) {
        dma_map_exposed(m, b->pages, b->idle_since, done);
        give_iova(m, b->iova, b->pages);
        dma_kept_remove(&m->kept, b);
    }
    return done;
}

hv_cycles dma_map_flush(struct dma_map *m, hv_cycles now)
{
    stats_of(m)->flushes++;
    return m->policy == DMA_DEFERRED ? flush_pending(m, now) : tear_down_idle(m, now);
}

uint64_t dma_map_waiting(const struct dma_map *m)
{
    return m->policy == DMA_DEFERRED ? m->pending_count : m->policy == DMA_OPTIMISTIC ? m->kept.idle : 0;
}

hv_cycles dma_map_next(const struct dma_map *m)
{
    if (dma_map_waiting(m) == 0) {
        return UINT64_MAX;
    }
    hv_cycles first = m->policy == DMA_DEFERRED ? m->pending[0].since : dma_kept_oldest(&m->kept)->idle_since;
    return first + m->deferred_cycles;
}

hv_cycles dma_map_act(struct dma_map *m, hv_cycles now)
{
    if (dma_map_waiting(m) == 0 || now < dma_map_next(m)) {
        return now;
    }
    stats_of(m)->flushes_by_time++;
    return dma_map_flush(m, now);
}

void dma_map_account(struct dma_map *m, hv_cycles now)
{
    for (uint64_t i = 0; i < m->pending_count; i++) {
        dma_map_exposed(m, m->pending[i].pages, m->pending[i].since, now);
    }
    for (struct dma_kept_buffer *b = dma_kept_oldest(&m->kept); b != NULL; b = dma_kept_next(&m->kept, b)) {
        dma_map_exposed(m, b->pages, b->idle_since, now);
    }
    m->accounted = now;
}
