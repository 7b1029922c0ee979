/* SPDX-License-Identifier: MIT */
/*
 * One run of a machine, in slices: what the SystemC shell (or a plain loop) calls until it is over.
 *
 * All policy of a run is here: warm-up, intervals, progress, interruption, completion. The shell only decides which
 * core is next.
 */
#ifndef HV_MACHINE_RUN_H
#define HV_MACHINE_RUN_H

#include "machine/machine.h"

struct run_options {
    bool show_progress; /* on stderr, when that is a terminal */
};

enum run_end { RUN_GOING, RUN_COMPLETE, RUN_INTERRUPTED, RUN_DAMAGED_STREAM };

struct run {
    struct machine *machine;
    struct run_options options;
    uint64_t warmup;     /* workload.warmup: accesses before the statistics are zeroed */
    uint64_t done;       /* accesses executed, warm-up included */
    uint64_t total;
    enum run_end end;
    struct hv_err err;   /* of RUN_DAMAGED_STREAM */
    double wall_seconds; /* of the run, set-up apart; filled by run_finish */
    void *priv;          /* progress and clock, owned by run.c */
};

/* Fails with a sentence when the warm-up leaves nothing of the workload; then there is nothing to finish. */
bool run_begin(struct run *r, struct machine *machine, const struct run_options *options, struct hv_err *err);

/* Executes the next slice on a core. False: the run is over, r->end says how. */
bool run_slice(struct run *r, unsigned core);

/* Ends progress and clock, and checks the identities between statistics (machine_check). */
void run_finish(struct run *r);

/* Seconds on a clock that only goes forward, for what a result says about the host. */
double run_clock_seconds(void);

#endif
