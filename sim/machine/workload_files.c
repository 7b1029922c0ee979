/* SPDX-License-Identifier: MIT */
#include "machine/workload_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload/mix.h"
#include "workload/trace_path.h"

/* Whether there is such a trace; of one trace a core, the first decides. */
static bool trace_exists(const char *trace)
{
    char first[PATH_MAX];
    return trace_path_for_core(trace, 0, first, sizeof(first)) && access(first, F_OK) == 0;
}

bool workload_file_place_trace(struct machine_params *params, const char *file, struct hv_err *err)
{
    const char *trace = params->workload.trace, *slash = strrchr(file, '/');
    if (trace[0] == '\0' || trace[0] == '/' || slash == NULL || trace_exists(trace)) {
        return true;
    }
    char *beside;
    HV_ASSERT(asprintf(&beside, "%.*s/%s", (int)(slash - file), file, trace) > 0, "out of memory");
    struct hv_where where = {file, 0, 0};
    bool ok = !trace_exists(beside) ||
              params_set(&machine_schema, params, "workload.trace", beside, &where, err);
    free(beside);
    return ok;
}

static bool is_workload(const struct param_mount *mount)
{
    static const char prefix[] = "workload";
    return strncmp(mount->prefix, prefix, strlen(prefix)) == 0;
}

/* The parameters that a part may have: of all mounts, those of the workload, which follow each other. */
static struct param_schema workload_schema(void)
{
    const struct param_mount *first = machine_schema.mounts, *end = first + machine_schema.count;
    while (first < end && !is_workload(first)) {
        first++;
    }
    struct param_schema schema = {first, 0};
    while (first + schema.count < end && is_workload(first + schema.count)) {
        schema.count++;
    }
    return schema;
}

/* Loads a file that may hold workload.* only. */
static bool load_workload(const char *path, struct machine_params *params, struct hv_err *err)
{
    struct param_schema schema = workload_schema();
    struct hv_err why = {""}, ignored = {""};
    machine_params_init(params);
    if (params_load(&schema, params, path, &why)) {
        return true;
    }
    if (params_load(&machine_schema, params, path, &ignored)) {
        return hv_fail(err, "%s sets other parameters than workload.*, which a part of a mix cannot; move them to the "
                       "configuration", path);
    }
    return hv_fail(err, "%s", why.text);
}

static bool load_part(const char *path, struct workload_params *part, struct hv_err *err)
{
    struct machine_params params;
    if (!load_workload(path, &params, err) || !workload_file_place_trace(&params, path, err)) {
        return false;
    }
    machine_workload_resolve(&params.workload);
    *part = params.workload;
    return true;
}

char *workload_parts_cut(char **rest)
{
    char *name = strsep(rest, ",");
    if (name != NULL) {
        name += strspn(name, " ");
        for (size_t end = strlen(name); end > 0 && name[end - 1] == ' '; end--) {
            name[end - 1] = '\0';
        }
    }
    return name;
}

/* Loads what the list names; returns how many parts, or 0 with a sentence. */
static size_t load_parts(const char *list, struct workload_params part[MIX_PARTS_MAX], struct hv_err *err)
{
    char copy[PARAM_TEXT_BYTES], *rest = copy, *path;
    size_t count = 0;
    strcpy(copy, list);
    while ((path = workload_parts_cut(&rest)) != NULL) {
        if (count == MIX_PARTS_MAX) {
            hv_fail(err, "workload.parts names more than %u workloads", MIX_PARTS_MAX);
            return 0;
        }
        if (!load_part(path, &part[count++], err)) {
            return 0;
        }
    }
    return count;
}

static struct workload *open_mix(const struct workload_params *params, struct hv_err *err)
{
    if (params->parts[0] == '\0') {
        hv_fail(err, "workload.kind is mix but workload.parts names no workload");
        return NULL;
    }
    struct workload_params *part = calloc(MIX_PARTS_MAX, sizeof(*part));
    HV_ASSERT(part != NULL, "out of memory");
    size_t count = load_parts(params->parts, part, err);
    struct workload *w = count == 0 ? NULL : mix_open(params, part, count, err);
    free(part);
    return w;
}

struct workload *machine_workload_open(const struct workload_params *params, struct hv_err *err)
{
    return params->kind == WORKLOAD_MIX ? open_mix(params, err) : workload_open(params, err);
}
