/* SPDX-License-Identifier: MIT */
/*
 * Points as tasks of Slurm's job arrays.
 *
 *     this process    submits what is to be computed as an array, watches it, judges; and again with what was lost
 *      Slurm          runs the tasks, on whichever nodes
 *       a task        is an hvsim that computes some points with the local engine, and reports (slurm_script.c)
 *
 * What is in points/ counts; a report says why something is not. A point is lost when a signal ended it, or when its
 * task ended without a report: its node died, somebody cancelled it. It is tried again, alone in its task, so that it
 * is known who is at fault when that happens TRIES_MAX times. What fails by its own sentence has failed.
 *
 * This process may die and its array live on. The next one finds it by slurm/NUMBER and the name that follows from it,
 * and waits for it when it still computes what is wanted.
 */
#include <stdlib.h>
#include <unistd.h>

#include "sweep/slurm_engine.h"

/* --- Submitting --------------------------------------------------------------------------------------------------- */

/* The points that have still to be computed, divided into tasks. */
static void divide(struct slurm *s)
{
    size_t *points = calloc(s->job->count + 1, sizeof(*points)), count = 0;
    HV_ASSERT(points != NULL, "out of memory");
    for (size_t i = 0; i < s->job->count; i++) {
        if (s->job->outcomes == NULL || s->job->outcomes[i].end == SWEEP_NOT_RUN) {
            points[count++] = s->job->points[i];
        }
    }
    size_t least = (count + s->tasks_max - 1) / s->tasks_max;
    size_t wanted = s->first && s->job->points_per_task > 0 ? s->job->points_per_task : 1;
    slurm_run_divide(&s->run, points, count, wanted > least ? wanted : least);
    free(points);
}

/* The same program as this one, wherever it lies. */
static char *make_script(const struct slurm *s)
{
    char program[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    HV_ASSERT(length > 0, "no /proc");
    return slurm_run_script(&s->run, s->job->sweep, program);
}

static struct slurm_submission submission_of(const struct slurm *s, const char *script)
{
    return (struct slurm_submission){
        .name = s->run.name, .options = s->job->slurm_options, .script = script, .tasks = s->run.task_count,
        .at_once = s->job->processes,
    };
}

static void tell_submission(const struct slurm *s)
{
    fprintf(stderr, "hvsim: %sSlurm job %llu has %zu task%s\n", s->first ? "" : "what was lost is tried again: ",
            (unsigned long long)s->number, s->run.task_count, s->run.task_count == 1 ? "" : "s");
}

static void forget_run(struct slurm *s)
{
    slurm_run_remove_all(s->job->directory);
    slurm_run_fini(&s->run);
}

/* False as well when nothing is left to be computed. */
static bool submit(struct slurm *s, unsigned number, struct hv_err *err)
{
    if (!slurm_run_init(&s->run, s->job->directory, number, err)) {
        return false;
    }
    divide(s);
    if (s->run.task_count == 0 || !slurm_run_write(&s->run, s->job->sweep, err)) {
        forget_run(s);
        return false;
    }
    char *script = make_script(s);
    const struct slurm_submission submission = submission_of(s, script);
    bool ok = slurm_submit(&submission, &s->number, err);
    free(script);
    if (ok) {
        tell_submission(s);
    } else {
        forget_run(s);
    }
    return ok;
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

/* The run of somebody who died, if there is one: *alive when it is worth waiting for. */
static bool find_left(struct slurm *s, unsigned number, bool *alive, struct hv_err *err)
{
    struct hv_err ignored = {""};
    struct slurm_queue queue;
    bool over;
    if (!slurm_run_init(&s->run, s->job->directory, number, err) || !slurm_look(s->run.name, &queue, err)) {
        return false;
    }
    bool known = slurm_run_read(&s->run, s->job->sweep, &ignored) && s->run.matches;
    (void)slurm_take(s, &queue, &over, &ignored);
    slurm_queue_fini(&queue);
    *alive = known && !over;
    if (!over && !known) {
        slurm_end(s);
    }
    return true;
}

static bool watch_run(struct slurm *s, struct hv_err *err)
{
    bool ok = slurm_watch(s, err);
    if (ok) {
        slurm_judge(s);
        s->first = false;
    }
    forget_run(s);
    return ok;
}

static bool run_arrays(struct slurm *s, struct hv_err *err)
{
    unsigned number = slurm_run_newest(s->job->directory);
    bool alive = false, ok = number == 0 || find_left(s, number, &alive, err);
    if (ok && alive) {
        fprintf(stderr, "hvsim: waiting for Slurm job %llu, which was submitted before\n",
                (unsigned long long)s->number);
        ok = watch_run(s, err);
    } else if (ok) {
        forget_run(s);
    }
    s->first = true;
    while (ok && !slurm_is_stopped(s) && submit(s, ++number, err)) {
        ok = watch_run(s, err);
    }
    return ok && err->text[0] == '\0';
}

static bool check_slurm(struct hv_err *err)
{
    size_t ignored;
    return slurm_find_limit(&ignored, err);
}

static bool run_slurm(struct sweep_job *job, struct hv_err *err)
{
    struct slurm s = {.job = job, .first = true};
    size_t points = job->sweep->point_count;
    if (!slurm_find_limit(&s.tasks_max, err)) {
        return false;
    }
    s.places = calloc(points, sizeof(*s.places));
    s.tries = calloc(job->count, sizeof(*s.tries));
    HV_ASSERT(s.places != NULL && s.tries != NULL, "out of memory");
    for (size_t i = 0; i < points; i++) {
        s.places[i] = SLURM_NOWHERE;
    }
    for (size_t i = 0; i < job->count; i++) {
        s.places[job->points[i]] = i;
    }
    bool ok = run_arrays(&s, err);
    free(s.places);
    free(s.tries);
    return ok;
}

static bool describe_slurm(const struct sweep_job *job, FILE *out, struct hv_err *err)
{
    struct sweep_job copy = *job;
    struct slurm s = {.job = &copy, .first = true};
    copy.outcomes = NULL;
    if (!slurm_find_limit(&s.tasks_max, err) ||
        !slurm_run_init(&s.run, job->directory, slurm_run_newest(job->directory) + 1, err)) {
        return false;
    }
    divide(&s);
    char *script = make_script(&s);
    const struct slurm_submission submission = submission_of(&s, script);
    slurm_print_submission(&submission, out);
    free(script);
    slurm_run_fini(&s.run);
    return true;
}

const struct sweep_engine sweep_engine_slurm = {"slurm", check_slurm, run_slurm, describe_slurm};
