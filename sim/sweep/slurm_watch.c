/* SPDX-License-Identifier: MIT */
#include <sys/wait.h>
#include <time.h>

#include "base/progress.h"
#include "sweep/slurm_engine.h"

enum { TICK_NS = 100000000 };

/* Seconds: between questions to the controller, from the first to the longest; until it is told that nothing runs; and
 * for tasks that were cancelled to end. */
static const double LOOK_FIRST = 0.5, LOOK_LAST = 15, LOOK_GROWTH = 1.5, WAITING_TOLD = 60, CANCEL_PATIENCE = 15;

void slurm_pause(void)
{
    const struct timespec pause = {.tv_nsec = TICK_NS};
    nanosleep(&pause, NULL);
}

struct watch {
    struct progress progress;
    char label[64];
};

static void begin_watch(const struct slurm *s, struct watch *w)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s->job->count; i++) {
        total += s->job->sweep->points[s->job->points[i]].accesses;
    }
    *w = (struct watch){.label = "sweep"};
    progress_init(&w->progress, stderr, w->label, "accesses", total);
}

static void show(const struct slurm *s, struct watch *w)
{
    const struct sweep *sweep = s->job->sweep;
    uint64_t done = 0;
    size_t ended = 0;
    for (size_t i = 0; i < s->job->count; i++) {
        bool over = s->job->outcomes[i].end != SWEEP_NOT_RUN;
        ended += over;
        done += over ? sweep->points[s->job->points[i]].accesses : 0;
    }
    for (size_t t = 0; t < s->run.task_count; t++) {
        const struct slurm_task *task = &s->run.tasks[t];
        for (size_t i = task->first; task->reported && i < task->first + task->count; i++) {
            bool wanted = s->places[s->run.points[i]] != SLURM_NOWHERE;
            ended += wanted;
            done += wanted ? sweep->points[s->run.points[i]].accesses : 0;
        }
    }
    snprintf(w->label, sizeof(w->label), "sweep  %zu of %zu points", ended, s->job->count);
    progress_update(&w->progress, done);
}

static bool all_reported(const struct slurm *s)
{
    size_t reported = 0;
    for (size_t t = 0; t < s->run.task_count; t++) {
        reported += s->run.tasks[t].reported;
    }
    return reported == s->run.task_count;
}

/* A node that lacks what a task needs: that is no loss, but a mistake. */
static bool check_node(const struct slurm *s, const struct slurm_row *row, struct hv_err *err)
{
    switch (row->end != NULL && WIFEXITED(row->status) ? WEXITSTATUS(row->status) : 0) {
    case SLURM_NO_RESULTS:
        return hv_fail(err, "node %s cannot read and write %s: with --engine slurm the results have to be in a "
                       "directory that all nodes share; choose one with --out", row->node, s->run.results);
    case SLURM_NO_FOLDER:
        return hv_fail(err, "node %s does not have the working directory: start the sweep in a directory that all "
                       "nodes share", row->node);
    case SLURM_NO_PROGRAM:
        return hv_fail(err, "node %s does not have this hvsim: start one that lies in a directory that all nodes share",
                       row->node);
    default:
        return true;
    }
}

/* Takes over what the controller says. *over: none of the tasks waits or runs. */
bool slurm_take(struct slurm *s, const struct slurm_queue *queue, bool *over, struct hv_err *err)
{
    bool ok = true;
    *over = true;
    for (size_t i = 0; i < queue->count; i++) {
        const struct slurm_row *row = &queue->rows[i];
        s->number = row->job;
        *over = *over && row->end != NULL;
        if (row->task >= 1 && row->task <= s->run.task_count) {
            s->run.tasks[row->task - 1].row = *row;
            ok = ok && check_node(s, row, err);
        }
    }
    return ok;
}

/* Says once that nothing runs, since that can go on for ever, as when an administrator holds the job. */
static void tell_waiting(struct slurm *s, const struct slurm_queue *queue, double since)
{
    const char *reason = NULL;
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->rows[i].began) {
            return;
        }
        reason = queue->rows[i].end == NULL ? queue->rows[i].reason : reason;
    }
    if (reason != NULL && !s->told_waiting && run_clock_seconds() - since > WAITING_TOLD) {
        s->told_waiting = true;
        fprintf(stderr, "hvsim: no task of Slurm job %llu runs yet: %s\n", (unsigned long long)s->number, reason);
    }
}

/* Asks the controller. Its silence is no end: tasks go on without it, and it comes back. */
static bool look(struct slurm *s, double since, bool *over, struct hv_err *err)
{
    struct slurm_queue queue;
    struct hv_err silence = {""};
    bool ok = true;
    *over = false;
    if (slurm_look(s->run.name, &queue, &silence)) {
        ok = slurm_take(s, &queue, over, err);
        tell_waiting(s, &queue, since);
    } else if (!s->told_silence) {
        s->told_silence = true;
        fprintf(stderr, "hvsim: %s; waiting\n", silence.text);
    }
    slurm_queue_fini(&queue);
    return ok;
}

/* Cancels what waits or runs, and sees it end. */
void slurm_end(struct slurm *s)
{
    struct hv_err err = {""};
    double until = run_clock_seconds() + CANCEL_PATIENCE;
    bool over = false;
    if (!slurm_cancel(s->run.name, &err)) {
        fprintf(stderr, "hvsim: cannot cancel Slurm job %llu: %s\n", (unsigned long long)s->number, err.text);
        return;
    }
    while (!over && run_clock_seconds() < until) {
        struct slurm_queue queue;
        struct hv_err ignored = {""};
        slurm_pause();
        over = !slurm_look(s->run.name, &queue, &ignored);
        (void)(over || slurm_take(s, &queue, &over, &ignored));
        slurm_queue_fini(&queue);
    }
}

/* Until every task has reported, or none is left that could. */
bool slurm_watch(struct slurm *s, struct hv_err *err)
{
    double begin = run_clock_seconds(), pause = LOOK_FIRST, next = begin + pause;
    bool over = false, ok = true;
    struct watch w;
    begin_watch(s, &w);
    while (ok && !over && !interrupt_requested()) {
        slurm_pause();
        if (run_clock_seconds() >= next) {
            ok = look(s, begin, &over, err);
            pause = pause * LOOK_GROWTH < LOOK_LAST ? pause * LOOK_GROWTH : LOOK_LAST;
            next = run_clock_seconds() + pause;
        }
        slurm_run_find_reports(&s->run);
        show(s, &w);
        over = over || all_reported(s);
    }
    progress_fini(&w.progress);
    if (!over) {
        slurm_end(s);
    }
    return ok;
}
