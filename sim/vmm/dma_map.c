/* SPDX-License-Identifier: MIT */
#include "vmm/dma_map.h"

#include <stdlib.h>
#include <string.h>

/* Of an entry: both formats have readable (or present) and writable at the same place. */
enum { PERMISSIONS = 3 };

/* What is to be mapped. */
struct buffer {
    uint64_t frame, pages, permissions;
};

static struct dma_map_stats *stats_of(const struct dma_map *m)
{
    return &m->domain->unit->stats;
}

static const struct dma_cost_params *cost_of(const struct dma_map *m)
{
    return &m->domain->unit->cost;
}

/* --- beginning and end ------------------------------------------------------------------------------------------- */

static struct page_table *table_of(struct dma_domain *d)
{
    switch (d->mode) {
    case DMA_FIRST:
    case DMA_NESTED:
        return &d->first;
    case DMA_LEGACY:
    case DMA_SECOND:
        return &d->second;
    default:
        return NULL;
    }
}

static bool has_page_size(const struct dma_map *m, enum hv_page_size size)
{
    const struct dma_caps *caps = &m->domain->unit->caps;
    if (m->table == &m->domain->second) {
        return size == HV_PAGE_4K || (caps->second_sizes >> size & 1) != 0;
    }
    return size != HV_PAGE_1G || caps->first_1g;
}

/* Half of what tables of so many levels translate: the other half of a first stage begins far up. */
static uint64_t usual_end(const struct dma_map *m)
{
    return UINT64_C(1) << (radix_shift(m->table->levels + 1) - 1);
}

bool dma_map_init(struct dma_map *m, struct dma_domain *domain, const struct dma_map_config *config,
                  struct hv_err *err)
{
    const struct dma_map_params *p = config->params;
    *m = (struct dma_map){
        .domain = domain,
        .table = table_of(domain),
        .page = p->page_size,
        .policy = p->policy,
        .deferred_entries = p->deferred_entries,
        .deferred_cycles = p->deferred_us * config->clock_mhz,
    };
    dma_kept_init(&m->kept);
    if (m->table == NULL) {
        return true;
    }
    if (!has_page_size(m, m->page)) {
        return hv_fail(err, "iommu.page_size is %s, which the IOMMU's hardware lacks for this stage; choose 4k, or "
                       "give it back by iommu.large_pages or iommu.first_stage_1g", hv_page_size_names[m->page]);
    }
    dma_iova_init(&m->iova, config->iova_end != 0 ? config->iova_end : usual_end(m), m->page);
    if (m->policy == DMA_DEFERRED) {
        m->pending = malloc(m->deferred_entries * sizeof(*m->pending));
        HV_ASSERT(m->pending != NULL, "out of memory");
    }
    return true;
}

void dma_map_fini(struct dma_map *m)
{
    dma_iova_fini(&m->iova);
    dma_kept_fini(&m->kept);
    free(m->pending);
    memset(m, 0, sizeof(*m));
}

/* --- page-table entries ------------------------------------------------------------------------------------------ */

static uint64_t page_mask(const struct dma_map *m)
{
    return hv_page_bytes(m->page) - 1;
}

static uint64_t pages_of(const struct dma_map *m, uint64_t address, uint64_t bytes)
{
    HV_ASSERT(bytes > 0, "a buffer of no bytes at %#llx", (unsigned long long)address);
    return ((address & page_mask(m)) + bytes + page_mask(m)) >> hv_page_shift(m->page);
}

static hv_cycles entry_cost(const struct dma_map *m, uint64_t entries)
{
    const struct dma_cost_params *cost = cost_of(m);
    return entries * (cost->entry_cycles + (m->domain->unit->caps.coherent ? 0 : cost->write_back_cycles));
}

static uint64_t *entry_of(const struct dma_map *m, uint64_t iova)
{
    unsigned level;
    uint64_t *entry = page_table_find(m->table, iova, &level);
    HV_ASSERT(entry != NULL && level == m->page + 1u, "%#llx is not mapped for the device", (unsigned long long)iova);
    return entry;
}

hv_cycles dma_map_clear(struct dma_map *m, uint64_t iova, uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++) {
        *entry_of(m, iova + (i << hv_page_shift(m->page))) = 0;
    }
    stats_of(m)->entries_cleared += pages;
    return entry_cost(m, pages);
}

/* False: there is no memory for tables; then nothing is mapped. */
static bool write_entries(struct dma_map *m, uint64_t iova, const struct buffer *b)
{
    m->table->leaf_bits = (m->table->leaf_bits & ~(uint64_t)PERMISSIONS) | b->permissions;
    for (uint64_t i = 0; i < b->pages; i++) {
        uint64_t offset = i << hv_page_shift(m->page);
        if (!page_table_map(m->table, iova + offset, m->page, b->frame + offset)) {
            stats_of(m)->entries_written += i;
            dma_map_clear(m, iova, i);
            return false;
        }
    }
    stats_of(m)->entries_written += b->pages;
    return true;
}

/* --- mapping ----------------------------------------------------------------------------------------------------- */

static bool keeps(const struct dma_map *m)
{
    return m->policy == DMA_OPTIMISTIC || m->policy == DMA_STATIC;
}

static struct buffer buffer_of(const struct dma_map *m, uint64_t address, uint64_t bytes, enum dma_direction direction)
{
    bool first = m->table == &m->domain->first;
    return (struct buffer){
        .frame = address & ~page_mask(m),
        .pages = pages_of(m, address, bytes),
        .permissions = (uint64_t)direction | (first ? RADIX_IA32E_P : 0),
    };
}

/* An address for a buffer. When there is none left, those that wait for their invalidation are given back first. */
static uint64_t take_iova(struct dma_map *m, uint64_t pages, hv_cycles *now)
{
    unsigned size = dma_iova_size(pages);
    uint64_t iova = dma_iova_take(&m->iova, size);
    if (iova == DMA_IOVA_NONE && dma_map_waiting(m) > 0) {
        *now = dma_map_flush(m, *now);
        iova = dma_iova_take(&m->iova, size);
    }
    return iova;
}

/* Maps a buffer that is not mapped yet; ok is false when that cannot be. */
static struct dma_mapping map_anew(struct dma_map *m, const struct buffer *b, hv_cycles now)
{
    struct dma_unit *unit = m->domain->unit;
    struct dma_mapping mapping = {.done = now + cost_of(m)->map_cycles};
    mapping.iova = take_iova(m, b->pages, &mapping.done);
    if (mapping.iova == DMA_IOVA_NONE) {
        return mapping;
    }
    if (!write_entries(m, mapping.iova, b)) {
        dma_iova_give(&m->iova, mapping.iova, dma_iova_size(b->pages));
        return mapping;
    }
    mapping.ok = true;
    mapping.done += entry_cost(m, b->pages);
    if (unit->caps.caching_mode) {
        mapping.done = dma_map_announce(m, mapping.iova, b->pages, mapping.done);
    }
    if (keeps(m)) {
        dma_kept_add(&m->kept, b->frame | b->permissions, b->pages, mapping.iova);
    }
    return mapping;
}

/* Maps a buffer that was left mapped again. */
static struct dma_mapping map_again(struct dma_map *m, struct dma_kept_buffer *b, hv_cycles now)
{
    if (b->users == 0) {
        dma_map_exposed(m, b->pages, b->idle_since, now);
    }
    dma_kept_use(&m->kept, b);
    stats_of(m)->reused++;
    return (struct dma_mapping){
        .ok = true,
        .iova = b->iova,
        .done = now + (m->policy == DMA_OPTIMISTIC ? cost_of(m)->reuse_cycles : 0),
    };
}

struct dma_mapping dma_map(struct dma_map *m, uint64_t address, uint64_t bytes, enum dma_direction direction,
                           hv_cycles now)
{
    if (m->table == NULL) {
        return (struct dma_mapping){.ok = true, .iova = address, .done = now};
    }
    struct buffer b = buffer_of(m, address, bytes, direction);
    struct dma_kept_buffer *kept = keeps(m) ? dma_kept_find(&m->kept, b.frame | b.permissions, b.pages) : NULL;
    struct dma_mapping mapping = kept != NULL ? map_again(m, kept, now) : map_anew(m, &b, now);
    mapping.iova += address & page_mask(m);
    stats_of(m)->maps += mapping.ok;
    stats_of(m)->map_failures += !mapping.ok;
    stats_of(m)->map_cycles += mapping.done - now;
    return mapping;
}

/* --- unmapping --------------------------------------------------------------------------------------------------- */

/* The buffer stays mapped: it is found by what its entry says. */
static hv_cycles leave_mapped(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now)
{
    uint64_t entry = *entry_of(m, iova);
    uint64_t key = (entry & RADIX_ADDRESS_MASK & ~page_mask(m)) | (entry & PERMISSIONS);
    struct dma_kept_buffer *b = dma_kept_find(&m->kept, key, pages);
    HV_ASSERT(b != NULL, "%#llx was not mapped with %llu pages", (unsigned long long)iova, (unsigned long long)pages);
    now += m->policy == DMA_OPTIMISTIC ? cost_of(m)->reuse_cycles + cost_of(m)->defer_cycles : 0;
    dma_kept_leave(&m->kept, b, now);
    stats_of(m)->exposed_pages += b->users == 0 ? pages : 0;
    return now;
}

static hv_cycles unmap_now(struct dma_map *m, uint64_t iova, uint64_t pages, hv_cycles now)
{
    now = dma_map_clear(m, iova, pages) + now + cost_of(m)->unmap_cycles;
    if (m->policy == DMA_DEFERRED) {
        now += cost_of(m)->defer_cycles;
        m->pending[m->pending_count++] = (struct dma_pending){.iova = iova, .pages = pages, .since = now};
        stats_of(m)->exposed_pages += pages;
        return now;
    }
    now = dma_map_invalidate(m, iova, pages, now);
    dma_iova_give(&m->iova, iova, dma_iova_size(pages));
    return now;
}

hv_cycles dma_unmap(struct dma_map *m, uint64_t iova, uint64_t bytes, hv_cycles now)
{
    if (m->table == NULL) {
        return now;
    }
    uint64_t start = iova & ~page_mask(m), pages = pages_of(m, iova, bytes);
    hv_cycles done = keeps(m) ? leave_mapped(m, start, pages, now) : unmap_now(m, start, pages, now);
    if (dma_map_waiting(m) >= m->deferred_entries) {
        done = dma_map_flush(m, done);
    }
    done = dma_map_act(m, done);
    stats_of(m)->unmaps++;
    stats_of(m)->unmap_cycles += done - now;
    return done;
}

