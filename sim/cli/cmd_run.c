/* SPDX-License-Identifier: MIT */
#include "base/host.h"
#include "base/interrupt.h"
#include "cli/cli.h"
#include "cli/run_outputs.h"
#include "machine/guest.h"
#include "machine/io.h"
#include "sysc/sysc_run.h"

enum { KEY_FORMAT = OPTION_LONG, KEY_TRACE_POINTS, KEY_HOST_THREADS };

struct run_command {
    struct machine_options machine;
    struct run_output_options outputs;
    const char *format, *trace_points, *host_threads;
};

static const struct argp_option option_table[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "of the result on standard output: text, json or csv", 2},
    {"trace-points", KEY_TRACE_POINTS, "LIST", 0,
     "print what happens inside to standard error, one line an event: all, or a list such as walk,fault", 2},
    {"host-threads", KEY_HOST_THREADS, "N", 0,
     "of the host to run on, 1 or 2; the results are the same (default: 2 if the host has them)", 2},
    {0},
};

static const struct argp_child groups[] = {MACHINE_OPTIONS_CHILD, RUN_OUTPUTS_CHILD, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_command *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &c->machine;
        state->child_inputs[1] = &c->outputs;
        return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    case KEY_TRACE_POINTS: c->trace_points = arg; return 0;
    case KEY_HOST_THREADS: c->host_threads = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp run_argp = {
    .options = option_table,
    .parser = parse,
    .children = groups,
    .doc = "Runs a workload on a machine and prints what it cost.",
};

/* What check.stale and check.vmx have found; whether they found anything. */
static bool report_checks(const struct machine *m)
{
    size_t mistakes = 0;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        stale_report(&m->cores[i].mmu, stderr);
        mistakes += guest_report(&m->cores[i], stderr);
    }
    mistakes += io_stale_report(m->io, stderr);
    return mistakes > 0 || stats_count(&m->stats, "mmu.stale_found") > 0;
}

/* Writes the result; a file that cannot be written does not keep it from stdout. */
static int report(struct run_outputs *outputs, const struct result *result, enum print_format format)
{
    const struct run *run = result->run;
    struct hv_err err = {""};
    int code = report_checks(run->machine) ? HV_EXIT_RUN_FAILED : HV_EXIT_OK;
    if (run->end == RUN_INTERRUPTED) {
        code = HV_EXIT_INTERRUPTED;
        fprintf(stderr, "hvsim: interrupted after %llu of %llu accesses; the result is partial\n",
                (unsigned long long)run->done, (unsigned long long)run->total);
    }
    if (!run_outputs_write(outputs, result, &err)) {
        code = cli_fail(&err);
    }
    result_print(result, format, stdout);
    return code;
}

static bool run_machine(struct run_outputs *outputs, struct machine *machine, struct run *run, struct hv_err *err)
{
    struct run_options options = {.show_progress = true};
    if (!run_outputs_prepare(outputs, machine, &options, err) || !run_begin(run, machine, &options, err)) {
        return false;
    }
    bool opened = run_outputs_open(outputs, err);
    if (opened) {
        sysc_run(run, run_outputs_waves(outputs));
    }
    run_finish(run);
    if (!opened) {
        return false;
    }
    if (run->end == RUN_DAMAGED_STREAM) {
        run_outputs_abort(outputs);
        return hv_fail(err, "%s", run->err.text);
    }
    return true;
}

/* How many threads of the host to use. */
static bool read_host_threads(const struct run_command *c, uint64_t *threads, struct hv_err *err)
{
    *threads = host_processors();
    return option_count("--host-threads", c->host_threads, threads, err) &&
           (*threads >= 1 || hv_fail(err, "--host-threads takes a whole number from 1 up"));
}

static int run_command(struct run_outputs *outputs, const struct machine_params *params,
                       const struct trace_points *trace, enum print_format format, uint64_t host_threads)
{
    struct hv_err err = {""};
    double begin = run_clock_seconds();
    struct machine *machine = machine_new(params, trace, &err);
    if (machine == NULL) {
        int failed = cli_fail(&err);
        return interrupt_requested() ? HV_EXIT_INTERRUPTED : failed;
    }
    machine_use_threads(machine, host_threads > 1 ? 2 : 1);
    double setup_seconds = run_clock_seconds() - begin;
    struct run run;
    int code;
    if (run_machine(outputs, machine, &run, &err)) {
        struct result result;
        result_init(&result, &run, cli_version, cli_commit, setup_seconds);
        code = report(outputs, &result, format);
    } else {
        code = cli_fail(&err);
    }
    run_outputs_fini(outputs);
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
        struct run_outputs outputs;
        struct trace_points trace = {.out = stderr};
        uint64_t host_threads;
        struct hv_err err = {""};
        int format = option_choice("--format", c.format, formats, &err);
        if (format < 0 || !read_host_threads(&c, &host_threads, &err) ||
            !run_outputs_init(&outputs, &c.outputs, (enum print_format)format, &err) ||
            !machine_options_load(&c.machine, argv[0], &params, &err) ||
            (c.trace_points != NULL && !trace_points_parse(&trace, c.trace_points, &err))) {
            code = cli_fail(&err);
        } else {
            interrupt_install();
            code = run_command(&outputs, &params, &trace, (enum print_format)format, host_threads);
        }
    }
    machine_options_fini(&c.machine);
    return code;
}
