/* SPDX-License-Identifier: MIT */
/*
 * What `hvsim run` leaves beside its result on standard output: --out, --interval, --timeline and --vcd.
 *
 * Files are opened before the run, which may take long, rather than found impossible after it, and appear whole after
 * it or not at all.
 */
#ifndef HV_CLI_RUN_OUTPUTS_H
#define HV_CLI_RUN_OUTPUTS_H

#include "cli/options.h"
#include "machine/intervals.h"
#include "machine/result.h"
#include "machine/wave_file.h"

/* What the command line says; NULL: not given. */
struct run_output_options {
    const char *out, *interval, *timeline, *vcd, *activity_limit;
};

extern const struct argp run_outputs_argp;
#define RUN_OUTPUTS_CHILD {&run_outputs_argp, 0, NULL, 0}

struct run_outputs {
    const struct run_output_options *options;
    uint64_t interval, activity_limit;
    bool new_directory;          /* options->out was not there */
    struct activity activity;    /* what --timeline and --vcd show */
    struct intervals *intervals; /* of --interval, or NULL */
    struct atomic_file timeline;
    struct wave_file vcd;
};

/* Judges the options; `format` is that of the result on standard output. options outlive the outputs. */
bool run_outputs_init(struct run_outputs *o, const struct run_output_options *options, enum print_format format,
                      struct hv_err *err);

/* Prepares what a run of this machine is watched with, and tells `run` of it. */
bool run_outputs_prepare(struct run_outputs *o, struct machine *machine, struct run_options *run, struct hv_err *err);

/* Opens the files. On a failure nothing is left behind. */
bool run_outputs_open(struct run_outputs *o, struct hv_err *err);

/* Where the kernel plays what was recorded, for sysc_run(). */
struct wave_file *run_outputs_waves(struct run_outputs *o);

/* Writes what is for files after the run. One that cannot be written does not keep the others from it. */
bool run_outputs_write(struct run_outputs *o, const struct result *result, struct hv_err *err);

/* Gives up what has been opened and not written. */
void run_outputs_abort(struct run_outputs *o);

void run_outputs_fini(struct run_outputs *o);

#endif
