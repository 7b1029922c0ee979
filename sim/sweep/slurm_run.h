/* SPDX-License-Identifier: MIT */
/*
 * A job array of a sweep on disk, in the results' directory while it is under way:
 *
 *     slurm/1/tasks       a line a task: the points that it computes, each as NUMBER:KEY
 *     slurm/1/7.report    what became of the points of task 7, a line each: computed, failed WHY or killed WHY
 *     slurm/1/7.log       what task 7 had to say besides
 *
 * The tasks are written before the array is submitted, and its name says where they lie, so that at no moment there are
 * jobs of which nobody knows. Keys tell a task that the sweep is another by now.
 */
#ifndef HV_SWEEP_SLURM_RUN_H
#define HV_SWEEP_SLURM_RUN_H

#include "sweep/engine.h"
#include "sweep/slurm_queue.h"

struct slurm_task {
    size_t first, count; /* of slurm_run.points */
    bool reported;
    struct slurm_row row; /* as squeue told last; begins zeroed */
};

struct slurm_run {
    unsigned number;
    char results[PATH_MAX];       /* the sweep's directory, from the root */
    char directory[PATH_MAX + 32]; /* results/slurm/NUMBER */
    char name[64];                /* of the job */
    struct slurm_task *tasks;     /* the first is task 1 */
    size_t task_count;
    size_t *points;               /* of the sweep, task after task */
    size_t point_count;
    bool matches;                 /* after reading: the points are still those of the sweep */
};

/* Names a run below a directory of results. */
bool slurm_run_init(struct slurm_run *r, const char *results, unsigned number, struct hv_err *err);
void slurm_run_fini(struct slurm_run *r);

/* The highest number of a run that lies there; 0: there is none. */
unsigned slurm_run_newest(const char *results);

/* Gives each task so many points, the last one what is left. */
void slurm_run_divide(struct slurm_run *r, const size_t *points, size_t count, size_t points_per_task);

/* Writes the tasks, into a directory that is made. */
bool slurm_run_write(const struct slurm_run *r, const struct sweep *s, struct hv_err *err);

/* Reads them. */
bool slurm_run_read(struct slurm_run *r, const struct sweep *s, struct hv_err *err);

/* Removes every run of a directory of results, with all its files. */
void slurm_run_remove_all(const char *results);

/* Marks the tasks that have reported. */
void slurm_run_find_reports(struct slurm_run *r);

/* The outcomes of a task's points, in their order; without a readable report they stay as they are. */
void slurm_report_read(const struct slurm_run *r, size_t task, struct sweep_outcome *outcomes);
bool slurm_report_write(const struct slurm_run *r, size_t task, const struct sweep_outcome *outcomes,
                        struct hv_err *err);

/* Copies what a task had to say, the end of it when it is much. */
void slurm_log_copy(const struct slurm_run *r, size_t task, FILE *out);

/* The text of the script that each task runs; `program` is the hvsim. The caller frees it. */
char *slurm_run_script(const struct slurm_run *r, const struct sweep *s, const char *program);

/* What the script ends with when its node lacks something: 97 and up. */
enum slurm_lack { SLURM_NO_RESULTS = 97, SLURM_NO_FOLDER, SLURM_NO_PROGRAM };

/* Computes the points of a task, "RUN/TASK", in this process, and reports. */
bool slurm_run_task(const struct sweep_job *job, const char *task, bool *failed, struct hv_err *err);

#endif
