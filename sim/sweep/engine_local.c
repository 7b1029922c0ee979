/* SPDX-License-Identifier: MIT */
/*
 * Points as processes on this machine.
 *
 *     this process      watches: progress, Ctrl-C, and what became of
 *      the worker       prepares the software half of one group of points after the other, and forks
 *       a point         builds its hardware on its copy of the memory, runs, writes its file
 *
 * Preparing is most of a run when much memory is mapped, and page tables are hardly written to afterwards, so a group
 * of points takes the time and the memory of one preparation. Only one group is prepared at a time.
 *
 * A point that dies takes nothing with it. A worker that dies takes the group that it was at, whose points are then
 * counted as failed, and its children with it (they ask the kernel for that); another worker goes on. What has to be
 * told goes over a board that all of them share.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "sweep/engine.h"

enum { WATCH_NS = 20000000 };

enum cell_state { CELL_WAITING, CELL_RUNNING, CELL_COMPUTED, CELL_FAILED };

struct cell {
    enum cell_state state;
    struct run run; /* of the point's process; others read only how much is done */
    double seconds; /* that the process took in all */
    bool killed;
    char reason[sizeof(((struct sweep_outcome *)0)->reason)];
};

struct board {
    size_t first, end; /* the group that the worker is at */
    struct cell cells[];
};

struct local {
    struct sweep_job *job;
    struct board *board;
    pid_t *pids; /* the worker's: of the points that run, by cell; 0: none */
    unsigned running;
};

static const struct sweep_point *point_at(const struct local *l, size_t i)
{
    return &l->job->sweep->points[l->job->points[i]];
}

void sweep_describe_end(int status, char *text, size_t bytes)
{
    if (WIFSIGNALED(status)) {
        const char *hint = WTERMSIG(status) == SIGKILL ? ", by somebody or for want of memory" : "";
        snprintf(text, bytes, "was killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)), hint);
    } else if (WEXITSTATUS(status) == HV_EXIT_BUG) {
        snprintf(text, bytes, "met a simulator bug, which is told above");
    } else {
        snprintf(text, bytes, "ended with exit code %d", WEXITSTATUS(status));
    }
}

static void fail_cell(struct cell *c, const char *what, int status)
{
    char how[128];
    sweep_describe_end(status, how, sizeof(how));
    c->state = CELL_FAILED;
    c->killed = WIFSIGNALED(status);
    if (c->reason[0] == '\0') {
        snprintf(c->reason, sizeof(c->reason), "%s %s", what, how);
    }
}

/* Forks a process that does not outlive this one. Ctrl-C in a terminal is the watcher's affair. */
static pid_t fork_mortal(void)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_DFL);
        if (getppid() != parent) {
            _exit(HV_EXIT_INTERRUPTED);
        }
    }
    return pid;
}

/* --- A point ------------------------------------------------------------------------------------------------------ */

static _Noreturn void compute(struct local *l, size_t i, struct machine *prepared)
{
    struct cell *c = &l->board->cells[i];
    struct hv_err err = {""};
    double begin = run_clock_seconds();
    bool ok = sweep_compute_point(l->job, point_at(l, i), prepared, &c->run, &err);
    c->seconds = run_clock_seconds() - begin;
    snprintf(c->reason, sizeof(c->reason), "%.250s", err.text);
    c->state = ok ? CELL_COMPUTED : CELL_RUNNING; /* said here, it is true even if nobody lives to see us end */
    _exit(ok ? HV_EXIT_OK : HV_EXIT_USER);
}

/* --- The worker --------------------------------------------------------------------------------------------------- */

/* Waits until one of the points has ended. */
static void reap(struct local *l)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    for (size_t i = 0; pid > 0 && i < l->job->count; i++) {
        if (l->pids[i] == pid) {
            struct cell *c = &l->board->cells[i];
            l->pids[i] = 0;
            l->running--;
            if (c->state != CELL_COMPUTED) {
                fail_cell(c, "its process", status);
            }
        }
    }
}

static void start(struct local *l, size_t i, struct machine *prepared)
{
    struct cell *c = &l->board->cells[i];
    while (l->running >= l->job->processes) {
        reap(l);
    }
    c->state = CELL_RUNNING;
    pid_t pid = fork_mortal();
    if (pid == 0) {
        compute(l, i, prepared);
    }
    if (pid < 0) {
        snprintf(c->reason, sizeof(c->reason), "no process could be started: %s", strerror(errno));
        c->state = CELL_FAILED;
        return;
    }
    l->pids[i] = pid;
    l->running++;
}

/* Where the group that begins at `first` ends; *waiting is how many of its points have still to be computed. */
static size_t group_end(const struct local *l, size_t first, size_t *waiting)
{
    size_t i = first;
    *waiting = 0;
    for (; i < l->job->count && point_at(l, i)->group == point_at(l, first)->group; i++) {
        *waiting += l->board->cells[i].state == CELL_WAITING;
    }
    return i;
}

/* A point that shares with none prepares for itself, beside others that run. */
static void work_on_group(struct local *l, size_t first, size_t end, size_t waiting)
{
    struct machine *prepared = NULL;
    struct hv_err err = {""};
    if (waiting > 1) {
        while (l->running >= l->job->processes) { /* preparing takes the place of a point */
            reap(l);
        }
        prepared = machine_prepare(&point_at(l, first)->params, NULL, &err);
    }
    for (size_t i = first; i < end; i++) {
        struct cell *c = &l->board->cells[i];
        if (c->state == CELL_WAITING && waiting > 1 && prepared == NULL) {
            snprintf(c->reason, sizeof(c->reason), "%.300s", err.text);
            c->state = CELL_FAILED;
        } else if (c->state == CELL_WAITING) {
            start(l, i, prepared);
        }
    }
    if (prepared != NULL) {
        machine_free(prepared);
    }
}

static _Noreturn void work(struct local *l)
{
    size_t end, waiting;
    for (size_t first = 0; first < l->job->count; first = end) {
        end = group_end(l, first, &waiting);
        if (waiting > 0) {
            l->board->first = first;
            l->board->end = end;
            work_on_group(l, first, end, waiting);
        }
    }
    while (l->running > 0) {
        reap(l);
    }
    _exit(HV_EXIT_OK);
}

/* --- The watcher -------------------------------------------------------------------------------------------------- */

struct watch {
    struct progress progress;
    char label[64];
};

static void begin_watch(const struct local *l, struct watch *w)
{
    uint64_t total = 0;
    for (size_t i = 0; i < l->job->count; i++) {
        total += point_at(l, i)->accesses;
    }
    *w = (struct watch){.label = "sweep"};
    if (l->job->directory != NULL) {
        progress_init(&w->progress, stderr, w->label, "accesses", total);
    }
}

static void show(const struct local *l, struct watch *w)
{
    uint64_t done = 0;
    size_t ended = 0;
    for (size_t i = 0; i < l->job->count; i++) {
        const struct cell *c = &l->board->cells[i];
        bool over = c->state == CELL_COMPUTED || c->state == CELL_FAILED;
        ended += over;
        done += over ? point_at(l, i)->accesses : c->state == CELL_RUNNING ? c->run.done : 0;
    }
    snprintf(w->label, sizeof(w->label), "sweep  %zu of %zu points", ended, l->job->count);
    progress_update(&w->progress, done);
}

/* Watches a worker until it and all that it started are gone. */
static int watch(const struct local *l, struct watch *w, pid_t worker)
{
    const struct timespec pause = {.tv_nsec = WATCH_NS};
    int status = 0;
    while (waitpid(worker, &status, WNOHANG) == 0) {
        if (interrupt_requested()) {
            kill(worker, SIGKILL); /* files appear whole or not at all */
        }
        show(l, w);
        nanosleep(&pause, NULL);
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
        /* Its children are ours now (PR_SET_CHILD_SUBREAPER), and dying. */
    }
    return status;
}

/* After a worker's death: who was still to be computed, and whether that goes on. Returns whether any are waiting. */
static bool sort_out(const struct local *l, int status)
{
    bool waiting = false;
    for (size_t i = 0; i < l->job->count; i++) {
        struct cell *c = &l->board->cells[i];
        bool over = c->state == CELL_COMPUTED || c->state == CELL_FAILED;
        if (!over && i >= l->board->first && i < l->board->end && !interrupt_requested()) {
            fail_cell(c, "the process that prepared its workload", status);
        } else if (!over) {
            c->state = CELL_WAITING;
            c->reason[0] = '\0';
            waiting = true;
        }
    }
    l->board->first = l->board->end = 0;
    return waiting;
}

static bool run_workers(struct local *l, struct hv_err *err)
{
    struct watch w;
    bool ok = true, waiting = true;
    begin_watch(l, &w);
    while (ok && waiting && !interrupt_requested()) {
        fflush(NULL); /* or the child would write it again */
        l->board->end = l->job->count; /* a worker that dies before its first group has nobody else to blame */
        pid_t worker = fork_mortal();
        if (worker == 0) {
            work(l);
        }
        ok = worker > 0 || hv_fail(err, "no process could be started: %s", strerror(errno));
        waiting = ok && sort_out(l, watch(l, &w, worker));
    }
    progress_fini(&w.progress);
    return ok;
}

static void tell_outcomes(const struct local *l)
{
    for (size_t i = 0; i < l->job->count; i++) {
        const struct cell *c = &l->board->cells[i];
        struct sweep_outcome *o = &l->job->outcomes[i];
        o->end = c->state == CELL_COMPUTED ? SWEEP_COMPUTED : c->state == CELL_FAILED ? SWEEP_FAILED : SWEEP_NOT_RUN;
        memcpy(o->reason, c->reason, sizeof(o->reason));
        o->killed = c->killed;
        o->accesses = c->run.done;
        o->run_seconds = c->run.wall_seconds;
        o->setup_seconds = c->seconds - c->run.wall_seconds;
    }
}

static bool run_local(struct sweep_job *job, struct hv_err *err)
{
    struct local l = {.job = job};
    size_t bytes = sizeof(*l.board) + job->count * sizeof(l.board->cells[0]);
    l.board = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    l.pids = calloc(job->count, sizeof(*l.pids));
    HV_ASSERT(l.board != MAP_FAILED && l.pids != NULL, "out of memory");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    bool ok = run_workers(&l, err);
    tell_outcomes(&l);
    free(l.pids);
    munmap(l.board, bytes);
    return ok;
}

const struct sweep_engine sweep_engine_local = {"local", NULL, run_local, NULL};
