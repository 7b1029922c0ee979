/* SPDX-License-Identifier: MIT */
/*
 * An engine computes points, wherever: as processes here, or as jobs of a cluster.
 *
 * It gets a list of points that have been judged, and leaves their files in points/ and an outcome for each. What it
 * may rely on: a point's file appears whole or not at all, so whatever happens to a process, running its point again is
 * right. One point alone is computed by sweep_compute_point(), which is what `hvsim sweep FILE --point N` does.
 */
#ifndef HV_SWEEP_ENGINE_H
#define HV_SWEEP_ENGINE_H

#include "sweep/sweep.h"

enum sweep_end {
    SWEEP_NOT_RUN, /* the sweep was interrupted before, or while it ran */
    SWEEP_COMPUTED,
    SWEEP_FAILED,
};

struct sweep_outcome {
    enum sweep_end end;
    char reason[320]; /* of SWEEP_FAILED: a sentence */
    bool killed;      /* of SWEEP_FAILED: a signal did it, so another try may end better */
    /* For an estimate */
    uint64_t accesses;
    double setup_seconds, run_seconds;
};

struct sweep_job {
    const struct sweep *sweep;
    const size_t *points; /* to be computed; those of a group follow each other, so that they share its preparation */
    size_t count;
    unsigned processes;    /* at once; of jobs of a cluster, 0: as many as it has room for */
    const char *directory; /* NULL: results are thrown away, because only their time is of interest */
    const char *slurm_options; /* for sbatch, or NULL */
    size_t points_per_task;    /* of a job of a cluster; 0: one, or more where that would be too many tasks */
    struct sweep_outcome *outcomes; /* by place in points; zeroed, and filled by the engine */
    bool cancelled; /* filled by the engine: somebody ended it from elsewhere, as Ctrl-C would */
};

struct sweep_engine {
    const char *name;
    /* Whether it could begin here; NULL: always. To be asked before anything is changed. */
    bool (*check)(struct hv_err *err);
    /* False, with a sentence, when it could not even begin. A point that fails is no failure of the engine. */
    bool (*run)(struct sweep_job *job, struct hv_err *err);
    /* Says what running would submit to others; NULL: nothing. */
    bool (*describe)(const struct sweep_job *job, FILE *out, struct hv_err *err);
};

extern const struct sweep_engine sweep_engine_local, sweep_engine_slurm;

/* How a process ended, by its status from waitpid(), as a sentence's end. */
void sweep_describe_end(int status, char *text, size_t bytes);

/*
 * Computes a point in this process and writes its file. `prepared`, if not NULL, is a machine whose software half is
 * that of the point's group; it becomes the point's machine. `run` is where a watcher may look how far it is. Once in a
 * process.
 */
bool sweep_compute_point(const struct sweep_job *job, const struct sweep_point *point, struct machine *prepared,
                         struct run *run, struct hv_err *err);

#endif
