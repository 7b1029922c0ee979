/* SPDX-License-Identifier: MIT */
/* CONFIG and the options that change it, and how they become the parameters of a machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/workload_parts.h"
#include "machine/data_files.h"
#include "machine/workload_files.h"
#include "workload/trace_path.h"

enum { KEY_WORKLOAD = OPTION_LONG, KEY_TRACE, KEY_SKIP, KEY_LIMIT, KEY_WARMUP, KEY_SET };

static const struct argp_option option_table[] = {
    {"workload", KEY_WORKLOAD, "FILE", 0, "a file of workload.* parameters, or the name of a shipped workload", 1},
    {"trace", KEY_TRACE, "FILE", 0, "run this recorded trace", 1},
    {"skip", KEY_SKIP, "N", 0, "leave out the first N accesses of the workload (workload.skip)", 1},
    {"limit", KEY_LIMIT, "N", 0, "run at most N accesses (workload.accesses)", 1},
    {"warmup", KEY_WARMUP, "N", 0, "leave the first N accesses out of the statistics (workload.warmup)", 1},
    {"set", KEY_SET, "KEY=VALUE", 0, "set a parameter; may be repeated, and wins over the files", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct machine_options *o = state->input;
    switch (key) {
    case KEY_WORKLOAD: o->workload = arg; return 0;
    case KEY_TRACE: o->trace = arg; return 0;
    case KEY_SKIP: o->skip = arg; return 0;
    case KEY_LIMIT: o->limit = arg; return 0;
    case KEY_WARMUP: o->warmup = arg; return 0;
    case KEY_SET:
        o->sets = reallocarray(o->sets, o->set_count + 1, sizeof(*o->sets));
        HV_ASSERT(o->sets != NULL, "out of memory");
        o->sets[o->set_count++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->config != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        o->config = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp machine_options_argp = {.options = option_table, .parser = parse, .args_doc = "CONFIG"};

bool machine_file_load(struct machine_params *params, const char *path, struct hv_err *err)
{
    struct workload_params before = params->workload;
    if (!params_load(&machine_schema, params, path, err)) {
        return false;
    }
    return (strcmp(before.trace, params->workload.trace) == 0 || workload_file_place_trace(params, path, err)) &&
           (strcmp(before.parts, params->workload.parts) == 0 || workload_parts_find(params, path, err));
}

static bool set_trace(struct machine_params *params, const char *path, const char *source, struct hv_err *err)
{
    struct hv_where where = {source, 0, 0};
    return params_set(&machine_schema, params, "workload.trace", path, &where, err);
}

/* The absolute path of a trace, which the caller frees; NULL when there is none. */
static char *absolute_path(const char *trace)
{
    char *folder, *absolute = realpath(trace, NULL);
    /* Of one trace a core, no file has the name itself. */
    if (absolute != NULL || !trace_path_per_core(trace) || trace[0] == '/' || (folder = getcwd(NULL, 0)) == NULL) {
        return absolute;
    }
    HV_ASSERT(asprintf(&absolute, "%s/%s", folder, trace) > 0, "out of memory");
    free(folder);
    return absolute;
}

/* A resolved configuration runs from anywhere, so its trace has an absolute path. */
static bool make_trace_absolute(struct machine_params *params, struct hv_err *err)
{
    const char *trace = params->workload.trace;
    char *absolute = trace[0] == '\0' ? NULL : absolute_path(trace);
    if (absolute == NULL) { /* opening the trace says what is wrong with it */
        return true;
    }
    bool ok = set_trace(params, absolute, "absolute path of the trace", err);
    free(absolute);
    return ok;
}

bool machine_files_settle(struct machine_params *params, const char *beside, struct hv_err *err)
{
    return (beside == NULL || (workload_file_place_trace(params, beside, err) &&
                               workload_parts_find(params, beside, err))) && make_trace_absolute(params, err);
}

static bool load_found(struct machine_params *params, enum data_kind kind, const char *name, struct hv_err *err)
{
    char path[PATH_MAX];
    return name == NULL || (data_file_find(kind, name, path, err) && machine_file_load(params, path, err));
}

static bool apply_trace(struct machine_params *params, const char *trace, struct hv_err *err)
{
    if (trace == NULL) {
        return true;
    }
    params->workload.kind = WORKLOAD_TRACE;
    return set_trace(params, trace, "--trace", err);
}

/* An option that is short for a parameter; value NULL: it was not given. */
static bool apply(struct machine_params *params, const char *option, const char *key, const char *value,
                  struct hv_err *err)
{
    struct hv_where where = {option, 0, 0};
    return value == NULL || params_set(&machine_schema, params, key, value, &where, err);
}

static bool apply_counts(struct machine_params *params, const struct machine_options *o, struct hv_err *err)
{
    return apply(params, "--skip", "workload.skip", o->skip, err) &&
           apply(params, "--limit", "workload.accesses", o->limit, err) &&
           apply(params, "--warmup", "workload.warmup", o->warmup, err);
}

bool machine_options_load(const struct machine_options *options, const char *command, struct machine_params *params,
                          struct hv_err *err)
{
    if (options->config == NULL) {
        return hv_fail(err, "%s needs a CONFIG: a file, or the name of one that hvsim list configs shows", command);
    }
    machine_params_init(params);
    if (!load_found(params, DATA_CONFIG, options->config, err) ||
        !load_found(params, DATA_WORKLOAD, options->workload, err) || !apply_trace(params, options->trace, err) ||
        !apply_counts(params, options, err)) {
        return false;
    }
    for (size_t i = 0; i < options->set_count; i++) {
        if (!params_set_option(&machine_schema, params, options->sets[i], err)) {
            return false;
        }
    }
    return make_trace_absolute(params, err) && workload_parts_find(params, NULL, err) &&
           machine_params_resolve(params, err);
}

void machine_options_fini(struct machine_options *options)
{
    free(options->sets);
}
