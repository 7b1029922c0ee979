/* SPDX-License-Identifier: MIT */
/*
 * One run of a machine, in slices: what the SystemC shell (or a plain loop) calls until it is over.
 *
 * All policy of a run is here: warm-up, progress, interruption, completion. The shell only decides which core is next.
 * Each core executes its share of the warm-up, then waits for the others (RUN_WAIT), so that the statistics of all
 * begin at the same time.
 */
#ifndef HV_MACHINE_RUN_H
#define HV_MACHINE_RUN_H

#include "machine/machine.h"

struct run_options {
    bool show_progress;          /* on stderr, when that is a terminal */
    struct activity *activity;   /* what is recorded into, from the end of the warm-up on; may be NULL */
    struct intervals *intervals; /* the series that is taken, likewise; may be NULL */
};

enum run_end { RUN_GOING, RUN_COMPLETE, RUN_INTERRUPTED, RUN_DAMAGED_STREAM };

/* What a core does after a slice. */
enum run_next {
    RUN_ON,   /* goes on, at the time where it stopped */
    RUN_WAIT, /* has done its warm-up and waits until run_all_warm() */
    RUN_OVER, /* has nothing left to do, or the whole run has ended */
};

struct run_core {
    uint64_t warmup; /* accesses that this core has still to make before the statistics begin */
    bool waits;
};

struct run {
    struct machine *machine;
    struct run_options options;
    struct run_core *cores;
    unsigned cores_going; /* neither over nor waiting */
    unsigned cores_waiting;
    uint64_t done;       /* accesses executed, warm-up included */
    uint64_t total;
    bool measuring;      /* the statistics have begun, and neither recording nor intervals have ended */
    enum run_end end;
    struct hv_err err;   /* of RUN_DAMAGED_STREAM */
    double wall_seconds; /* of the run, set-up apart; filled by run_end_measuring */
    void *priv;          /* progress and clock, owned by run.c */
};

/* Fails with a sentence when the warm-up leaves nothing of the workload; then there is nothing to finish. */
bool run_begin(struct run *r, struct machine *machine, const struct run_options *options, struct hv_err *err);

/* Executes the next slice on a core, at most until its time reaches cores[core].limit. */
enum run_next run_slice(struct run *r, unsigned core);

/* Whether every core that is not over has done its warm-up. */
static inline bool run_all_warm(const struct run *r)
{
    return r->cores_going == 0 && r->cores_waiting > 0;
}

/*
 * Ends the warm-up once run_all_warm(): all cores start at the time of the last, with their statistics at zero.
 * Returns that time.
 */
hv_cycles run_start_measuring(struct run *r);

/*
 * Where the present quantum of a core ends: with timing.sync quantum it stops there for the others, which go on in the
 * order of time and, at the same time, of core numbers.
 */
hv_cycles run_quantum_end(const struct machine *m, hv_cycles now);

/* Runs a machine to the end without SystemC; several cores always as with timing.sync quantum. */
void run_plainly(struct run *r);

/* No core runs any more: ends the clock, the recording and the intervals. run_finish() does it if nobody did. */
void run_end_measuring(struct run *r);

/* Ends progress, and checks the identities between statistics (machine_check). */
void run_finish(struct run *r);

/* Seconds on a clock that only goes forward, for what a result says about the host. */
double run_clock_seconds(void);

#endif
