/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "machine/result.h"
#include "sysc/sysc_run.h"

enum { KEY_OUT = OPTION_LONG, KEY_FORMAT, KEY_TRACE_POINTS };

struct run_command {
    struct machine_options machine;
    const char *out, *format, *trace_points;
};

static const struct argp_option option_table[] = {
    {"out", KEY_OUT, "DIR", 0, "also write result.json, config.yaml and stats.csv into this directory", 2},
    {"format", KEY_FORMAT, "FORMAT", 0, "of the result on standard output: text, json or csv", 2},
    {"trace-points", KEY_TRACE_POINTS, "LIST", 0,
     "print what happens inside to standard error, one line an event: all, or a list such as walk,fault", 2},
    {0},
};

static const struct argp_child groups[] = {MACHINE_OPTIONS_CHILD, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_command *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &c->machine; return 0;
    case KEY_OUT: c->out = arg; return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    case KEY_TRACE_POINTS: c->trace_points = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp run_argp = {
    .options = option_table,
    .parser = parse,
    .children = groups,
    .doc = "Runs a workload on a machine and prints what it cost.",
};

static void report_stale(const struct machine *m)
{
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        stale_report(&m->cores[i].mmu, stderr);
    }
}

/* Writes the result; a directory that cannot be written does not keep it from stdout. */
static int report(const struct run_command *c, const struct result *result, enum print_format format)
{
    const struct run *run = result->run;
    struct hv_err err = {""};
    int code = HV_EXIT_OK;
    if (run->end == RUN_INTERRUPTED) {
        code = HV_EXIT_INTERRUPTED;
        fprintf(stderr, "hvsim: interrupted after %llu of %llu accesses; the result is partial\n",
                (unsigned long long)run->done, (unsigned long long)run->total);
    } else if (stats_count(&run->machine->stats, "mmu.stale_found") > 0) {
        code = HV_EXIT_RUN_FAILED;
    }
    report_stale(run->machine);
    if (c->out != NULL && !result_write_directory(result, c->out, &err)) {
        code = cli_fail(&err);
    }
    result_print(result, format, stdout);
    return code;
}

/* The directory is made before the run, which may take long, rather than found impossible after it. */
static bool run_machine(const struct run_command *c, struct machine *machine, struct run *run, struct hv_err *err)
{
    struct run_options options = {.show_progress = true};
    bool new_directory = c->out != NULL && access(c->out, F_OK) != 0;
    if (!run_begin(run, machine, &options, err)) {
        return false;
    }
    bool ok = c->out == NULL || dir_create(c->out, err);
    if (ok) {
        sysc_run(run);
    }
    run_finish(run);
    if (run->end == RUN_DAMAGED_STREAM) {
        if (new_directory) {
            rmdir(c->out);
        }
        return hv_fail(err, "%s", run->err.text);
    }
    return ok;
}

static int run_command(const struct run_command *c, const struct machine_params *params,
                       const struct trace_points *trace, enum print_format format)
{
    struct hv_err err = {""};
    double begin = run_clock_seconds();
    struct machine *machine = machine_new(params, trace, &err);
    if (machine == NULL) {
        int failed = cli_fail(&err);
        return interrupt_requested() ? HV_EXIT_INTERRUPTED : failed;
    }
    double setup_seconds = run_clock_seconds() - begin;
    struct run run;
    int code;
    if (run_machine(c, machine, &run, &err)) {
        struct result result;
        result_init(&result, &run, cli_version, cli_commit, setup_seconds);
        code = report(c, &result, format);
    } else {
        code = cli_fail(&err);
    }
    machine_free(machine);
    return code;
}

int cmd_run(int argc, char **argv)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", [PRINT_CSV] = "csv", NULL};
    struct run_command c = {0};
    int code = options_read(&run_argp, 0, argc, argv, &c);
    if (code == OPTIONS_READ) {
        struct machine_params params;
        struct trace_points trace = {.out = stderr};
        struct hv_err err = {""};
        int format = option_choice("--format", c.format, formats, &err);
        if (format < 0 || !machine_options_load(&c.machine, argv[0], &params, &err) ||
            (c.trace_points != NULL && !trace_points_parse(&trace, c.trace_points, &err))) {
            code = cli_fail(&err);
        } else {
            interrupt_install();
            code = run_command(&c, &params, &trace, (enum print_format)format);
        }
    }
    machine_options_fini(&c.machine);
    return code;
}
