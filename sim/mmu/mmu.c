/* SPDX-License-Identifier: MIT */
#include "mmu/mmu.h"

#include <stdlib.h>
#include <string.h>

const char *const mmu_walk_entry_names[] = {"l1d", "l2", NULL};

const struct param_row mmu_param_rows[] = {
#define P(...) PARAM_ROW(struct mmu_params, __VA_ARGS__)
#include "mmu/mmu_params.def"
#undef P
};
const size_t mmu_param_count = HV_ARRAY_LEN(mmu_param_rows);

const struct param_row nested_tlb_param_rows[] = {
#define P(...) PARAM_ROW(struct nested_tlb_params, __VA_ARGS__)
#include "mmu/nested_tlb_params.def"
#undef P
};
const size_t nested_tlb_param_count = HV_ARRAY_LEN(nested_tlb_param_rows);

const struct stat_row mmu_stat_rows[] = {
#define S(...) STAT_ROW(struct mmu_stats, __VA_ARGS__)
#include "mmu/mmu_stats.def"
#undef S
};
const size_t mmu_stat_count = HV_ARRAY_LEN(mmu_stat_rows);

const struct stat_row nested_tlb_stat_rows[] = {
#define S(...) STAT_ROW(struct nested_tlb_stats, __VA_ARGS__)
#include "mmu/nested_tlb_stats.def"
#undef S
};
const size_t nested_tlb_stat_count = HV_ARRAY_LEN(nested_tlb_stat_rows);

/* The structure of a level that holds 4K pages. */
static struct tlb *unit_4k(struct mmu *m, enum tlb_level level)
{
    const struct tlb_level_state *l = &m->tlb.level[level];
    return l->holds[HV_PAGE_4K] ? &m->tlb.unit[l->fill[HV_PAGE_4K].unit] : NULL;
}

static void find_units_4k(struct mmu *m)
{
    for (unsigned kind = 0; kind < HV_ACCESS_KINDS; kind++) {
        m->first_4k[kind] = unit_4k(m, mmu_first_level((enum hv_access_kind)kind));
    }
    m->second_4k = unit_4k(m, TLB_LEVEL_L2);
}

static bool init_nested_tlb(struct mmu *m, const struct nested_tlb_params *params, struct hv_err *err)
{
    struct tlb_geometry geometry = {
        params->entries, params->ways, (enum assoc_policy)params->replacement,
        {HV_PAGE_SHIFT, HV_PAGE_SHIFT + 9, HV_PAGE_SHIFT + 18},
    };
    m->nested_tlb_latency = params->latency_cycles;
    return tlb_init(&m->nested_tlb, "mmu.nested_tlb", &geometry, err);
}

bool mmu_init(struct mmu *m, const struct mmu_config *config, struct mem_path *path, struct physmem *memory,
              const struct trace_points *trace, struct hv_err *err)
{
    memset(m, 0, sizeof(*m));
    tlb_spaces_init(&m->spaces);
    m->path = path;
    m->memory = memory;
    m->trace = trace;
    m->walk_entry = config->mmu.walk_entry == 0 ? MEM_ENTRY_L1D : MEM_ENTRY_L2;
    bool hinted_lru = path->l1d.lines.policy == ASSOC_LRU && path->l1d.lines.hints != NULL &&
                      path->l1d.taken == NULL;
    plain_init(&m->plain, m->walk_entry == MEM_ENTRY_L1D && hinted_lru ? &path->l1d : NULL);
    walkers_init(&m->walkers, (uint32_t)config->mmu.walkers);
    m->merge_walks = config->mmu.merge_walks;
    m->prefetch = config->prefetch;
    m->tagged = config->tagged;
    m->check_stale = m->watched = config->check_stale;
    m->features = (struct mmu_features){
        .physical_bits = (uint8_t)config->mmu.physical_bits,
        .pages_1g = config->mmu.pages_1g,
        .guest_flags = config->flags,
        .ept_execute_only = config->mmu.ept_execute_only,
        .mode_based_execute = config->mmu.mode_based_execute,
    };
    if (m->check_stale) {
        m->stale = stale_new();
    }
    if (!tlb_levels_init(&m->tlb, config->tlb, err) ||
        !pwc_init(&m->pwc, &config->pwc, config->pwc_level, err) ||
        !init_nested_tlb(m, &config->nested_tlb, err)) {
        mmu_fini(m);
        return false;
    }
    find_units_4k(m);
    return true;
}

void mmu_fini(struct mmu *m)
{
    tlb_levels_fini(&m->tlb);
    pwc_fini(&m->pwc);
    tlb_fini(&m->nested_tlb);
    tlb_spaces_fini(&m->spaces);
    stale_free(m->stale);
    m->stale = NULL;
}

void mmu_reset_stats(struct mmu *m)
{
    memset(&m->stats, 0, sizeof(m->stats));
    memset(&m->nested_tlb_stats, 0, sizeof(m->nested_tlb_stats));
    memset(m->grid, 0, sizeof(m->grid));
    memset(m->pwc.stats, 0, sizeof(m->pwc.stats));
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        memset(&m->tlb.level[level].stats, 0, sizeof(m->tlb.level[level].stats));
    }
    histogram_reset(&m->walk_cycles);
}

/* The numbers of the context's spaces; when they run out, everything is flushed and numbering starts again. */
static void number_spaces(struct mmu *m)
{
    struct mmu_env *env = &m->env;
    bool second = env->nested || env->agile;
    struct tlb_space space = {
        .ep4ta = env->ep4ta,
        .vpid = env->regs.vpid,
        .pcid = env->pcid,
        .mapping = second ? TLB_COMBINED : TLB_LINEAR,
    };
    struct tlb_space global = space;
    global.pcid = 0;
    global.global = true;
    struct tlb_space host = {.ep4ta = env->ep4ta, .mapping = TLB_GUEST_PHYSICAL};
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        env->view.space = tlb_spaces_id(&m->spaces, &space);
        env->view.global = env->global_mask != 0 ? tlb_spaces_id(&m->spaces, &global) : 0;
        env->host_space = second ? tlb_spaces_id(&m->spaces, &host) : 0;
        if (env->view.space != 0 && (env->view.global != 0 || env->global_mask == 0) &&
            (env->host_space != 0 || !second)) {
            return;
        }
        mmu_flush_all(m);
        tlb_spaces_reset(&m->spaces);
    }
    HV_ASSERT(false, "an empty numbering has room for one context");
}

void mmu_set_context(struct mmu *m, const struct mmu_regs *regs)
{
    mmu_env_init(&m->env, regs, &m->features);
    m->plain.generation++;
    number_spaces(m);
}

void mmu_observe(struct mmu *m, struct mmu_observer observer)
{
    m->observer = observer;
    m->watched = m->check_stale || observer.event != NULL;
}

static void observe_tlb(struct mmu *m, enum mmu_event_kind kind, enum tlb_level level, hv_cycles start,
                        const struct tlb_hit *hit)
{
    if (m->observer.event != NULL) {
        struct mmu_event event = {
            .kind = kind, .start = start, .cycles = hit->latency_cycles, .tlb_level = level, .value = hit->payload,
        };
        m->observer.event(m->observer.ctx, &event);
    }
}

/* What a second-level miss costs before the walk: the penalty that a hit there would have had. */
static hv_cycles second_level_cycles(const struct mmu *m)
{
    return tlb_present(&m->tlb.unit[TLB_L2]) ? m->tlb.latency_cycles[TLB_L2] : 0;
}

/* Puts a 4K page that is not global into a level that does not have it; nothing special is in the TLBs. */
static inline void fill_plain(const struct mmu *m, struct tlb *unit, struct tlb_level_stats *stats, uint64_t page,
                              uint64_t payload)
{
    stats->fills++;
    stats->evictions += tlb_insert_plain(unit, page, tlb_key(page, HV_PAGE_4K, m->env.view.space), payload);
}

/* Puts a page into both TLB levels; `absent` when it is known to be in neither. */
static inline void fill_levels(struct mmu *m, hv_gva gva, enum hv_access_kind access, enum hv_page_size size,
                               uint64_t payload, bool absent)
{
    enum tlb_level first = mmu_first_level(access);
    if (absent && size == HV_PAGE_4K && (payload & TLB_GLOBAL) == 0) {
        uint64_t page = tlb_page_number(gva.v, HV_PAGE_SHIFT);
        fill_plain(m, m->second_4k, &m->tlb.level[TLB_LEVEL_L2].stats, page, payload);
        fill_plain(m, m->first_4k[access], &m->tlb.level[first].stats, page, payload);
        return;
    }
    tlb_levels_fill(&m->tlb, TLB_LEVEL_L2, gva.v, m->env.view, size, payload);
    tlb_levels_fill(&m->tlb, first, gva.v, m->env.view, size, payload);
}

/* Whether a walk for a page may be under way. Who hands walks on leaves that to who times them. */
static inline bool may_pend(struct mmu *m, hv_gva gva, hv_cycles now)
{
    return m->handover == NULL && pending_possible(&m->pending, gva, now);
}

/* Hands a walk on and fills both levels with its result. False: it cannot be, and *now is the time. */
static bool hand_over_and_fill(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles *now, bool absent,
                               struct mmu_reply *reply)
{
    struct mmu_walk_reply walked;
    if (!mmu_hand_over(m, gva, access, &walked)) {
        *now = m->handover->settle(m->handover->ctx);
        return false;
    }
    reply->walked = true;
    reply->hpa = tlb_entry_address(walked.walk.result, gva.v, HV_PAGE_SHIFT);
    fill_levels(m, gva, access, HV_PAGE_4K, walked.walk.result, absent);
    return true;
}

/* Walks, and fills both levels with the result. */
static bool walk_and_fill(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, bool absent,
                          struct mmu_reply *reply)
{
    struct mmu_walk_reply walked;
    if (m->handover != NULL && hand_over_and_fill(m, gva, access, &now, absent, reply)) {
        return true;
    }
    if (pending_possible(&m->pending, gva, now + reply->tlb_cycles) && mmu_join_walk(m, gva, access, now, reply)) {
        return true;
    }
    mmu_walk(m, gva, access, now + reply->tlb_cycles, &walked);
    reply->walked = true;
    reply->walk_guest_cycles = walked.guest_cycles;
    reply->walk_host_cycles = walked.host_cycles;
    reply->queue_cycles = walked.queue_cycles;
    if (!walked.ok) {
        reply->fault = walked.walk.fault;
        HV_TRACE(m->trace, FAULT, walked.done, "%s gva=%#llx gpa=%#llx level=%u code=%#llx",
                 hv_fault_names[reply->fault.kind], (unsigned long long)gva.v,
                 (unsigned long long)reply->fault.gpa.v, reply->fault.level,
                 (unsigned long long)reply->fault.error_code);
        return false;
    }
    enum hv_page_size size = (enum hv_page_size)walked.walk.size;
    uint64_t payload = walked.walk.result;
    fill_levels(m, gva, access, size, payload, absent);
    mmu_pending_note(m, &walked);
    reply->hpa = tlb_entry_address(payload, gva.v, hv_page_shift(size));
    HV_TRACE(m->trace, WALK, walked.done, "gva=%#llx hpa=%#llx size=%s cycles=%llu", (unsigned long long)gva.v,
             (unsigned long long)reply->hpa.v, hv_page_size_names[size],
             (unsigned long long)(walked.guest_cycles + walked.host_cycles));
    if (m->check_stale) {
        stale_note_fill(m, &walked.walk);
    }
    if (m->prefetch != MMU_PREFETCH_NONE) {
        mmu_prefetch(m, &walked);
    }
    return true;
}

bool mmu_translate_miss(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_reply *reply)
{
    const struct tlb_needs *needs = &m->env.needs[access];
    struct tlb_hit hit = {0, second_level_cycles(m), HV_PAGE_4K};
    reply->second_level = reply->walked = false;
    if (!tlb_levels_lookup(&m->tlb, TLB_LEVEL_L2, gva.v, m->env.view, needs, &hit)) {
        reply->tlb_cycles = second_level_cycles(m);
        observe_tlb(m, MMU_EVENT_TLB_MISS, TLB_LEVEL_L2, now, &hit);
        return walk_and_fill(m, gva, access, now, false, reply);
    }
    observe_tlb(m, MMU_EVENT_TLB_HIT, TLB_LEVEL_L2, now, &hit);
    if (m->check_stale) {
        stale_check_page(m, gva, access, hit.payload, hit.size, now);
    }
    reply->second_level = true;
    reply->tlb_cycles = hit.latency_cycles;
    if ((hit.payload & TLB_PREFETCHED) != 0) {
        mmu_prefetch_used(m, gva, &hit);
    }
    if (may_pend(m, gva, now + reply->tlb_cycles)) {
        if (mmu_walks_again(m, gva, now + reply->tlb_cycles)) {
            return walk_and_fill(m, gva, access, now, false, reply);
        }
        reply->tlb_cycles = mmu_pending_wait(m, gva, now + reply->tlb_cycles) - now;
    }
    tlb_levels_fill(&m->tlb, mmu_first_level(access), gva.v, m->env.view, hit.size, hit.payload);
    reply->hpa = tlb_entry_address(hit.payload, gva.v, hv_page_shift(hit.size));
    return true;
}

/*
 * A shortcut of the host's: while the TLBs hold nothing but 4K pages that are not global, each level is one structure and
 * a lookup one comparison of tags. Does what mmu_translate() would do, to the last counter.
 */
bool mmu_translate_plain(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                         struct mmu_reply *reply)
{
    struct tlb *first = m->first_4k[access], *second = m->second_4k;
    if (!tlb_levels_plain(&m->tlb) || m->watched || first == NULL || second == NULL || !mmu_canonical(m, gva)) {
        return mmu_translate(m, gva, access, now, reply);
    }
    const struct tlb_needs *needs = &m->env.needs[access];
    struct assoc *in_first = &first->entries, *in_second = &second->entries;
    uint64_t page = tlb_page_number(gva.v, HV_PAGE_SHIFT), key = tlb_key(page, HV_PAGE_4K, m->env.view.space);
    ptrdiff_t slot = assoc_scan(in_second, assoc_set(in_second, page), key, 0);
    if (assoc_scan(in_first, assoc_set(in_first, page), key, 0) != ASSOC_NONE ||
        (slot != ASSOC_NONE && (in_second->payload[slot] & (needs->mask | TLB_PREFETCHED)) != needs->want) ||
        may_pend(m, gva, now)) {
        /* A hit after all, one that does not allow the access, or a page that may still be on its way. */
        return mmu_translate(m, gva, access, now, reply);
    }
    struct tlb_level_stats *stats = &m->tlb.level[mmu_first_level(access)].stats;
    stats->misses++;
    reply->tlb_cycles = second_level_cycles(m);
    reply->second_level = slot != ASSOC_NONE;
    reply->walked = false;
    if (slot == ASSOC_NONE) {
        m->tlb.level[TLB_LEVEL_L2].stats.misses++;
        return walk_and_fill(m, gva, access, now, true, reply);
    }
    uint64_t payload = in_second->payload[slot];
    m->tlb.level[TLB_LEVEL_L2].stats.hits++;
    assoc_found(in_second, page, (size_t)slot);
    fill_plain(m, first, stats, page, payload);
    reply->hpa = tlb_entry_address(payload, gva.v, HV_PAGE_SHIFT);
    return true;
}

bool mmu_translate_watched(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                           struct mmu_reply *reply)
{
    *reply = (struct mmu_reply){.walked = false};
    if (!mmu_canonical(m, gva)) {
        m->stats.faults_non_canonical++;
        reply->fault = (struct hv_fault){.kind = HV_FAULT_NON_CANONICAL, .access = (uint8_t)access, .gva = gva};
        return false;
    }
    enum tlb_level first = mmu_first_level(access);
    struct tlb_hit hit = {0, 0, HV_PAGE_4K};
    if (!tlb_levels_lookup(&m->tlb, first, gva.v, m->env.view, &m->env.needs[access], &hit)) {
        observe_tlb(m, MMU_EVENT_TLB_MISS, first, now, &hit);
        return mmu_translate_miss(m, gva, access, now, reply);
    }
    observe_tlb(m, MMU_EVENT_TLB_HIT, first, now, &hit);
    if (m->check_stale) {
        stale_check_page(m, gva, access, hit.payload, hit.size, now);
    }
    reply->hpa = tlb_entry_address(hit.payload, gva.v, hv_page_shift(hit.size));
    reply->tlb_cycles = hit.latency_cycles;
    return true;
}
