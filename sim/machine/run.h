/* SPDX-License-Identifier: MIT */
/*
 * One run of a machine, in slices: what the SystemC shell (or a plain loop) calls until it is over.
 *
 * All policy of a run is here: warm-up, whose turn it is, progress, interruption, completion. The shell only places it
 * in time.
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
    RUN_IDLE, /* has nothing left to run but waits for a device's interrupt */
    RUN_WAIT, /* has done its warm-up and waits until all have */
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
    struct turns *turns;  /* with timing.sync exact, of several cores or devices (machine/turns.h); else NULL */
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

/* Executes the next slice on a core, at most until its time reaches cores[core].limit. For run_step(). */
enum run_next run_slice(struct run *r, unsigned core);

/* Executes the next slice of whichever core is first. False: nothing was left to do. */
bool run_step(struct run *r);

/* The time that every core which goes on has reached. */
hv_cycles run_reached(const struct run *r);

/*
 * Several cores with timing.sync exact: makes what a core wants of the shared memory system go through a port, in the
 * order of time. Otherwise, and if nobody calls this, cores call it directly.
 */
void run_connect(struct run *r, unsigned core, const struct mem_port *memory);

/* Runs a machine to the end without SystemC. */
void run_plainly(struct run *r);

/* No core runs any more: ends the clock, the recording and the intervals. run_finish() does it if nobody did. */
void run_end_measuring(struct run *r);

/* Ends progress, and checks the identities between statistics (machine_check). */
void run_finish(struct run *r);

/* Seconds on a clock that only goes forward, for what a result says about the host. */
double run_clock_seconds(void);

#endif
