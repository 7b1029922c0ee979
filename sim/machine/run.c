/* SPDX-License-Identifier: MIT */
#include "machine/run.h"

#include <stdlib.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/progress.h"

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

bool run_begin(struct run *r, struct machine *machine, const struct run_options *options, struct hv_err *err)
{
    *r = (struct run){
        .machine = machine,
        .options = *options,
        .warmup = machine->params.workload.warmup,
        .total = workload_total(machine->workload),
    };
    if (r->warmup >= r->total) {
        return hv_fail(err, "workload.warmup of %llu accesses leaves none to measure of a workload of %llu; lower it",
                       (unsigned long long)r->warmup, (unsigned long long)r->total);
    }
    struct run_private *p = calloc(1, sizeof(*p));
    HV_ASSERT(p != NULL, "out of memory");
    r->priv = p;
    if (options->show_progress) {
        progress_init(&p->progress, stderr, "run", "accesses", r->total);
    }
    p->begin_seconds = run_clock_seconds();
    return true;
}

/* What is left until the end of the warm-up or of the run, cut into slices. */
static size_t next_slice(const struct run *r)
{
    uint64_t end = r->done < r->warmup ? r->warmup : r->total;
    return end - r->done < SLICE ? (size_t)(end - r->done) : SLICE;
}

static bool stop(struct run *r, enum run_end end)
{
    r->end = end;
    return false;
}

bool run_slice(struct run *r, unsigned core)
{
    struct run_private *p = r->priv;
    if (r->end != RUN_GOING) {
        return false;
    }
    if (interrupt_requested()) {
        return stop(r, RUN_INTERRUPTED);
    }
    size_t ran = machine_run(r->machine, core, next_slice(r), &r->err);
    if (ran == (size_t)-1) {
        return stop(r, RUN_DAMAGED_STREAM);
    }
    r->done += ran;
    if (ran == 0 || r->done == r->total) {
        return stop(r, RUN_COMPLETE);
    }
    if (r->done == r->warmup) {
        machine_reset_stats(r->machine);
    }
    progress_update(&p->progress, r->done);
    return true;
}

void run_finish(struct run *r)
{
    struct run_private *p = r->priv;
    r->wall_seconds = run_clock_seconds() - p->begin_seconds;
    progress_fini(&p->progress);
    free(p);
    r->priv = NULL;
    machine_check(r->machine);
}
