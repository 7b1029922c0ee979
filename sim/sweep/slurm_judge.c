/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "sweep/slurm_engine.h"
#include "sweep/store.h"

enum { TRIES_MAX = 3 };

/* Seconds for a file that a node has written to be seen here: so long NFS remembers what a directory holds. */
static const double FILE_PATIENCE = 60;

/* Whether a task has ended in a way that leaves a report. */
static bool has_promised(const struct slurm_task *task)
{
    return task->row.end != NULL && task->row.end->by_itself && WIFEXITED(task->row.status) &&
           WEXITSTATUS(task->row.status) <= HV_EXIT_RUN_FAILED;
}

static void describe_loss(const struct slurm_task *task, char *reason, size_t bytes)
{
    char how[128];
    if (task->row.end == NULL) {
        snprintf(reason, bytes, "its Slurm task is gone, and nobody knows why");
    } else if (task->row.end->text != NULL) {
        snprintf(reason, bytes, "its Slurm task %s", task->row.end->text);
    } else {
        sweep_describe_end(task->row.status, how, sizeof(how));
        snprintf(reason, bytes, "its Slurm task %s", how);
    }
}

/* A point that is not there, and did not fail by itself. Returns whether that was its last try. */
static bool lose(struct slurm *s, const struct slurm_task *task, size_t place, const struct sweep_outcome *reported)
{
    struct sweep_outcome *o = &s->job->outcomes[place];
    bool guilty = task->row.end != NULL && !task->row.end->again && task->count == 1;
    if (slurm_is_stopped(s) || (++s->tries[place] < TRIES_MAX && !(guilty && !task->reported))) {
        return false;
    }
    o->end = SWEEP_FAILED;
    if (reported->end == SWEEP_FAILED) {
        *o = *reported;
    } else if (task->reported) {
        snprintf(o->reason, sizeof(o->reason), "a node has written its result, and it is not to be seen here");
    } else {
        describe_loss(task, o->reason, sizeof(o->reason));
    }
    return true;
}

/* Returns whether the task's log may say more about a failure. */
static bool judge_points(struct slurm *s, const struct slurm_task *task, const struct sweep_outcome *reported)
{
    bool failed = false;
    for (size_t i = 0; i < task->count; i++) {
        size_t place = s->places[s->run.points[task->first + i]];
        if (place == SLURM_NOWHERE || s->job->outcomes[place].end != SWEEP_NOT_RUN) {
            continue;
        }
        if (reported[i].end == SWEEP_FAILED && !reported[i].killed) {
            s->job->outcomes[place] = reported[i];
            failed = true;
        } else {
            failed = lose(s, task, place, &reported[i]) || failed;
        }
    }
    return failed;
}

/* Marks the points that are there; returns whether others should be by what is known of the task. */
static bool find_points(struct slurm *s, const struct slurm_task *task, const struct sweep_outcome *reported)
{
    bool missing = false;
    for (size_t i = 0; i < task->count; i++) {
        size_t point = s->run.points[task->first + i], place = s->places[point];
        if (place != SLURM_NOWHERE && s->job->outcomes[place].end == SWEEP_NOT_RUN) {
            bool there = store_state(s->job->directory, &s->job->sweep->points[point]) == SWEEP_DONE;
            s->job->outcomes[place].end = there ? SWEEP_COMPUTED : SWEEP_NOT_RUN;
            missing = missing || (!there && (task->reported ? reported[i].end == SWEEP_COMPUTED : has_promised(task)));
        }
    }
    return missing;
}

static void judge_task(struct slurm *s, size_t t, double until)
{
    struct slurm_task *task = &s->run.tasks[t];
    struct sweep_outcome *reported = calloc(task->count + 1, sizeof(*reported));
    HV_ASSERT(reported != NULL, "out of memory");
    slurm_report_read(&s->run, t, reported);
    while (find_points(s, task, reported) && !slurm_is_stopped(s) && run_clock_seconds() < until) {
        slurm_pause();
        slurm_run_find_reports(&s->run);
        slurm_report_read(&s->run, t, reported);
    }
    if (judge_points(s, task, reported)) {
        slurm_log_copy(&s->run, t, stderr);
    }
    free(reported);
}

/* Somebody who cancels one task finds it slow; who cancels several wants the sweep to end. */
static bool was_cancelled(const struct slurm *s)
{
    size_t cancelled = 0;
    for (size_t t = 0; t < s->run.task_count; t++) {
        const struct slurm_task *task = &s->run.tasks[t];
        cancelled += !task->reported && task->row.end != NULL && strcmp(task->row.end->state, "CANCELLED") == 0;
    }
    return cancelled > 1;
}

void slurm_judge(struct slurm *s)
{
    double until = run_clock_seconds() + FILE_PATIENCE;
    s->job->cancelled = was_cancelled(s) && !interrupt_requested();
    for (size_t t = 0; t < s->run.task_count; t++) {
        judge_task(s, t, until);
    }
}
