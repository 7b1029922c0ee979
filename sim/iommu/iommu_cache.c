/* SPDX-License-Identifier: MIT */
/*
 * Context and PASID cache: look-up and filling; and the life of all caches of translations.
 */
#include "iommu/iommu_cache.h"

#include <stdlib.h>
#include <string.h>

#include "iommu/iommu_parts.h"

#define TAG_VALID (UINT64_C(1) << 63)

static uint64_t ways_of(const struct iommu_cache_params *p)
{
    return p->ways == PARAM_WAYS_FULL ? p->entries : p->ways;
}

/* A cache whose entries lie beside their tags; `entries` stays NULL when it is absent. */
static bool tags_init(struct assoc *tags, void **entries, size_t entry_bytes, const struct iommu_cache_params *p,
                      const char *name, struct hv_err *err)
{
    if (p->entries == 0) {
        return true;
    }
    if (ways_of(p) > p->entries || p->entries % ways_of(p) != 0) {
        return hv_fail(err, "%s: %llu entries cannot be divided into sets of %llu ways; choose ways that divide "
                       "entries, or `full`", name, (unsigned long long)p->entries, (unsigned long long)p->ways);
    }
    if (!assoc_init(tags, p->entries, ways_of(p), (enum assoc_policy)p->replacement, false, err)) {
        return false;
    }
    *entries = calloc(assoc_slots(tags), entry_bytes);
    return *entries != NULL || hv_fail(err, "no memory for %s", name);
}

static bool pwc_sized(const struct iommu_params *p, struct hv_err *err)
{
    for (unsigned level = PWC_LOWEST_LEVEL; level < PWC_LEVELS; level++) {
        const struct pwc_level_params *l = &p->pwc[level];
        uint64_t ways = l->ways == PARAM_WAYS_FULL ? l->entries : l->ways;
        if (l->entries != 0 && (ways > l->entries || l->entries % ways != 0)) {
            return hv_fail(err, "iommu.pwc.l%u: %llu entries cannot be divided into sets of %llu ways; choose ways "
                           "that divide entries, or `full`", level, (unsigned long long)l->entries,
                           (unsigned long long)l->ways);
        }
    }
    return true;
}

static bool iotlb_init(struct iommu *u, struct hv_err *err)
{
    const struct iommu_cache_params *p = &u->params.iotlb;
    struct iommu_caches *c = &u->caches;
    struct tlb_geometry geometry = {p->entries, p->ways, (enum assoc_policy)p->replacement, {12, 21, 30}};
    if (!tlb_init(&c->iotlb, "iommu.iotlb", &geometry, err)) {
        return false;
    }
    if (tlb_present(&c->iotlb)) {
        c->arrivals = calloc(assoc_slots(&c->iotlb.entries), sizeof(*c->arrivals));
        return c->arrivals != NULL || hv_fail(err, "no memory for iommu.iotlb");
    }
    return true;
}

bool iommu_caches_init(struct iommu *u, struct hv_err *err)
{
    struct iommu_caches *c = &u->caches;
    struct pwc_params pwc = {.kind = PWC_TRANSLATION, .latency_cycles = u->params.pwc_latency_cycles};
    struct pwc_level_params levels[2][PWC_LEVELS];
    memcpy(levels[HV_GUEST], u->params.pwc, sizeof(levels[HV_GUEST]));
    memcpy(levels[HV_HOST], u->params.pwc, sizeof(levels[HV_HOST]));
    tlb_spaces_init(&c->spaces);
    return tags_init(&c->context.tags, (void **)&c->context.entries, sizeof(*c->context.entries),
                     &u->params.context_cache, "iommu.context_cache", err) &&
           tags_init(&c->pasid.tags, (void **)&c->pasid.entries, sizeof(*c->pasid.entries), &u->params.pasid_cache,
                     "iommu.pasid_cache", err) &&
           iotlb_init(u, err) && pwc_sized(&u->params, err) && pwc_init(&c->pwc, &pwc, levels, err);
}

void iommu_caches_fini(struct iommu *u)
{
    struct iommu_caches *c = &u->caches;
    assoc_fini(&c->context.tags);
    assoc_fini(&c->pasid.tags);
    free(c->context.entries);
    free(c->pasid.entries);
    free(c->arrivals);
    tlb_fini(&c->iotlb);
    pwc_fini(&c->pwc);
    tlb_spaces_fini(&c->spaces);
    memset(c, 0, sizeof(*c));
}

/* Empties everything that knows the numbers of spaces, and forgets these. */
static void forget_spaces(struct iommu_caches *c)
{
    if (c->context.tags.sets != 0) {
        assoc_reset(&c->context.tags);
    }
    if (c->pasid.tags.sets != 0) {
        assoc_reset(&c->pasid.tags);
    }
    tlb_flush(&c->iotlb);
    pwc_flush(&c->pwc);
    tlb_spaces_reset(&c->spaces);
}

void iommu_caches_reset(struct iommu *u)
{
    struct iommu_caches *c = &u->caches;
    forget_spaces(c);
    tlb_reset(&c->iotlb);
    pwc_reset(&c->pwc);
    c->last_arrival = 0;
    if (c->arrivals != NULL) {
        memset(c->arrivals, 0, assoc_slots(&c->iotlb.entries) * sizeof(*c->arrivals));
    }
    iommu_caches_reset_stats(u);
}

void iommu_caches_reset_stats(struct iommu *u)
{
    struct iommu_caches *c = &u->caches;
    memset(&c->context.stats, 0, sizeof(c->context.stats));
    memset(&c->pasid.stats, 0, sizeof(c->pasid.stats));
    memset(&c->iotlb_stats, 0, sizeof(c->iotlb_stats));
    memset(c->pwc.stats, 0, sizeof(c->pwc.stats));
}

/*
 * Gives a mapping the numbers of its spaces. Second-stage translations belong to the domain; first-stage and nested
 * ones to the domain and the PASID (VT-d "Tagging of Cached Translations").
 *
 * MODEL: with 16383 spaces in use, which no software reaches that invalidates what it no longer uses, all caches are
 * emptied and numbers given anew.
 */
static void give_spaces(struct iommu *u, struct iommu_mapping *m)
{
    static const uint8_t kinds[IOMMU_STAGES] = {
        [IOMMU_FIRST] = TLB_LINEAR, [IOMMU_SECOND] = TLB_GUEST_PHYSICAL, [IOMMU_NESTED] = TLB_COMBINED,
    };
    struct tlb_spaces *spaces = &u->caches.spaces;
    if (m->fault != IOMMU_FAULT_NONE || m->stages == IOMMU_PASS) {
        return;
    }
    if (spaces->count + 2 > TLB_SPACES) {
        forget_spaces(&u->caches);
    }
    bool first = m->stages != IOMMU_SECOND;
    struct tlb_space space = {.vpid = m->domain, .ep4ta = first ? m->pasid : 0, .mapping = kinds[m->stages]};
    struct tlb_space second = {.vpid = m->domain, .mapping = TLB_GUEST_PHYSICAL};
    m->space = tlb_spaces_id(spaces, &space);
    m->second_space = tlb_spaces_id(spaces, &second);
}

/* A place for a new entry, or NULL when it is not to be cached: errors are cached in caching mode only. */
static void *take_place(const struct iommu *u, struct assoc *tags, void *entries, size_t entry_bytes, uint64_t index,
                        uint64_t tag, uint8_t fault, struct iommu_cache_stats *stats)
{
    if (tags->sets == 0 || (fault != IOMMU_FAULT_NONE && !u->params.caching_mode)) {
        return NULL;
    }
    size_t slot = assoc_victim(tags, index);
    stats->evictions += tags->tags[slot] != 0;
    assoc_place(tags, index, slot, tag);
    return (char *)entries + slot * entry_bytes;
}

const struct iommu_context *iommu_find_context(struct iommu_reader *r, uint16_t source)
{
    struct iommu *u = r->u;
    struct iommu_context_cache *c = &u->caches.context;
    uint64_t tag = TAG_VALID | source;
    if (__builtin_expect(c->tags.sets != 0, 1)) {
        ptrdiff_t slot = assoc_find(&c->tags, source, tag, 0);
        if (__builtin_expect(slot != ASSOC_NONE, 1)) {
            assoc_touch(&c->tags, (size_t)slot);
            c->stats.hits++;
            if (__builtin_expect(u->stale != NULL, 0)) {
                iommu_stale_context(u, source, &c->entries[slot], r->now);
            }
            return &c->entries[slot];
        }
    }
    c->stats.misses++;
    iommu_read_context(r, source, &c->scratch);
    give_spaces(u, &c->scratch.mapping);
    struct iommu_context *place = take_place(u, &c->tags, c->entries, sizeof(*place), source, tag,
                                             c->scratch.mapping.fault, &c->stats);
    if (place != NULL) {
        *place = c->scratch;
    }
    return &c->scratch;
}

const struct iommu_mapping *iommu_find_pasid(struct iommu_reader *r, const struct iommu_context *context,
                                             uint16_t source, uint32_t pasid)
{
    struct iommu *u = r->u;
    struct iommu_pasid_cache *c = &u->caches.pasid;
    uint64_t tag = TAG_VALID | (uint64_t)source << 20 | pasid, index = (uint64_t)source + pasid;
    if (__builtin_expect(c->tags.sets != 0, 1)) {
        ptrdiff_t slot = assoc_find(&c->tags, index, tag, 0);
        if (__builtin_expect(slot != ASSOC_NONE, 1)) {
            assoc_touch(&c->tags, (size_t)slot);
            c->stats.hits++;
            if (__builtin_expect(u->stale != NULL, 0)) {
                iommu_stale_pasid(u, context, pasid, &c->entries[slot], r->now);
            }
            return &c->entries[slot];
        }
    }
    c->stats.misses++;
    iommu_read_pasid(r, context, pasid, &c->scratch);
    give_spaces(u, &c->scratch);
    struct iommu_mapping *place =
        take_place(u, &c->tags, c->entries, sizeof(*place), index, tag, c->scratch.fault, &c->stats);
    if (place != NULL) {
        *place = c->scratch;
    }
    return &c->scratch;
}
