/* SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/core_split.h"
#include "machine/guest.h"
#include "machine/hardware.h"
#include "machine/intervals.h"
#include "machine/io.h"
#include "machine/refill.h"
#include "machine/shared_trace.h"
#include "machine/software.h"
#include "mmu/mmu_trace.h"

static bool init_core(struct machine *m, struct machine_core *c, struct hv_err *err)
{
    struct hardware_core hardware = {&c->mmu, &c->path};
    if (!hardware_init_core(&hardware, &m->params, &m->shared, &m->memory, &m->trace, err)) {
        return false;
    }
    c->machine = m;
    c->limit = c->sample_at = UINT64_MAX;
    shared_trace_connect(c);
    core_init(&c->core, &m->params.core, &c->mmu, &c->path, software_of(c));
    c->mmu.lookahead.llc = cache_present(&m->shared.llc) ? &m->shared.llc : NULL;
    mmu_observe(&c->mmu, mmu_trace_observer(&m->trace));
    if (c->schedule.vcpu_count == 0) {
        return true;
    }
    software_begin(c);
    if (m->params.paging.mode == PAGING_NATIVE || m->params.host_more.format == PAGING_NPT) {
        return true;
    }
    c->guest = guest_new(c, err);
    return c->guest != NULL;
}

struct machine *machine_prepare(const struct machine_params *params, const struct trace_points *trace,
                                struct hv_err *err)
{
    struct machine *m = calloc(1, sizeof(*m));
    HV_ASSERT(m != NULL, "out of memory");
    m->params = *params;
    if (trace != NULL) {
        m->trace = *trace;
    }
    stats_init(&m->stats);
    m->cores = calloc(params->machine.cores, sizeof(*m->cores));
    m->vms = calloc(params->vm.count, sizeof(*m->vms));
    HV_ASSERT(m->cores != NULL && m->vms != NULL, "out of memory");
    if (!physmem_init(&m->memory, params->machine.memory, err) || !schedule_init(m, err)) {
        machine_free(m);
        return NULL;
    }
    return m;
}

bool machine_build(struct machine *m, const struct machine_params *params, struct hv_err *err)
{
    m->params = *params;
    if (!hardware_init_shared(&m->shared, &m->params, err)) {
        return false;
    }
    for (uint64_t i = 0; i < params->machine.cores; i++) {
        if (!init_core(m, &m->cores[i], err)) {
            return false;
        }
    }
    /* A trace may be shorter than what was asked for. */
    m->params.workload.accesses = workload_total(m->cores[0].schedule.vcpus[0].tasks[0].workload);
    machine_set_model(m, (enum core_model)m->params.core.model);
    if (m->params.io.device != IO_DEVICE_NONE && !io_build(m, err)) {
        return false;
    }
    machine_register_stats(m, &m->stats);
    return true;
}

struct machine *machine_new(const struct machine_params *params, const struct trace_points *trace,
                            struct hv_err *err)
{
    struct machine *m = machine_prepare(params, trace, err);
    if (m != NULL && !machine_build(m, params, err)) {
        machine_free(m);
        return NULL;
    }
    return m;
}

static void free_core(struct machine_core *c)
{
    struct hardware_core hardware = {&c->mmu, &c->path};
    guest_free(c->guest);
    schedule_fini(&c->schedule);
    core_fini(&c->core);
    hardware_fini_core(&hardware);
}

void machine_free(struct machine *m)
{
    refill_fini(m);
    for (uint64_t i = 0; m->cores != NULL && i < m->params.machine.cores; i++) {
        free_core(&m->cores[i]);
    }
    for (uint64_t i = 0; m->vms != NULL && i < m->params.vm.count; i++) {
        vm_fini(&m->vms[i]);
    }
    io_free(m->io);
    free(m->cores);
    free(m->vms);
    hardware_fini_shared(&m->shared);
    physmem_fini(&m->memory);
    stats_fini(&m->stats);
    free(m);
}

/* Executes what is decoded of a task, at most so many accesses; returns how many it made. */
static size_t run_task(struct machine_core *c, struct machine_task *t, size_t accesses)
{
    uint64_t before = c->core.stats.accesses;
    size_t elements = t->count - t->next < accesses ? t->count - t->next : accesses;
    t->next += core_run(&c->core, t->batch + t->next, elements);
    uint64_t made = c->core.stats.accesses - before;
    schedule_spend(c, made);
    return made;
}

/*
 * The same on two threads of the host, and beyond what is decoded, as long as nothing else has a turn. (size_t)-1 when
 * the stream is damaged.
 */
static size_t run_task_split(struct machine_core *c, struct machine_task *t, size_t accesses, struct hv_err *err)
{
    size_t made = 0;
    bool whole = true;
    while (whole && made < accesses && !t->over && core_split_pays(&c->core) && c->core.horizon == UINT64_MAX &&
           (schedule_left(c) > 0 || schedule_renew(c))) {
        size_t left = schedule_left(c) < accesses - made ? (size_t)schedule_left(c) : accesses - made;
        size_t elements = t->count - t->next < left ? t->count - t->next : left;
        uint64_t now_made;
        t->next += core_split_run(&c->core, t->batch + t->next, elements, &now_made);
        schedule_spend(c, now_made);
        made += now_made;
        whole = t->next < t->count || refill_task(c->machine, t, err);
    }
    core_split_end(&c->core);
    return whole ? made : (size_t)-1;
}

/*
 * Executes what a task may have of its turn, at most so many accesses, and decodes what follows: nobody is to switch to
 * a stream that has ended. (size_t)-1 when the stream is damaged.
 */
static size_t run_turn(struct machine_core *c, struct machine_task *t, size_t accesses, struct hv_err *err)
{
    if (core_split_begin(&c->core)) {
        return run_task_split(c, t, accesses, err);
    }
    uint64_t left = schedule_left(c);
    size_t made = run_task(c, t, left < accesses ? (size_t)left : accesses);
    return t->next < t->count || refill_task(c->machine, t, err) ? made : (size_t)-1;
}

/* The streams of a core are over, but a device may still interrupt it: nothing runs until one does. */
static bool idle(struct machine_core *c)
{
    c->idle = io_expected(c->machine->io);
    if (c->idle) {
        io_core_rest(c);
    }
    return c->idle;
}

/* All streams of a core are over. The last of its statistics are sampled, as nothing waits for it from now on. */
static void end_core(struct machine_core *c)
{
    struct machine *m = c->machine;
    c->over = true;
    if (m->intervals != NULL) {
        intervals_sample(m->intervals, (unsigned)(c - m->cores));
    }
}

size_t machine_run(struct machine *m, unsigned core, size_t accesses, struct hv_err *err)
{
    struct machine_core *c = &m->cores[core];
    size_t done = 0;
    if (c->idle) {
        io_core_wait(c);
    }
    while (done < accesses) {
        if (c->core.now >= c->sample_at) {
            intervals_sample(m->intervals, core);
            software_set_limit(c, c->limit); /* and goes on to the next sample */
        }
        software_take_interrupts(c);
        if (c->core.now >= c->limit) {
            break;
        }
        struct machine_task *t = schedule_next(c);
        if (t == NULL) {
            if (!idle(c)) {
                end_core(c);
            }
            break;
        }
        if (t->next == t->count) { /* its first turn */
            if (!refill_task(c->machine, t, err)) {
                return (size_t)-1;
            }
            continue;
        }
        size_t made = run_turn(c, t, accesses - done, err);
        if (made == (size_t)-1) {
            return made;
        }
        done += made;
    }
    return done;
}

void machine_use_threads(struct machine *m, unsigned threads)
{
    if (threads > 1 && m->params.machine.cores == 1 && m->io == NULL) {
        core_split_allow(&m->cores[0].core);
    } else if (threads > 1) {
        refill_ahead(m);
    }
}

/* Whether the walks of a core in a model come one after the other. */
static bool walks_serially(const struct mmu *m, enum core_model model)
{
    return model == CORE_FUNCTIONAL || (model == CORE_INORDER && m->prefetch == MMU_PREFETCH_NONE);
}

void machine_set_model(struct machine *m, enum core_model model)
{
    m->shared.dram.untimed = model == CORE_FUNCTIONAL;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        m->cores[i].mmu.serial = walks_serially(&m->cores[i].mmu, model);
        core_set_model(&m->cores[i].core, model);
    }
}

void machine_reset_stats(struct machine *m)
{
    io_reset_stats(m->io);
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
        mmu_check_walkers(&m->cores[i].mmu);
    }
    dram_check(&m->shared.dram);
    io_check(m->io);
}
