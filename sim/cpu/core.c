/* SPDX-License-Identifier: MIT */
#include "cpu/core.h"

#include <string.h>

const char *const core_model_names[] = {"inorder", "window", NULL};

const struct param_row core_param_rows[] = {
#define P(...) PARAM_ROW(struct core_params, __VA_ARGS__)
#include "cpu/core_params.def"
#undef P
};
const size_t core_param_count = HV_ARRAY_LEN(core_param_rows);

const struct stat_row core_stat_rows[] = {
#define S(...) STAT_ROW(struct core_stats, __VA_ARGS__)
#include "cpu/core_stats.def"
#undef S
};
const size_t core_stat_count = HV_ARRAY_LEN(core_stat_rows);

enum {
    CORE_MAX_RETRIES = 64,   /* a fault that comes back this often is not being resolved */
    LOOK_AHEAD_WALKS = 100,  /* worth it when one access in so many walked */
};

static struct core_fast fast_of(struct mmu *mmu, struct mem_path *path, enum hv_access_kind kind)
{
    struct tlb_level_state *level = &mmu->tlb.level[mmu_first_level(kind)];
    struct cache *cache = kind == HV_FETCH ? &path->l1i : &path->l1d;
    struct core_fast fast = {.tlb_hits = &level->stats.hits};
    if (level->probe_count > 0 && level->probes[0].size == HV_PAGE_4K) {
        unsigned unit = level->probes[0].unit;
        fast.tlb = mmu->tlb.unit[unit].entries.hints != NULL ? &mmu->tlb.unit[unit] : NULL;
        fast.tlb_cycles = mmu->tlb.latency_cycles[unit];
    }
    fast.cache = cache_present(cache) && cache->lines.hints != NULL && cache->taken == NULL ? cache : NULL;
    return fast;
}

void core_init(struct core *c, const struct core_params *params, struct mmu *mmu, struct mem_path *path,
               struct core_software software)
{
    memset(c, 0, sizeof(*c));
    c->width = (uint32_t)params->width;
    c->width_log2 = (c->width & (c->width - 1)) == 0 ? (uint32_t)__builtin_ctz(c->width) : UINT32_MAX;
    c->mmu = mmu;
    c->path = path;
    c->software = software;
    c->horizon = UINT64_MAX;
    for (unsigned kind = 0; kind < HV_ACCESS_KINDS; kind++) {
        c->fast[kind] = fast_of(mmu, path, (enum hv_access_kind)kind);
    }
}

void core_reset_stats(struct core *c)
{
    memset(&c->stats, 0, sizeof(c->stats));
    c->started = c->now;
}

/* When `issued` instructions have issued at full width. */
static inline uint64_t issue_time(const struct core *c, uint64_t issued)
{
    return c->width_log2 != UINT32_MAX ? issued >> c->width_log2 : issued / c->width;
}

static inline void issue(struct core *c, const struct hv_access *a)
{
    uint64_t instructions = a->gap + (uint64_t)((a->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
    uint64_t issued = c->issued + instructions;
    hv_cycles cycles = issue_time(c, issued) - issue_time(c, c->issued);
    c->issued = issued;
    c->stats.instructions += instructions;
    c->stats.cycles_base += cycles;
    c->now += cycles;
}

static inline void charge_translation(struct core *c, const struct mmu_reply *reply)
{
    hv_cycles tlb = reply->tlb_cycles + (reply->walked ? reply->queue_cycles : 0);
    c->stats.cycles_tlb += tlb;
    c->now += tlb;
    if (reply->walked) {
        c->stats.cycles_walk_guest += reply->walk_guest_cycles;
        c->stats.cycles_walk_host += reply->walk_host_cycles;
        c->now += reply->walk_guest_cycles + reply->walk_host_cycles;
    }
}

void core_charge(struct core *c, enum core_cost cost, hv_cycles cycles)
{
    uint64_t *const row[] = {
        [CORE_COST_FAULT] = &c->stats.cycles_fault,
        [CORE_COST_EXIT] = &c->stats.cycles_exit,
        [CORE_COST_INTERRUPT] = &c->stats.cycles_interrupt,
    };
    *row[cost] += cycles;
    c->now += cycles;
    c->stats.cycles = c->now - c->started;
}

/* Whether the fault has been handled and the access is worth another try. */
static bool handle_fault(struct core *c, const struct hv_fault *fault)
{
    struct core_fault_reply reply = c->software.fault(c->software.ctx, fault, c->now);
    core_charge(c, reply.cost, reply.cycles);
    return reply.resolved;
}

/* An element that is no access: something happens between the accesses. */
static __attribute__((noinline)) void execute_event(struct core *c, const struct hv_access *event)
{
    c->issued += event->gap;
    c->stats.instructions += event->gap;
    hv_cycles cycles = issue_time(c, c->issued) - issue_time(c, c->issued - event->gap);
    c->stats.cycles_base += cycles;
    c->now += cycles;
    c->software.event(c->software.ctx, event);
}

/* The first translation has failed: faults are handled until one succeeds or nobody can help. */
static __attribute__((noinline)) bool translate_after_fault(struct core *c, const struct hv_access *a,
                                                            struct mmu_reply *reply)
{
    for (unsigned tries = 0; tries < CORE_MAX_RETRIES; tries++) {
        if (!handle_fault(c, &reply->fault)) {
            break;
        }
        bool ok = mmu_translate(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, reply);
        charge_translation(c, reply);
        if (ok) {
            return true;
        }
    }
    c->stats.aborted++;
    return false;
}

/* The data half of the common case: the line is where it was found last time. False, with nothing changed, if not. */
static inline __attribute__((always_inline)) bool find_line(struct core *c, const struct hv_access *a, uint64_t line)
{
    struct cache *cache = c->fast[a->kind].cache;
    if (__builtin_expect(cache == NULL, 0)) {
        return false;
    }
    uint32_t slot = *assoc_hint(&cache->lines, line);
    if ((cache->lines.tags[slot] | CACHE_TAG_DIRTY) != (cache_tag(line) | CACHE_TAG_DIRTY)) {
        return false;
    }
    assoc_touch(&cache->lines, slot);
    cache->lines.tags[slot] |= a->kind == HV_STORE ? (uint64_t)CACHE_TAG_DIRTY : 0;
    cache->stats.hits++;
    return true;
}

/* The data half in general. */
static __attribute__((noinline)) void access_data(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    struct mem_request request = {
        hpa, a->kind == HV_FETCH ? MEM_ENTRY_L1I : MEM_ENTRY_L1D, CACHE_DEMAND, a->kind == HV_STORE,
    };
    struct mem_reply reply = mem_access(c->path, &request, c->now);
    if (reply.level == MEM_L1 && (a->flags & HV_ACCESS_DEPENDENT) == 0) {
        hv_cycles latency = a->kind == HV_FETCH ? c->path->l1i.latency_cycles : c->path->l1d.latency_cycles;
        reply.done -= latency; /* pipelined; but a reference waits for its port */
    }
    c->stats.cycles_data += reply.done - c->now;
    c->now = reply.done;
}

/*
 * The translation half of the common case: a 4K page in the first TLB level, where it was found last time. False, with
 * nothing changed, when any of this is not so.
 */
static inline __attribute__((always_inline)) bool find_page(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    const struct core_fast *fast = &c->fast[a->kind];
    const struct mmu *m = c->mmu;
    if (__builtin_expect(fast->tlb == NULL || m->watched || !mmu_canonical(m, a->gva), 0)) {
        return false;
    }
    struct assoc *tlb = &fast->tlb->entries;
    const struct tlb_needs *needs = &m->env.needs[a->kind];
    uint64_t page = tlb_page_number(a->gva.v, HV_PAGE_SHIFT);
    uint32_t slot = *assoc_hint(tlb, page);
    uint64_t payload = tlb->payload[slot];
    if (tlb->tags[slot] != tlb_key(page, HV_PAGE_4K, m->env.view.space) || (payload & needs->mask) != needs->want) {
        return false;
    }
    assoc_touch(tlb, slot);
    ++*fast->tlb_hits;
    c->stats.cycles_tlb += fast->tlb_cycles;
    c->now += fast->tlb_cycles;
    *hpa = tlb_entry_address(payload, a->gva.v, HV_PAGE_SHIFT);
    return true;
}

/* The translation half in general. False: nobody could resolve the fault. */
static __attribute__((noinline)) bool translate(struct core *c, const struct hv_access *a, hv_hpa *hpa)
{
    struct mmu_reply reply;
    bool ok = mmu_translate_plain(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, &reply);
    charge_translation(c, &reply);
    if (__builtin_expect(!ok, 0) && !translate_after_fault(c, a, &reply)) {
        return false;
    }
    *hpa = reply.hpa;
    return true;
}

static inline __attribute__((always_inline)) void execute(struct core *c, const struct hv_access *a)
{
    hv_hpa hpa;
    if (__builtin_expect(a->kind == HV_EVENT, 0)) {
        execute_event(c, a);
        return;
    }
    issue(c, a);
    c->stats.accesses++;
    if (!find_page(c, a, &hpa) && !translate(c, a, &hpa)) {
        return;
    }
    if (!find_line(c, a, cache_line(hpa))) {
        access_data(c, a, hpa);
    } else if ((a->flags & HV_ACCESS_DEPENDENT) != 0) {
        hv_cycles latency = c->fast[a->kind].cache->latency_cycles;
        c->stats.cycles_data += latency;
        c->now += latency;
    }
}

static size_t run_looking_ahead(struct core *c, const struct hv_access *accesses, size_t count)
{
    size_t i = 0;
    for (; i < count && c->now < c->horizon; i++) {
        mmu_look_ahead(c->mmu, accesses, count, i);
        execute(c, &accesses[i]);
    }
    return i;
}

static size_t run_straight(struct core *c, const struct hv_access *accesses, size_t count)
{
    size_t i = 0;
    for (; i < count && c->now < c->horizon; i++) {
        execute(c, &accesses[i]);
    }
    return i;
}

size_t core_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    uint64_t walks = c->mmu->stats.walks;
    size_t done = c->look_ahead ? run_looking_ahead(c, accesses, count) : run_straight(c, accesses, count);
    c->look_ahead = (c->mmu->stats.walks - walks) * LOOK_AHEAD_WALKS > done;
    c->stats.cycles = c->now - c->started;
    return done;
}

void core_check_stack(const struct core *c)
{
    const struct core_stats *s = &c->stats;
    uint64_t sum = s->cycles_base + s->cycles_tlb + s->cycles_walk_guest + s->cycles_walk_host + s->cycles_data +
                   s->cycles_fault + s->cycles_exit + s->cycles_interrupt;
    HV_ASSERT(sum == s->cycles, "the cycle stack sums to %llu of %llu cycles", (unsigned long long)sum,
              (unsigned long long)s->cycles);
}
