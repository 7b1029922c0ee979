/* SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#include "mmu/mmu_trace.h"

enum { BATCH = 8192 }; /* stream elements decoded at a time: looking ahead ends at the end of a batch */

static bool init_shared(struct machine *m, struct hv_err *err)
{
    dram_init(&m->shared.dram, &m->params.dram);
    return cache_init(&m->shared.llc, "llc", &m->params.cache[CACHE_LLC], err);
}

static struct mmu_config mmu_config_of(const struct machine_params *p)
{
    struct mmu_config config = {
        .mmu = p->mmu,
        .pwc = p->pwc,
        .nested_tlb = p->nested_tlb,
        .tagged = p->tlb_all.tagged,
        .flags = p->paging.accessed_dirty,
        .check_stale = p->check.stale,
    };
    memcpy(config.pwc_level, p->pwc_level, sizeof(config.pwc_level));
    memcpy(config.tlb, p->tlb, sizeof(config.tlb));
    return config;
}

static bool init_path(struct machine *m, struct mem_path *path, struct hv_err *err)
{
    path->shared = &m->shared;
    if (!cache_init(&path->l1d, "l1d", &m->params.cache[CACHE_L1D], err) ||
        !cache_init(&path->l1i, "l1i", &m->params.cache[CACHE_L1I], err) ||
        !cache_init(&path->l2, "l2", &m->params.cache[CACHE_L2], err)) {
        return false;
    }
    mem_path_connect(path, cache_present(&m->shared.llc));
    return true;
}

/* The wire from a core to the software that handles its faults. */
static struct core_fault_reply handle_fault(void *ctx, const struct hv_fault *fault, hv_cycles now)
{
    struct machine *m = ctx;
    (void)now;
    struct vm_fault_reply reply = vm_handle_fault(&m->vm, fault);
    return (struct core_fault_reply){reply.resolved, reply.cycles, reply.exit ? CORE_COST_EXIT : CORE_COST_FAULT};
}

/* Events are carried out by the software of a machine with processes; see vm. */
static void carry_out(void *ctx, const struct hv_access *event)
{
    (void)ctx;
    (void)event;
}

static bool init_core(struct machine *m, struct machine_core *c, struct hv_err *err)
{
    struct mmu_config config = mmu_config_of(&m->params);
    if (!init_path(m, &c->path, err) || !mmu_init(&c->mmu, &config, &c->path, &m->memory, &m->trace, err)) {
        return false;
    }
    core_init(&c->core, &m->params.core, &c->mmu, &c->path, (struct core_software){handle_fault, carry_out, m});
    c->mmu.lookahead.llc = cache_present(&m->shared.llc) ? &m->shared.llc : NULL;
    mmu_observe(&c->mmu, mmu_trace_observer(&m->trace));
    struct mmu_regs regs = vm_regs(&m->vm);
    mmu_set_context(&c->mmu, &regs);
    return true;
}

/* The software's view of the workload's regions. */
static bool init_vm(struct machine *m, struct hv_err *err)
{
    size_t count;
    const struct workload_region *regions = workload_regions(m->workload, &count);
    struct vm_region *wanted = calloc(count + 1, sizeof(*wanted));
    HV_ASSERT(wanted != NULL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        wanted[i] = (struct vm_region){regions[i].start, regions[i].pages};
    }
    const struct machine_params *p = &m->params;
    struct vm_config config = {
        .paging = p->paging, .guest = p->guest, .host = p->host, .host_more = p->host_more, .cost = p->vmm_cost,
        .seed = p->workload.seed,
    };
    bool ok = vm_init(&m->vm, &config, wanted, count, &m->memory, err);
    free(wanted);
    return ok;
}

static bool init(struct machine *m, struct hv_err *err)
{
    m->workload = workload_open(&m->params.workload, err);
    if (m->workload != NULL) { /* a trace may be shorter than what was asked for */
        m->params.workload.accesses = workload_total(m->workload);
    }
    if (m->workload == NULL || !physmem_init(&m->memory, m->params.machine.memory, err) || !init_shared(m, err) ||
        !init_vm(m, err)) {
        return false;
    }
    m->cores = calloc(m->params.machine.cores, sizeof(*m->cores));
    m->batch = calloc(BATCH, sizeof(*m->batch));
    HV_ASSERT(m->cores != NULL && m->batch != NULL, "out of memory");
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        if (!init_core(m, &m->cores[i], err)) {
            return false;
        }
    }
    machine_register_stats(m, &m->stats);
    return true;
}

struct machine *machine_new(const struct machine_params *params, const struct trace_points *trace,
                            struct hv_err *err)
{
    struct machine *m = calloc(1, sizeof(*m));
    HV_ASSERT(m != NULL, "out of memory");
    m->params = *params;
    if (trace != NULL) {
        m->trace = *trace;
    }
    stats_init(&m->stats);
    if (!init(m, err)) {
        machine_free(m);
        return NULL;
    }
    return m;
}

static void free_core(struct machine_core *c)
{
    mmu_fini(&c->mmu);
    cache_fini(&c->path.l1d);
    cache_fini(&c->path.l1i);
    cache_fini(&c->path.l2);
}

void machine_free(struct machine *m)
{
    for (uint64_t i = 0; m->cores != NULL && i < m->params.machine.cores; i++) {
        free_core(&m->cores[i]);
    }
    free(m->cores);
    free(m->batch);
    cache_fini(&m->shared.llc);
    physmem_fini(&m->memory);
    if (m->workload != NULL) {
        workload_close(m->workload);
    }
    stats_fini(&m->stats);
    free(m);
}

size_t machine_run(struct machine *m, unsigned core, size_t accesses, struct hv_err *err)
{
    struct hv_access *batch = m->batch;
    size_t done = 0;
    while (done < accesses) {
        size_t wanted = accesses - done < BATCH ? accesses - done : BATCH;
        size_t count = workload_next(m->workload, batch, wanted, err);
        if (count == (size_t)-1) {
            return count;
        }
        if (count == 0) {
            break;
        }
        core_run(&m->cores[core].core, batch, count);
        done += count;
    }
    return done;
}

void machine_reset_stats(struct machine *m)
{
    stats_reset(&m->stats);
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        core_reset_stats(&m->cores[i].core);
        mmu_reset_stats(&m->cores[i].mmu);
    }
}

static void check_mmu(const struct mmu *m)
{
    uint64_t refs = 0, cycles = 0;
    for (unsigned step = 0; step < MMU_GRID; step++) {
        for (unsigned level = 0; level < MMU_GRID; level++) {
            refs += m->grid[step][level].refs;
            cycles += m->grid[step][level].cycles;
        }
    }
    HV_ASSERT(refs == m->stats.walk_refs && refs == m->stats.walk_refs_guest + m->stats.walk_refs_host,
              "the grid has %llu references, the walks %llu", (unsigned long long)refs,
              (unsigned long long)m->stats.walk_refs);
    HV_ASSERT(cycles == m->stats.walk_cycles, "the grid has %llu cycles, the walks %llu",
              (unsigned long long)cycles, (unsigned long long)m->stats.walk_cycles);
    HV_ASSERT(m->walk_cycles.count == m->stats.walks, "the histogram has %llu walks, the counter %llu",
              (unsigned long long)m->walk_cycles.count, (unsigned long long)m->stats.walks);
}

void machine_check(const struct machine *m)
{
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        core_check_stack(&m->cores[i].core);
        check_mmu(&m->cores[i].mmu);
    }
}
