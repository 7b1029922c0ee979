/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/host.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sweep_host.h"
#include "machine/data_files.h"
#include "sweep/plot.h"
#include "sweep/rehearse.h"
#include "sweep/slurm_run.h"
#include "sweep/store.h"
#include "sweep/table.h"

enum {
    KEY_ENGINE = OPTION_LONG, KEY_FRESH, KEY_DRY_RUN, KEY_SET, KEY_OUT, KEY_SLURM_OPTIONS, KEY_PER_TASK, KEY_POINT,
    KEY_TASK, KEY_JOBS = 'j'
};

enum { JOBS_MAX = 4096, FAILURES_TOLD = 10, SLURM_OPTIONS_MAX = 1000 };

/* "local" is the first and so the default. */
static const struct sweep_engine *const engines[] = {&sweep_engine_local, &sweep_engine_slurm};

struct sweep_command {
    const char *file, *jobs, *engine, *out;
    const char *slurm_options, *per_task;
    const char *point, *task;
    const char **sets;
    size_t set_count;
    bool fresh, dry_run;
};

static const struct argp_option option_table[] = {
    {"jobs", KEY_JOBS, "N", 0, "run N points at once, or N tasks of a cluster; without it, as many as there are "
     "processors, or room", 0},
    {"engine", KEY_ENGINE, "ENGINE", 0, "where points run: local, as processes of this machine, or slurm, as tasks of "
     "job arrays of a cluster", 0},
    {"slurm-options", KEY_SLURM_OPTIONS, "OPTIONS", 0, "options of sbatch, separated by blanks, such as "
     "\"--partition=long --time=10:00:00\"; the environment's SBATCH_ variables hold as well", 0},
    {"points-per-task", KEY_PER_TASK, "N", 0, "with slurm, compute N points in each task, instead of one", 0},
    {"fresh", KEY_FRESH, NULL, 0, "compute every point again", 0},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "list the points, and say about how long computing them would take", 0},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a parameter of all points; may be repeated, and wins over the files", 0},
    {"out", KEY_OUT, "DIR", 0, "the directory of the results, instead of results/NAME", 0},
    {"point", KEY_POINT, "N", OPTION_HIDDEN, "compute point N alone, for an engine", 0},
    {"task", KEY_TASK, "RUN/TASK", OPTION_HIDDEN, "compute the points of a task, for Slurm", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sweep_command *c = state->input;
    switch (key) {
    case KEY_JOBS: c->jobs = arg; return 0;
    case KEY_ENGINE: c->engine = arg; return 0;
    case KEY_FRESH: c->fresh = true; return 0;
    case KEY_DRY_RUN: c->dry_run = true; return 0;
    case KEY_OUT: c->out = arg; return 0;
    case KEY_SLURM_OPTIONS: c->slurm_options = arg; return 0;
    case KEY_PER_TASK: c->per_task = arg; return 0;
    case KEY_POINT: c->point = arg; return 0;
    case KEY_TASK: c->task = arg; return 0;
    case KEY_SET:
        c->sets = reallocarray(c->sets, c->set_count + 1, sizeof(*c->sets));
        HV_ASSERT(c->sets != NULL, "out of memory");
        c->sets[c->set_count++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (c->file != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        c->file = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The end of the help is the table of keys. */
static char *add_keys(int key, const char *text, void *input)
{
    char *help = NULL;
    size_t bytes;
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    FILE *out = open_memstream(&help, &bytes);
    HV_ASSERT(out != NULL, "out of memory");
    fputs("The keys of a sweep file:\n", out);
    sweep_print_keys(out, 78);
    fputs("\nThe results are points/*.json, table.csv, plot.gp, plot.png and plot.svg. Running it again computes what is "
          "missing, failed or changed, and nothing else.\n", out);
    fclose(out);
    return help;
}

static const struct argp sweep_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Runs an experiment at every combination of some parameters' values, and makes a table and a plot of it. "
           "FILE is a sweep, or the name of one that hvsim list sweeps shows.\v",
    .help_filter = add_keys,
};

/* What a command works on. */
struct sweeping {
    const struct sweep_command *command;
    struct sweep sweep;
    char directory[PATH_MAX];
    unsigned jobs; /* 0: -j was not given, and the engine is not this machine */
    uint64_t per_task;
    const struct sweep_engine *engine;
    enum sweep_state *states; /* by point */
    size_t *points;           /* to be computed, in the order of computing */
    size_t count;
};

/* --- Options ------------------------------------------------------------------------------------------------------ */

static bool read_jobs(struct sweeping *w, struct hv_err *err)
{
    uint64_t jobs = host_processors();
    if (!option_count("-j", w->command->jobs, &jobs, err)) {
        return false;
    }
    w->jobs = w->command->jobs == NULL && w->engine == &sweep_engine_slurm ? 0 : (unsigned)jobs;
    return (jobs >= 1 && jobs <= JOBS_MAX) || hv_fail(err, "-j takes a whole number from 1 to %d", JOBS_MAX);
}

static bool read_engine(struct sweeping *w, struct hv_err *err)
{
    const char *names[HV_ARRAY_LEN(engines) + 1] = {NULL};
    for (size_t i = 0; i < HV_ARRAY_LEN(engines); i++) {
        names[i] = engines[i]->name;
    }
    int chosen = option_choice("--engine", w->command->engine, names, err);
    w->engine = chosen < 0 ? NULL : engines[chosen];
    return chosen >= 0;
}

static bool read_slurm_options(struct sweeping *w, struct hv_err *err)
{
    const struct sweep_command *c = w->command;
    const char *given = c->slurm_options != NULL ? "--slurm-options"
                        : c->per_task != NULL    ? "--points-per-task"
                                                 : NULL;
    if (given != NULL && w->engine != &sweep_engine_slurm) {
        return hv_fail(err, "%s is for --engine slurm", given);
    }
    if (c->slurm_options != NULL &&
        (strlen(c->slurm_options) > SLURM_OPTIONS_MAX || !text_is_printable(c->slurm_options))) {
        return hv_fail(err, "--slurm-options takes at most %d characters without control characters",
                       SLURM_OPTIONS_MAX);
    }
    return option_count("--points-per-task", c->per_task, &w->per_task, err) &&
           (c->per_task == NULL || (w->per_task >= 1 && w->per_task <= SWEEP_MAX_POINTS) ||
            hv_fail(err, "--points-per-task takes a whole number from 1 to %d", SWEEP_MAX_POINTS));
}

static bool choose_directory(struct sweeping *w, struct hv_err *err)
{
    const char *out = w->command->out;
    int length = snprintf(w->directory, sizeof(w->directory), "%s%s", out != NULL ? out : "results/",
                          out != NULL ? "" : w->sweep.name);
    return (length > 0 && (size_t)length < sizeof(w->directory)) || hv_fail(err, "--out needs a directory's name");
}

static bool prepare(struct sweeping *w, const struct sweep_host *host, struct hv_err *err)
{
    const struct sweep_command *c = w->command;
    char path[PATH_MAX];
    if (c->file == NULL) {
        return hv_fail(err, "sweep needs a FILE: a sweep, or the name of one that hvsim list sweeps shows");
    }
    return read_engine(w, err) && read_jobs(w, err) && read_slurm_options(w, err) &&
           data_file_find(DATA_SWEEP, c->file, path, err) && sweep_load(&w->sweep, path, host, err) &&
           sweep_expand(&w->sweep, c->sets, c->set_count, err) && choose_directory(w, err);
}

/* --- What is to be done ------------------------------------------------------------------------------------------- */

static void look(struct sweeping *w)
{
    const struct sweep *s = &w->sweep;
    w->states = calloc(s->point_count, sizeof(*w->states));
    w->points = calloc(s->point_count, sizeof(*w->points));
    HV_ASSERT(w->states != NULL && w->points != NULL, "out of memory");
    for (size_t i = 0; i < s->point_count; i++) {
        w->states[i] = store_state(w->directory, &s->points[i]);
        if (w->states[i] != SWEEP_DONE || w->command->fresh) {
            w->points[w->count++] = i;
        }
    }
    sweep_order_points(s, w->points, w->count);
}

static struct sweep_job job_of(const struct sweeping *w, struct sweep_outcome *outcomes)
{
    return (struct sweep_job){
        .sweep = &w->sweep, .points = w->points, .count = w->count, .processes = w->jobs,
        .directory = w->directory, .slurm_options = w->command->slurm_options, .points_per_task = w->per_task,
        .outcomes = outcomes,
    };
}

static void print_time(double seconds)
{
    unsigned long whole = (unsigned long)seconds + 1;
    if (whole < 120) {
        printf("about %lu s", whole);
    } else if (whole < 7200) {
        printf("about %lu min", whole / 60);
    } else {
        printf("about %lu h", whole / 3600);
    }
}

/* How many tasks a cluster has room for is not known here, so without -j it is the time of one processor. */
static void print_estimate(const struct sweeping *w)
{
    struct sweep_job job = job_of(w, NULL);
    job.processes = w->jobs == 0 ? 1 : w->jobs;
    struct sweep_estimate estimate = w->count > 0 ? sweep_estimate(&job) : (struct sweep_estimate){0};
    if (estimate.samples > 0) {
        fputs(": ", stdout);
        print_time(estimate.seconds);
        printf(" with -j %u, judging by the beginnings of %zu", job.processes, estimate.samples);
    }
}

static int dry_run(const struct sweeping *w)
{
    const struct sweep *s = &w->sweep;
    struct hv_err err = {""};
    struct sweep_job job = job_of(w, NULL);
    for (size_t i = 0; i < s->point_count; i++) {
        char description[512];
        sweep_describe_row(s, s->points[i].row, description, sizeof(description));
        printf("%6zu  %-7s  %s, seed=%llu\n", i + 1, sweep_state_names[w->states[i]], description,
               (unsigned long long)s->points[i].seed);
    }
    printf("%zu of %zu points would be computed", w->count, s->point_count);
    print_estimate(w);
    putchar('\n');
    if (w->count > 0 && w->engine->describe != NULL && !w->engine->describe(&job, stdout, &err)) {
        return cli_fail(&err);
    }
    return interrupt_requested() ? HV_EXIT_INTERRUPTED : HV_EXIT_OK;
}

/* --- Computing ---------------------------------------------------------------------------------------------------- */

/* How many points failed; the first of them are told. */
static size_t tell_failures(const struct sweeping *w, const struct sweep_outcome *outcomes)
{
    size_t failed = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct sweep_point *p = &w->sweep.points[w->points[i]];
        if (outcomes[i].end == SWEEP_FAILED && ++failed <= FAILURES_TOLD) {
            char description[512];
            sweep_describe_row(&w->sweep, p->row, description, sizeof(description));
            fprintf(stderr, "hvsim: point %zu (%s, seed=%llu) failed: %s\n", w->points[i] + 1, description,
                    (unsigned long long)p->seed, outcomes[i].reason);
        }
    }
    if (failed > FAILURES_TOLD) {
        fprintf(stderr, "hvsim: %zu more points failed\n", failed - FAILURES_TOLD);
    }
    return failed;
}

static size_t count_computed(const struct sweeping *w, const struct sweep_outcome *outcomes)
{
    size_t computed = 0;
    for (size_t i = 0; i < w->count; i++) {
        computed += outcomes[i].end == SWEEP_COMPUTED;
    }
    return computed;
}

static bool draw(const struct sweeping *w, struct hv_err *err)
{
    switch (sweep_plot_draw(&w->sweep, w->directory, err)) {
    case SWEEP_PLOT_KEPT: fprintf(stderr, "hvsim: %s/plot.gp was changed, and is kept\n", w->directory); break;
    case SWEEP_PLOT_NO_GNUPLOT: fputs("hvsim: no pictures, because there is no gnuplot\n", stderr); break;
    case SWEEP_PLOT_FAILED: fprintf(stderr, "hvsim: gnuplot cannot draw %s/plot.gp\n", w->directory); break;
    case SWEEP_PLOT_NOT_WRITTEN: return false;
    case SWEEP_PLOT_DRAWN: break;
    }
    return true;
}

/* Makes table and plot of what there is. */
static int conclude(const struct sweeping *w, size_t computed, size_t failed)
{
    struct table table;
    struct hv_err err = {""};
    int code = failed > 0 ? HV_EXIT_RUN_FAILED : HV_EXIT_OK;
    table_load(&table, &w->sweep, w->directory);
    if (table.stale > 0) {
        fprintf(stderr, "hvsim: %zu points found stale translations\n", table.stale);
        code = HV_EXIT_RUN_FAILED;
    }
    if (!table_save(&table, w->directory, &err) || (failed < w->sweep.point_count && !draw(w, &err))) {
        code = cli_fail(&err);
    }
    table_print(&table, stdout);
    fprintf(stderr, "hvsim: %zu points, %zu of them computed now; results are in %s\n", w->sweep.point_count, computed,
            w->directory);
    table_fini(&table);
    return code;
}

static int compute(struct sweeping *w)
{
    struct hv_err err = {""};
    if ((w->count > 0 && w->engine->check != NULL && !w->engine->check(&err)) || !store_open(w->directory, &err)) {
        return cli_fail(&err);
    }
    struct sweep_outcome *outcomes = calloc(w->count + 1, sizeof(*outcomes));
    HV_ASSERT(outcomes != NULL, "out of memory");
    struct sweep_job job = job_of(w, outcomes);
    if (w->command->fresh) {
        store_remove_points(w->directory);
    }
    bool ok = w->count == 0 || w->engine->run(&job, &err);
    if (w->count == 0) {
        slurm_run_remove_all(w->directory); /* of a command that died before its job had computed the rest */
    }
    store_remove_temporaries(w->directory);
    size_t failed = tell_failures(w, outcomes), computed = count_computed(w, outcomes);
    free(outcomes);
    if (!ok) {
        store_remove_empty(w->directory);
        return cli_fail(&err);
    }
    if (interrupt_requested() || job.cancelled) {
        fprintf(stderr, "hvsim: interrupted with %zu of %zu points done; the same command goes on from there\n",
                w->sweep.point_count - w->count + computed, w->sweep.point_count);
        return HV_EXIT_INTERRUPTED;
    }
    return conclude(w, computed, failed);
}

/* One point in this process, for an engine; the rest of the sweep is somebody else's affair. */
static int compute_alone(const struct sweeping *w)
{
    struct hv_err err = {""};
    uint64_t number = 0;
    if (!option_count("--point", w->command->point, &number, &err) || number < 1 || number > w->sweep.point_count) {
        hv_fail(&err, "--point takes a whole number from 1 to %zu", w->sweep.point_count);
        return cli_fail(&err);
    }
    struct sweep_job job = job_of(w, NULL);
    struct run run = {.machine = NULL};
    char points[PATH_MAX + sizeof("/points")];
    snprintf(points, sizeof(points), "%s/points", w->directory);
    bool ok = dir_create(points, &err) &&
              sweep_compute_point(&job, &w->sweep.points[number - 1], NULL, &run, &err);
    if (run.end == RUN_INTERRUPTED) {
        return HV_EXIT_INTERRUPTED;
    }
    return ok ? HV_EXIT_OK : cli_fail(&err);
}

/* The points of a task; what became of them is in its report. */
static int compute_task(const struct sweeping *w)
{
    struct hv_err err = {""};
    struct sweep_job job = job_of(w, NULL);
    bool failed;
    if (!slurm_run_task(&job, w->command->task, &failed, &err)) {
        return cli_fail(&err);
    }
    return interrupt_requested() ? HV_EXIT_INTERRUPTED : failed ? HV_EXIT_RUN_FAILED : HV_EXIT_OK;
}

static int run_sweep(struct sweeping *w)
{
    struct hv_err err = {""};
    if (w->command->point != NULL) {
        return compute_alone(w);
    }
    if (w->command->task != NULL) {
        return compute_task(w);
    }
    look(w);
    if (!sweep_rehearse(&w->sweep, w->points, w->count, &err)) {
        return cli_fail(&err);
    }
    return w->command->dry_run ? dry_run(w) : compute(w);
}

int cmd_sweep(int argc, char **argv)
{
    struct sweep_command c = {.file = NULL};
    char build[SWEEP_BUILD_BYTES];
    struct hv_err err = {""};
    int code = options_read(&sweep_argp, 0, argc, argv, &c);
    if (code == OPTIONS_READ) {
        const struct sweep_host host = sweep_host_make(build);
        struct sweeping *w = calloc(1, sizeof(*w));
        HV_ASSERT(w != NULL, "out of memory");
        w->command = &c;
        interrupt_install();
        code = prepare(w, &host, &err) ? run_sweep(w) : cli_fail(&err);
        sweep_fini(&w->sweep);
        free(w->states);
        free(w->points);
        free(w);
    }
    free(c.sets);
    return code;
}
