/* SPDX-License-Identifier: MIT */
#include "cli/sweep_host.h"

#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "machine/data_files.h"
#include "sweep/fingerprint.h"
#include "sysc/sysc_run.h"

/* A file here wins over one beside the sweep, and that over a shipped one. */
static bool find_source(enum sweep_source kind, const char *name, const char *beside, char path[PATH_MAX],
                        struct hv_err *err)
{
    static const enum data_kind kinds[] = {[SWEEP_CONFIG] = DATA_CONFIG, [SWEEP_WORKLOAD] = DATA_WORKLOAD};
    const char *slash = strrchr(beside, '/');
    if (slash != NULL && name[0] != '/' && access(name, F_OK) != 0) {
        int length = snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - beside), beside, name);
        if (length > 0 && length < PATH_MAX && access(path, F_OK) == 0) {
            return true;
        }
    }
    return data_file_find(kinds[kind], name, path, err);
}

/* A build of changed sources does not say what they are, so there the program itself is its identity. */
static void identify_build(char build[SWEEP_BUILD_BYTES])
{
    uint64_t print = FINGERPRINT_NOTHING;
    struct hv_err ignored = {""};
    bool exact = strstr(cli_commit, "dirty") == NULL && strcmp(cli_commit, "unknown") != 0;
    if (!exact) {
        (void)fingerprint_file(&print, "/proc/self/exe", &ignored);
    }
    snprintf(build, SWEEP_BUILD_BYTES, "%s %s %016llx", cli_version, cli_commit, (unsigned long long)print);
}

/* A point of a sweep is run without anybody watching. */
static void simulate(struct run *run)
{
    sysc_run(run, NULL);
}

struct sweep_host sweep_host_make(char build[SWEEP_BUILD_BYTES])
{
    identify_build(build);
    return (struct sweep_host){
        .find = find_source, .load = machine_file_load, .settle = machine_files_settle, .simulate = simulate,
        .version = cli_version, .commit = cli_commit, .build = build,
    };
}
