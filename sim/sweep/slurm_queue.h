/* SPDX-License-Identifier: MIT */
/*
 * Talking to Slurm: what its commands are asked, and what they answer. Each call runs sbatch, squeue, scancel or
 * scontrol and waits for it.
 */
#ifndef HV_SWEEP_SLURM_QUEUE_H
#define HV_SWEEP_SLURM_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* How a task can end, as Slurm calls it. */
struct slurm_end {
    const char *state;
    const char *text; /* the end of a sentence; NULL: the exit status says more */
    bool again;       /* another try may end better */
    bool by_itself;   /* the script came to an end, whatever that was */
};

/* What squeue says of one task of a job array. */
struct slurm_row {
    uint64_t job;
    uint64_t task;
    const struct slurm_end *end; /* NULL: it waits, or runs */
    int status;                  /* as of waitpid(), of a task that has ended */
    bool began;
    char node[64];
    char reason[64];             /* why it does not run yet */
};

struct slurm_queue {
    struct slurm_row *rows;
    size_t count;
};

/* A job array: the words of sbatch, and the script that each task runs. */
struct slurm_submission {
    const char *name;
    const char *options; /* of the user, separated by blanks; or NULL */
    const char *script;
    size_t tasks;        /* numbered from 1 */
    unsigned at_once;    /* 0: as many as there is room for */
};

/* How many tasks an array may have here; fails when there is no Slurm, or it does not answer. */
bool slurm_find_limit(size_t *tasks, struct hv_err *err);

bool slurm_submit(const struct slurm_submission *submission, uint64_t *job, struct hv_err *err);

/* The command that slurm_submit() would run, for people. */
void slurm_print_submission(const struct slurm_submission *submission, FILE *out);

/* The tasks of this user's jobs of a name that Slurm still knows; fails when it does not answer. */
bool slurm_look(const char *name, struct slurm_queue *queue, struct hv_err *err);
void slurm_queue_fini(struct slurm_queue *queue);

/* The same from what squeue has printed. */
void slurm_read_queue(const char *text, struct slurm_queue *queue);

/* Cancels this user's jobs of a name. */
bool slurm_cancel(const char *name, struct hv_err *err);

#endif
