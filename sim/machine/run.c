/* SPDX-License-Identifier: MIT */
#include "machine/run.h"

#include <stdlib.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "machine/intervals.h"
#include "machine/io.h"
#include "machine/software.h"
#include "machine/turns.h"
#include "machine/watch.h"

/* Accesses between two questions whether to stop: some milliseconds of the slowest stream. */
enum { SLICE = 1 << 16 };

struct run_private {
    struct progress progress;
    double begin_seconds;
};

double run_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Each core warms up its own tasks: workload.warmup accesses of each. */
static void begin_cores(struct run *r)
{
    struct machine *m = r->machine;
    r->cores = calloc(m->params.machine.cores, sizeof(*r->cores));
    HV_ASSERT(r->cores != NULL, "out of memory");
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        const struct machine_schedule *s = &m->cores[i].schedule;
        r->cores[i].warmup = m->params.workload.warmup * s->vcpu_count * m->params.sched.processes;
    }
    r->cores_going = (unsigned)m->params.machine.cores;
}

/* From here on the statistics count, and who wants to see how they come about is told. */
static void begin_measuring(struct run *r, hv_cycles now)
{
    r->measuring = true;
    if (r->options.intervals != NULL) {
        intervals_begin(r->options.intervals, now);
    }
    if (r->options.activity != NULL) {
        machine_watch(r->machine, r->options.activity, now);
    }
}

bool run_begin(struct run *r, struct machine *machine, const struct run_options *options, struct hv_err *err)
{
    const struct workload_params *w = &machine->params.workload;
    *r = (struct run){.machine = machine, .options = *options, .total = machine->total};
    if (w->warmup >= w->accesses) {
        return hv_fail(err, "workload.warmup of %llu accesses leaves none to measure of a workload of %llu; lower it",
                       (unsigned long long)w->warmup, (unsigned long long)w->accesses);
    }
    if (w->warmup > 0 && machine->params.core.warmup_model == CORE_WARMUP_FUNCTIONAL) {
        machine_set_model(machine, CORE_FUNCTIONAL);
    }
    struct run_private *p = calloc(1, sizeof(*p));
    HV_ASSERT(p != NULL, "out of memory");
    r->priv = p;
    begin_cores(r);
    bool alone = machine->params.machine.cores == 1 && machine->io == NULL;
    if (!alone && machine->params.timing.sync == TIMING_EXACT) {
        r->turns = turns_new(r);
    }
    if (options->show_progress) {
        progress_init(&p->progress, stderr, "run", "accesses", r->total);
    }
    if (w->warmup == 0) {
        begin_measuring(r, 0);
    }
    p->begin_seconds = run_clock_seconds();
    return true;
}

static enum run_next stop(struct run *r, enum run_end end)
{
    r->end = end;
    return RUN_OVER;
}

/* A core has ended its last stream; with the last core the run is complete. */
static enum run_next end_core(struct run *r)
{
    r->cores_going--;
    return r->cores_going + r->cores_waiting > 0 ? RUN_OVER : stop(r, RUN_COMPLETE);
}

static enum run_next wait_for_others(struct run *r, struct run_core *c)
{
    c->waits = true;
    r->cores_going--;
    r->cores_waiting++;
    return RUN_WAIT;
}

enum run_next run_slice(struct run *r, unsigned core)
{
    struct run_private *p = r->priv;
    struct run_core *c = &r->cores[core];
    if (r->end != RUN_GOING) {
        return RUN_OVER;
    }
    if (interrupt_requested()) {
        return stop(r, RUN_INTERRUPTED);
    }
    bool warming = c->warmup > 0;
    size_t slice = warming && c->warmup < SLICE ? (size_t)c->warmup : SLICE;
    size_t ran = machine_run(r->machine, core, slice, &r->err);
    if (ran == (size_t)-1) {
        return stop(r, interrupt_requested() ? RUN_INTERRUPTED : RUN_DAMAGED_STREAM);
    }
    r->done += ran;
    progress_update(&p->progress, r->done);
    if (r->machine->cores[core].over) {
        return end_core(r);
    }
    if (r->machine->cores[core].idle) {
        return RUN_IDLE;
    }
    c->warmup -= warming ? ran : 0;
    return warming && c->warmup == 0 ? wait_for_others(r, c) : RUN_ON;
}

/* Whether every core that is not over has done its warm-up. */
static bool all_warm(const struct run *r)
{
    return r->cores_going == 0 && r->cores_waiting > 0;
}

/* Ends the warm-up: all cores start at the time of the last, with their statistics at zero. */
static void start_measuring(struct run *r)
{
    struct machine *m = r->machine;
    hv_cycles start = 0;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        start = m->cores[i].core.now > start ? m->cores[i].core.now : start;
    }
    if (m->params.core.warmup_model == CORE_WARMUP_FUNCTIONAL) {
        machine_set_model(m, (enum core_model)m->params.core.model);
    }
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct core *c = &m->cores[i].core;
        r->cores_going += r->cores[i].waits;
        r->cores[i].waits = false;
        core_charge(c, CORE_COST_INTERRUPT, start - c->now, "waiting"); /* idle; the statistics begin behind it */
    }
    r->cores_waiting = 0;
    machine_reset_stats(m);
    begin_measuring(r, start);
    if (r->turns != NULL) {
        turns_start(r->turns, start);
    }
}

/* From when on a core can go on; one that is idle, from the next interrupt of a device on. UINT64_MAX: never. */
static hv_cycles ready_at(const struct run *r, unsigned core)
{
    const struct machine_core *c = &r->machine->cores[core];
    if (c->over || r->cores[core].waits) {
        return UINT64_MAX;
    }
    return c->idle ? io_core_next(c) : c->core.now;
}

/* The core that is first of those that can go on; machine.cores when there is none. */
static unsigned first_core(const struct run *r)
{
    const uint64_t cores = r->machine->params.machine.cores;
    unsigned first = (unsigned)cores;
    hv_cycles at = UINT64_MAX;
    for (unsigned i = 0; i < cores; i++) {
        hv_cycles ready = ready_at(r, i);
        first = ready < at ? i : first;
        at = ready < at ? ready : at;
    }
    return first;
}

/*
 * With timing.sync quantum a core stops at the end of its quantum for the others, which go on in the order of time
 * and, at the same time, of core numbers. A lone core stops for nobody. Devices act as soon as no core is behind them.
 */
static bool step_in_quanta(struct run *r)
{
    const struct machine *m = r->machine;
    const uint64_t quantum = m->params.timing.quantum_cycles;
    if (r->end != RUN_GOING) {
        return false;
    }
    const unsigned core = first_core(r);
    const hv_cycles now = core < m->params.machine.cores ? ready_at(r, core) : UINT64_MAX;
    if (io_next(m->io) < now) {
        io_act(m->io, io_next(m->io));
        return true;
    }
    if (now == UINT64_MAX) {
        return false;
    }
    const bool alone = m->params.machine.cores == 1 && m->io == NULL;
    software_set_limit(&m->cores[core], alone ? UINT64_MAX : (now / quantum + 1) * quantum);
    run_slice(r, core);
    return true;
}

/* Devices end a run: they have done what was asked for, or nobody has anything left to do and they wait in vain. */
static bool end_devices(struct run *r, bool ran)
{
    const struct machine_io *io = r->machine->io;
    if (io != NULL && r->end == RUN_GOING && (!ran || io_over(io) || interrupt_requested())) {
        stop(r, interrupt_requested() ? RUN_INTERRUPTED : RUN_COMPLETE);
    }
    return ran && (io == NULL || r->end == RUN_GOING);
}

bool run_step(struct run *r)
{
    const bool ran = r->turns != NULL ? turns_step(r->turns) : step_in_quanta(r);
    if (all_warm(r)) {
        start_measuring(r);
    }
    return end_devices(r, ran);
}

hv_cycles run_reached(const struct run *r)
{
    const unsigned first = first_core(r);
    return first < r->machine->params.machine.cores ? r->machine->cores[first].core.now : 0;
}

void run_connect(struct run *r, unsigned core, const struct mem_port *memory)
{
    if (r->turns != NULL) {
        r->turns->turn[core].memory = *memory;
    }
}

void run_plainly(struct run *r)
{
    while (run_step(r)) {
    }
}

void run_end_measuring(struct run *r)
{
    const struct run_private *p = r->priv;
    if (r->wall_seconds == 0) {
        r->wall_seconds = run_clock_seconds() - p->begin_seconds;
    }
    if (r->measuring && r->options.activity != NULL) {
        machine_unwatch(r->machine, r->options.activity);
    }
    if (r->measuring && r->options.intervals != NULL) {
        intervals_end(r->options.intervals);
    }
    r->measuring = false;
}

void run_finish(struct run *r)
{
    struct run_private *p = r->priv;
    run_end_measuring(r);
    progress_fini(&p->progress);
    if (r->turns != NULL) {
        turns_free(r->turns);
    }
    free(p);
    free(r->cores);
    r->priv = NULL;
    r->cores = NULL;
    r->turns = NULL;
    machine_check(r->machine);
}
