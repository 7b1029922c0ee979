/* SPDX-License-Identifier: MIT */
/*
 * Machines of two cores, and one with a device, run by the command, since cores and devices run under SystemC and the
 * benchmark is linked without.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Of the first every access misses the private caches, and hardly any needs a walk: 2M pages of which the second-level
 * TLB holds all. The second is a mix: one access in seven misses the first-level TLB, one in 36 walks, and
 * the last-level cache is asked 0.23 times an access. The third counts DMAs: 64-byte reads at random over 70 pages, of
 * which the IOTLB holds 64, so one in twelve walks.
 */
static const struct cores_scenario {
    const char *name, *what;
    const char *config;  /* YAML */
    double target;       /* accesses/s that the project asks for, of both cores together */
    enum counted { ACCESSES, MISSES, DMAS } counted; /* of accesses, only those that missed the private caches; or DMAs */
} scenarios[] = {
    {"exact-2", "2 cores, sync exact: uniform over 1 GiB of 2M pages, all miss the private caches",
     "machine: {cores: 2}\n"
     "timing: {sync: exact}\n"
     "paging: {guest: {page_size: 2m}, host: {page_size: 2m}}\n"
     "workload: {kind: uniform, footprint: 1GiB, accesses: 4e6}\n", 5e6, MISSES},
    {"quantum-2", "2 cores, sync quantum: zipf 1.5 over 1 GiB, default caches and TLBs",
     "machine: {cores: 2}\n"
     "timing: {sync: quantum}\n"
     "workload: {kind: zipf, theta: 1.5, footprint: 1GiB, accesses: 2e7}\n", 20e6, ACCESSES},
    {"dma", "translated DMAs: 64-byte reads, one in twelve misses the IOTLB",
     "paging: {mode: native}\n"
     "workload: {footprint: 4KiB, accesses: 1}\n"
     "iommu: {mode: second}\n"
     "io: {device: dma, pattern: read, packet_bytes: 64, window: 280KiB, packets: 4e6}\n", 2e6, DMAS},
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

/* How many of what the scenario counts there were a second. */
static double rate_of(const struct cores_scenario *s, const json_t *result)
{
    const double rate = number(result, "host", "accesses_per_second");
    switch (s->counted) {
    case MISSES:
        return rate * (number(result, "stats", "cache.llc.hits") + number(result, "stats", "cache.llc.misses")) /
               number(result, "stats", "core.accesses");
    case DMAS:
        return number(result, "stats", "iommu.requests") / number(result, "host", "wall_seconds");
    case ACCESSES:
        break;
    }
    return rate;
}

static void measure(const struct cores_scenario *s, const char *command, json_t *rows)
{
    double rates[BENCH_RUNS], setups[BENCH_RUNS];
    for (unsigned i = 0; i < BENCH_RUNS; i++) {
        json_t *result = run(command, s->config);
        rates[i] = rate_of(s, result);
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
