/* SPDX-License-Identifier: MIT */
/*
 * Machines of two cores, run by the command, since their cores run under SystemC and the benchmark is linked without.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Of the first every access misses the private caches, and hardly any needs a walk: 2M pages of which the second-level
 * TLB holds all. The second is a mix: one access in seven misses the first-level TLB, one in 36 walks, and
 * the last-level cache is asked 0.23 times an access.
 */
static const struct cores_scenario {
    const char *name, *what;
    const char *config;  /* YAML */
    double target;       /* accesses/s that the project asks for, of both cores together */
    bool misses;         /* only those are counted that missed the private caches */
} scenarios[] = {
    {"exact-2", "2 cores, sync exact: uniform over 1 GiB of 2M pages, all miss the private caches",
     "machine: {cores: 2}\n"
     "timing: {sync: exact}\n"
     "paging: {guest: {page_size: 2m}, host: {page_size: 2m}}\n"
     "workload: {kind: uniform, footprint: 1GiB, accesses: 4e6}\n", 5e6, true},
    {"quantum-2", "2 cores, sync quantum: zipf 1.5 over 1 GiB, default caches and TLBs",
     "machine: {cores: 2}\n"
     "timing: {sync: quantum}\n"
     "workload: {kind: zipf, theta: 1.5, footprint: 1GiB, accesses: 2e7}\n", 20e6, false},
};

static _Noreturn void fail(const char *command)
{
    fprintf(stderr, "bench: %s did not give a result\n", command);
    exit(EXIT_FAILURE);
}

/* The result object of one run. */
static json_t *run(const char *command, const char *config)
{
    char line[2048];
    snprintf(line, sizeof(line), "'%s' run /dev/stdin --format json <<'END'\n%sEND\n", command, config);
    FILE *output = popen(line, "r");
    json_t *result = output != NULL ? json_loadf(output, 0, NULL) : NULL;
    if (result == NULL || pclose(output) != 0) {
        fail(command);
    }
    return result;
}

static double number(const json_t *result, const char *section, const char *name)
{
    return json_number_value(json_object_get(json_object_get(result, section), name));
}

/* Of the accesses, the share that asked the last-level cache. */
static double missing_share(const json_t *result)
{
    return (number(result, "stats", "cache.llc.hits") + number(result, "stats", "cache.llc.misses")) /
           number(result, "stats", "core.accesses");
}

static void measure(const struct cores_scenario *s, const char *command, json_t *rows)
{
    double rates[BENCH_RUNS], setups[BENCH_RUNS];
    for (unsigned i = 0; i < BENCH_RUNS; i++) {
        json_t *result = run(command, s->config);
        rates[i] = number(result, "host", "accesses_per_second") * (s->misses ? missing_share(result) : 1);
        setups[i] = number(result, "host", "setup_seconds");
        json_decref(result);
    }
    struct bench_row row = {s->name, s->what, bench_median(rates, BENCH_RUNS), s->target, NAN,
                            bench_median(setups, BENCH_RUNS)};
    bench_report(&row, rows);
}

void bench_cores(const char *const *names, const char *command, json_t *rows)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(scenarios); i++) {
        if (bench_wanted(scenarios[i].name, names)) {
            measure(&scenarios[i], command, rows);
        }
    }
}
