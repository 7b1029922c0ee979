/* SPDX-License-Identifier: MIT */
#include "cpu/core.h"

#include <string.h>

#include "cpu/core_access.h"
#include "cpu/core_split.h"

const char *const core_model_names[] = {"inorder", "window", "functional", NULL};
const char *const core_warmup_model_names[] = {"same", "functional", NULL};

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
    if (params->model == CORE_WINDOW) {
        core_window_init(c, params);
    }
    core_set_model(c, (enum core_model)params->model);
}

void core_fini(struct core *c)
{
    core_split_fini(c);
    core_window_fini(c);
}

void core_set_model(struct core *c, enum core_model model)
{
    c->model = model;
    if (model == CORE_WINDOW) {
        HV_ASSERT(c->window.steps != NULL, "the core was built with model %s", core_model_names[model]);
        core_window_start(c);
    }
}

void core_reset_stats(struct core *c)
{
    memset(&c->stats, 0, sizeof(c->stats));
    c->started = c->now;
}

void core_charge(struct core *c, enum core_cost cost, hv_cycles cycles, const char *what)
{
    static const enum activity_track track[] = {
        [CORE_COST_FAULT] = ACTIVITY_SYSTEM,
        [CORE_COST_EXIT] = ACTIVITY_HYPERVISOR,
        [CORE_COST_INTERRUPT] = ACTIVITY_INTERRUPT,
    };
    if (c->model == CORE_FUNCTIONAL) {
        return;
    }
    uint64_t *const row[] = {
        [CORE_COST_FAULT] = &c->stats.cycles_fault,
        [CORE_COST_EXIT] = &c->stats.cycles_exit,
        [CORE_COST_INTERRUPT] = &c->stats.cycles_interrupt,
    };
    if (c->model == CORE_WINDOW) {
        core_window_drain(c, cycles);
    }
    if (c->activity != NULL && cycles > 0) {
        activity_add(c->activity, track[cost], c->now, cycles, what);
    }
    *row[cost] += cycles;
    c->now += cycles;
    c->stats.cycles = c->now - c->started;
}

bool core_handle_fault(struct core *c, const struct hv_fault *fault)
{
    struct core_fault_reply reply = c->software.fault(c->software.ctx, fault, c->now);
    core_charge(c, reply.cost, reply.cycles, hv_fault_names[fault->kind]);
    return reply.resolved;
}

size_t core_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    static size_t (*const run[])(struct core *, const struct hv_access *, size_t) = {
        [CORE_INORDER] = core_inorder_run, [CORE_WINDOW] = core_window_run, [CORE_FUNCTIONAL] = core_functional_run,
    };
    uint64_t walks = c->mmu->stats.walks;
    size_t done = run[c->model](c, accesses, count);
    c->look_ahead = (c->mmu->stats.walks - walks) * CORE_LOOK_AHEAD_WALKS > done;
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
