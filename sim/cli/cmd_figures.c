/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/host.h"
#include "base/interrupt.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sweep_host.h"
#include "figure/figure.h"
#include "machine/data_files.h"

enum { KEY_LIST = OPTION_LONG, KEY_FRESH, KEY_OUT, KEY_REFERENCE, KEY_JOBS = 'j' };

enum { JOBS_MAX = 4096, FIGURES_MAX = 1000 };

static const char default_out[] = "results/figures";

struct figures_command {
    const char *names[FIGURES_MAX];
    size_t name_count;
    const char *jobs, *out, *reference;
    bool list, fresh;
};

static const struct argp_option option_table[] = {
    {"list", KEY_LIST, NULL, 0, "list the recipes with their sources, and run none", 0},
    {"jobs", KEY_JOBS, "N", 0, "run N points at once; without it, as many as there are processors", 0},
    {"fresh", KEY_FRESH, NULL, 0, "compute every point again", 0},
    {"out", KEY_OUT, "DIR", 0, "the directory of the results, instead of results/figures", 0},
    {"reference", KEY_REFERENCE, "DIR", 0, "say which tables differ from those in DIR/FIGURE/table.csv", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct figures_command *c = state->input;
    switch (key) {
    case KEY_LIST: c->list = true; return 0;
    case KEY_JOBS: c->jobs = arg; return 0;
    case KEY_FRESH: c->fresh = true; return 0;
    case KEY_OUT: c->out = arg; return 0;
    case KEY_REFERENCE: c->reference = arg; return 0;
    case ARGP_KEY_ARG:
        if (c->name_count == FIGURES_MAX) {
            return ARGP_ERR_UNKNOWN;
        }
        c->names[c->name_count++] = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp figures_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[FIGURE...]",
    .doc = "Repeats published results and says whether they come out: all that hvsim list figures shows, or the given "
           "ones (names or files). Each leaves table.csv, plot.gp, plot.png and plot.svg in results/figures/FIGURE. "
           "The exit code is 1 when one is out of its band.",
};

/* What a command works on. */
struct figuring {
    const struct figures_command *command;
    const char *out;
    struct figure_effort effort;
    struct figure *figures;
    size_t count;
};

/* --- Loading ------------------------------------------------------------------------------------------------------ */

static bool read_jobs(struct figuring *w, struct hv_err *err)
{
    uint64_t jobs = host_processors();
    if (!option_count("-j", w->command->jobs, &jobs, err)) {
        return false;
    }
    w->effort.processes = (unsigned)jobs;
    return (jobs >= 1 && jobs <= JOBS_MAX) || hv_fail(err, "-j takes a whole number from 1 to %d", JOBS_MAX);
}

static bool load(struct figuring *w, const char *path, const struct sweep_host *host, struct hv_err *err)
{
    struct figure *f = &w->figures[w->count];
    if (!figure_load(f, path, host, err)) {
        return false;
    }
    w->count++;
    for (size_t i = 0; i + 1 < w->count; i++) {
        if (strcmp(w->figures[i].name, f->name) == 0) {
            return hv_fail(err, "two figures are called %s, so that one would take the other's place", f->name);
        }
    }
    return true;
}

static bool load_named(struct figuring *w, const struct sweep_host *host, struct hv_err *err)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < w->command->name_count; i++) {
        if (!data_file_find(DATA_FIGURE, w->command->names[i], path, err) || !load(w, path, host, err)) {
            return false;
        }
    }
    return true;
}

static bool load_shipped(struct figuring *w, const struct sweep_host *host, struct hv_err *err)
{
    struct data_files files;
    data_files_list(DATA_FIGURE, &files);
    bool ok = files.count > 0 || hv_fail(err, "there are no figures; they lie in configs/figures/");
    for (size_t i = 0; ok && i < files.count && i < FIGURES_MAX; i++) {
        ok = load(w, files.items[i].path, host, err);
    }
    data_files_fini(&files);
    return ok;
}

/* --- Running ------------------------------------------------------------------------------------------------------ */

static bool path_of(const char *folder, const char *figure, const char *file, char path[PATH_MAX], struct hv_err *err)
{
    int length = snprintf(path, PATH_MAX, "%s/%s%s", folder, figure, file);
    return (length > 0 && length < PATH_MAX) ||
           hv_fail(err, "the name of directory %.80s... is too long", folder);
}

static bool run(struct figuring *w, struct figure *f, struct hv_err *err)
{
    struct table table = {.sweep = NULL};
    char directory[PATH_MAX];
    if (!path_of(w->out, f->name, "", directory, err)) {
        return false;
    }
    bool ok = figure_compute(f, directory, &w->effort, &table, err);
    if (ok && !interrupt_requested()) {
        figure_judge(f, &table);
    }
    table_fini(&table);
    return ok;
}

static bool write_page(const struct figuring *w, struct hv_err *err)
{
    struct atomic_file file;
    char path[PATH_MAX];
    if (!path_of(w->out, "README.md", "", path, err) || !atomic_file_open(&file, path, err)) {
        return false;
    }
    figure_print_page(w->figures, w->count, file.out);
    return atomic_file_commit(&file, err);
}

static bool compare(const struct figuring *w, struct hv_err *err)
{
    size_t moved = 0;
    for (size_t i = 0; i < w->count; i++) {
        char reference[PATH_MAX], now[PATH_MAX];
        if (!path_of(w->command->reference, w->figures[i].name, "/table.csv", reference, err) ||
            !path_of(w->out, w->figures[i].name, "/table.csv", now, err)) {
            return false;
        }
        moved += figure_compare(w->figures[i].name, reference, now, stdout) > 0;
    }
    printf("%zu of %zu tables differ from %s\n", moved, w->count, w->command->reference);
    return true;
}

static int conclude(const struct figuring *w)
{
    struct hv_err err = {""};
    size_t missed = 0;
    for (size_t i = 0; i < w->count; i++) {
        missed += figure_verdict(&w->figures[i]) == FIGURE_MISSED;
    }
    figure_print_verdicts(w->figures, w->count, stdout);
    printf("\n%zu figures, %zu of them out of their band; tables and pictures are in %s\n", w->count, missed, w->out);
    /* The page is of all figures, so that a run of some does not replace it. */
    bool ok = w->command->name_count > 0 || write_page(w, &err);
    ok = ok && (w->command->reference == NULL || compare(w, &err));
    return !ok ? cli_fail(&err) : missed > 0 ? HV_EXIT_RUN_FAILED : HV_EXIT_OK;
}

static int run_all(struct figuring *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct hv_err err = {""};
        fprintf(stderr, "hvsim: figure %zu of %zu: %s\n", i + 1, w->count, w->figures[i].name);
        if (!run(w, &w->figures[i], &err)) {
            return cli_fail(&err);
        }
        if (interrupt_requested()) {
            fputs("hvsim: interrupted; the same command goes on from there\n", stderr);
            return HV_EXIT_INTERRUPTED;
        }
    }
    return conclude(w);
}

static int list(const struct figuring *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct figure *f = &w->figures[i];
        printf("%s: %s\n  source: %s\n  %zu runs, %zu checks\n", f->name, f->title, f->source, f->sweep.point_count,
               f->check_count);
    }
    return HV_EXIT_OK;
}

int cmd_figures(int argc, char **argv)
{
    struct figures_command c = {.out = NULL};
    struct figuring w = {.command = &c, .effort = {.engine = &sweep_engine_local}};
    char build[SWEEP_BUILD_BYTES];
    struct hv_err err = {""};
    int code = options_read(&figures_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    const struct sweep_host host = sweep_host_make(build);
    w.out = c.out != NULL ? c.out : default_out;
    w.effort.fresh = c.fresh;
    w.figures = calloc(FIGURES_MAX, sizeof(*w.figures));
    HV_ASSERT(w.figures != NULL, "out of memory");
    interrupt_install();
    bool ok = read_jobs(&w, &err) && (c.name_count > 0 ? load_named(&w, &host, &err) : load_shipped(&w, &host, &err));
    code = !ok ? cli_fail(&err) : c.list ? list(&w) : run_all(&w);
    for (size_t i = 0; i < w.count; i++) {
        figure_fini(&w.figures[i]);
    }
    free(w.figures);
    return code;
}
