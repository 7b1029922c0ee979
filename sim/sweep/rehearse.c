/* SPDX-License-Identifier: MIT */
#include "sweep/rehearse.h"

#include <stdlib.h>

/* --- What is wrong ------------------------------------------------------------------------------------------------ */

static bool fail_row(const struct sweep *s, const struct sweep_point *point, const struct hv_err *why,
                     struct hv_err *err)
{
    char description[512];
    sweep_describe_row(s, point->row, description, sizeof(description));
    return hv_fail(err, "%s: with %s: %s", s->doc.file, description, why->text);
}

/* Tries a machine; leaves how many accesses it would make. */
static bool try_machine(const struct machine_params *params, uint64_t *accesses, struct hv_err *err)
{
    struct machine_params unmapped = *params;
    unmapped.paging.prefault = false; /* mapping everything would take time and cannot fail */
    struct machine *m = machine_new(&unmapped, NULL, err);
    struct run_options options = {.show_progress = false};
    struct run run;
    bool ok = m != NULL && run_begin(&run, m, &options, err);
    if (ok) {
        *accesses = run.total;
        run_finish(&run);
    }
    if (m != NULL) {
        machine_free(m);
    }
    return ok;
}

/* The hardware alone: under a workload that costs nothing to open. */
static bool try_hardware(const struct machine_params *params, struct hv_err *err)
{
    struct machine_params small = *params;
    uint64_t ignored;
    small.workload.kind = WORKLOAD_UNIFORM;
    small.workload.footprint = HV_PAGE_BYTES;
    small.workload.accesses = 1;
    small.workload.warmup = 0;
    return try_machine(&small, &ignored, err);
}

/* The accesses of a point of the same family, which has the same workload but for the seed; 0: there is none. */
static uint64_t known_accesses(const struct sweep *s, const size_t *points, size_t count, uint64_t family)
{
    for (size_t i = count; i-- > 0;) {
        if (s->points[points[i]].family == family) {
            return s->points[points[i]].accesses;
        }
    }
    return 0;
}

bool sweep_rehearse(struct sweep *s, const size_t *points, size_t count, struct hv_err *err)
{
    size_t tried_row = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        struct sweep_point *p = &s->points[points[i]];
        struct hv_err why = {""};
        p->accesses = known_accesses(s, points, i, p->family);
        bool ok = p->accesses == 0 ? try_machine(&p->params, &p->accesses, &why)
                                   : p->row == tried_row || try_hardware(&p->params, &why);
        if (!ok) {
            return fail_row(s, p, &why, err);
        }
        tried_row = p->row;
    }
    return true;
}

/* --- How long it takes -------------------------------------------------------------------------------------------- */

enum { SAMPLES_MAX = 8, SAMPLES_MIN = 3, SAMPLE_ACCESSES = 100000 };

static size_t count_groups(const struct sweep_job *job)
{
    size_t groups = 0;
    for (size_t i = 0; i < job->count; i++) {
        const struct sweep_point *p = &job->sweep->points[job->points[i]];
        groups += i == 0 || p->group != job->sweep->points[job->points[i - 1]].group;
    }
    return groups;
}

/* Points from all over the list whose runs are cut short. */
static size_t choose(const struct sweep_job *job, struct sweep_point *chosen)
{
    size_t wanted = job->processes < SAMPLES_MIN ? SAMPLES_MIN : job->processes;
    wanted = wanted > SAMPLES_MAX ? SAMPLES_MAX : wanted;
    wanted = wanted > job->count ? job->count : wanted;
    for (size_t i = 0; i < wanted; i++) {
        chosen[i] = job->sweep->points[job->points[(2 * i + 1) * job->count / (2 * wanted)]];
        struct workload_params *w = &chosen[i].params.workload;
        w->accesses = w->accesses < SAMPLE_ACCESSES ? w->accesses : SAMPLE_ACCESSES;
        w->warmup = 0;
        chosen[i].group = i; /* each prepares for itself, so that this is timed as well */
    }
    return wanted;
}

/* Preparations come one after the other, runs are spread over the processes. */
static struct sweep_estimate extrapolate(const struct sweep_job *job, const struct sweep_outcome *outcomes,
                                         size_t count)
{
    struct sweep_estimate e = {0};
    double setup = 0, run = 0, measured = 0, accesses = 0;
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i].end == SWEEP_COMPUTED) {
            e.samples++;
            setup += outcomes[i].setup_seconds;
            run += outcomes[i].run_seconds;
            measured += (double)outcomes[i].accesses;
        }
    }
    for (size_t i = 0; i < job->count; i++) {
        accesses += (double)job->sweep->points[job->points[i]].accesses;
    }
    if (e.samples > 0 && measured > 0) {
        size_t groups = count_groups(job);
        double lanes = (double)(job->processes < job->count ? job->processes : job->count);
        setup *= (double)groups / (double)e.samples / (groups == job->count ? lanes : 1);
        e.seconds = setup + run * accesses / measured / lanes;
    }
    return e;
}

struct sweep_estimate sweep_estimate(const struct sweep_job *job)
{
    struct sweep_point *chosen = calloc(SAMPLES_MAX, sizeof(*chosen));
    HV_ASSERT(chosen != NULL, "out of memory");
    struct sweep sampled = *job->sweep;
    struct sweep_outcome outcomes[SAMPLES_MAX] = {{.end = SWEEP_NOT_RUN}};
    size_t points[SAMPLES_MAX] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct sweep_job job_of_samples = {
        .sweep = &sampled, .points = points, .processes = job->processes, .outcomes = outcomes,
    };
    struct hv_err ignored = {""};
    struct sweep_estimate e = {0};
    sampled.points = chosen;
    job_of_samples.count = choose(job, chosen);
    if (sweep_engine_local.run(&job_of_samples, &ignored)) {
        e = extrapolate(job, outcomes, job_of_samples.count);
    }
    free(chosen);
    return e;
}
