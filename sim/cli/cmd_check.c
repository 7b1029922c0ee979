/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sweep_host.h"
#include "machine/data_files.h"
#include "machine/run.h"
#include "sweep/rehearse.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **file = state->input;
    if (key != ARGP_KEY_ARG || *file != NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    *file = arg;
    return 0;
}

static const struct argp check_argp = {
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Validates a configuration, workload or sweep file: names, values, geometry, memory, the trace it runs; "
           "of a sweep those of every point.",
};

/* A shipped name may be of any kind; what is none gets the sentence for a configuration. */
static bool find(const char *name, char path[PATH_MAX], struct hv_err *err)
{
    struct hv_err ignored = {""}, also_ignored = {""};
    return data_file_find(DATA_WORKLOAD, name, path, &ignored) ||
           data_file_find(DATA_SWEEP, name, path, &also_ignored) || data_file_find(DATA_CONFIG, name, path, err);
}

static bool is_sweep(const char *path)
{
    struct conf_doc doc;
    struct hv_err ignored = {""}; /* what is no document is told by whoever reads it */
    bool sweep = conf_read(&doc, path, &ignored) && sweep_is_sweep(&doc);
    conf_fini(&doc);
    return sweep;
}

static bool rehearse_all(struct sweep *s, struct hv_err *err)
{
    size_t *points = calloc(s->point_count, sizeof(*points));
    HV_ASSERT(points != NULL, "out of memory");
    for (size_t i = 0; i < s->point_count; i++) {
        points[i] = i;
    }
    bool ok = sweep_rehearse(s, points, s->point_count, err);
    free(points);
    return ok;
}

static bool check_sweep(const char *path, struct hv_err *err)
{
    char build[SWEEP_BUILD_BYTES];
    const struct sweep_host host = sweep_host_make(build);
    struct sweep sweep;
    bool ok = sweep_load(&sweep, path, &host, err) && sweep_expand(&sweep, NULL, 0, err) && rehearse_all(&sweep, err);
    sweep_fini(&sweep);
    return ok;
}

/* Builds the whole machine and stops short of its first access. */
static bool check_machine(const char *path, struct hv_err *err)
{
    struct machine_params params;
    machine_params_init(&params);
    if (!machine_file_load(&params, path, err) || !machine_params_resolve(&params, err)) {
        return false;
    }
    params.paging.prefault = false; /* mapping everything would take time and cannot fail */
    struct machine *machine = machine_new(&params, NULL, err);
    if (machine == NULL) {
        return false;
    }
    struct run run;
    struct run_options options = {.show_progress = false};
    bool ok = run_begin(&run, machine, &options, err);
    if (ok) {
        run_finish(&run);
    }
    machine_free(machine);
    return ok;
}

int cmd_check(int argc, char **argv)
{
    const char *file = NULL;
    char path[PATH_MAX];
    struct hv_err err = {""};
    int code = options_read(&check_argp, 0, argc, argv, &file);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (file == NULL) {
        return cli_mistake("check needs a FILE: a configuration, a workload or a sweep");
    }
    if (!find(file, path, &err) || !(is_sweep(path) ? check_sweep(path, &err) : check_machine(path, &err))) {
        return cli_fail(&err);
    }
    printf("%s: ok\n", file);
    return HV_EXIT_OK;
}
