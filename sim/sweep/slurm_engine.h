/* SPDX-License-Identifier: MIT */
/* What the parts of the Slurm engine share: engine_slurm.c submits, slurm_watch.c watches, slurm_judge.c judges. */
#ifndef HV_SWEEP_SLURM_ENGINE_H
#define HV_SWEEP_SLURM_ENGINE_H

#include "base/interrupt.h"
#include "sweep/slurm_run.h"

#define SLURM_NOWHERE SIZE_MAX

struct slurm {
    struct sweep_job *job;
    size_t tasks_max;     /* of an array */
    size_t *places;       /* by point of the sweep: where the job has it, or SLURM_NOWHERE */
    unsigned char *tries; /* that went wrong, by place */
    struct slurm_run run;
    uint64_t number;      /* of Slurm's job, as soon as it is known */
    bool first;           /* nothing was lost so far */
    bool told_silence, told_waiting;
};

/* Whether the points that are missing are so because somebody wants them to be. */
static inline bool slurm_is_stopped(const struct slurm *s)
{
    return interrupt_requested() || s->job->cancelled;
}

void slurm_pause(void);

/* Takes over what the controller says. *over: none of the tasks waits or runs. Fails when a node lacks something. */
bool slurm_take(struct slurm *s, const struct slurm_queue *queue, bool *over, struct hv_err *err);

/* Waits until every task has reported, or none is left that could; cancels them after Ctrl-C and when it fails. */
bool slurm_watch(struct slurm *s, struct hv_err *err);

/* Cancels what waits or runs, and sees it end. */
void slurm_end(struct slurm *s);

/* What became of the points of a run that is over; those that are to be tried again stay SWEEP_NOT_RUN. */
void slurm_judge(struct slurm *s);

#endif
