/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/data_files.h"
#include "cli/options.h"
#include "machine/run.h"

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
    .doc = "Validates a configuration or workload file: names, values, geometry, memory, the trace it runs.",
};

/* A shipped name may be of either kind; what is neither gets the sentence for a configuration. */
static bool find(const char *name, char path[PATH_MAX], struct hv_err *err)
{
    struct hv_err ignored = {""};
    return data_file_find(DATA_WORKLOAD, name, path, &ignored) || data_file_find(DATA_CONFIG, name, path, err);
}

/* Builds the whole machine and stops short of its first access. */
static bool check(const char *path, struct hv_err *err)
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
        return cli_mistake("check needs a FILE: a configuration or a workload");
    }
    if (!find(file, path, &err) || !check(path, &err)) {
        return cli_fail(&err);
    }
    printf("%s: ok\n", file);
    return HV_EXIT_OK;
}
