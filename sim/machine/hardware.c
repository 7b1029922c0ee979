/* SPDX-License-Identifier: MIT */
#include "machine/hardware.h"

#include <string.h>

bool hardware_init_shared(struct mem_shared *shared, const struct machine_params *params, struct hv_err *err)
{
    return dram_init(&shared->dram, &params->dram, err) &&
           cache_init(&shared->llc, "llc", &params->cache[CACHE_LLC], err);
}

void hardware_fini_shared(struct mem_shared *shared)
{
    cache_fini(&shared->llc);
}

static struct mmu_config mmu_config_of(const struct machine_params *p)
{
    struct mmu_config config = {
        .mmu = p->mmu,
        .pwc = p->pwc,
        .nested_tlb = p->nested_tlb,
        .prefetch = (enum mmu_prefetch)p->tlb_all.prefetch,
        .tagged = p->tlb_all.tagged,
        .flags = p->paging.accessed_dirty,
        .check_stale = p->check.stale,
    };
    memcpy(config.pwc_level, p->pwc_level, sizeof(config.pwc_level));
    memcpy(config.tlb, p->tlb, sizeof(config.tlb));
    return config;
}

/* The core and the walker know where a line lies in a first-level cache, so even a large one is never packed. */
static bool init_first_level(struct cache *c, const char *name, const struct cache_params *params, struct hv_err *err)
{
    bool ok = cache_init(c, name, params, err);
    if (ok && c->packed.words != NULL) {
        cache_unpack(c);
    }
    return ok;
}

static bool init_path(struct mem_path *path, const struct machine_params *params, struct mem_shared *shared,
                      struct hv_err *err)
{
    path->shared = shared;
    if (!init_first_level(&path->l1d, "l1d", &params->cache[CACHE_L1D], err) ||
        !init_first_level(&path->l1i, "l1i", &params->cache[CACHE_L1I], err) ||
        !cache_init(&path->l2, "l2", &params->cache[CACHE_L2], err)) {
        return false;
    }
    mem_path_connect(path, cache_present(&shared->llc));
    return true;
}

bool hardware_init_core(const struct hardware_core *core, const struct machine_params *params,
                        struct mem_shared *shared, struct physmem *memory, const struct trace_points *trace,
                        struct hv_err *err)
{
    struct mmu_config config = mmu_config_of(params);
    return init_path(core->path, params, shared, err) && mmu_init(core->mmu, &config, core->path, memory, trace, err);
}

void hardware_fini_core(const struct hardware_core *core)
{
    mmu_fini(core->mmu);
    cache_fini(&core->path->l1d);
    cache_fini(&core->path->l1i);
    cache_fini(&core->path->l2);
}
