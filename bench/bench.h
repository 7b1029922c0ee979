/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark program and the hand-tuned limit loops share.
 */
#ifndef HV_BENCH_BENCH_H
#define HV_BENCH_BENCH_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "base/types.h"

enum { BENCH_RUNS = 5 };

/* Seconds of a monotonic clock. */
double bench_now(void);

/* Sorts them. */
double bench_median(double *values, size_t count);

/* What was measured of a scenario; NAN: it has no such figure. */
struct bench_row {
    const char *name, *what;
    double rate, target, limit; /* a second */
    double setup_seconds;
};

/* A line of the table, and of the file. */
void bench_report(const struct bench_row *row, json_t *rows);

/* Whether a NULL-terminated list names the scenario, or is empty. */
bool bench_wanted(const char *name, const char *const *names);

/* The scenarios of several cores (cores.c), of those that are wanted; `command` is hvsim. */
void bench_cores(const char *const *names, const char *command, json_t *rows);

/*
 * The limit loops: the bare minimum of the work of a scenario, hand-tuned, with none of the model's generality.
 * Each runs n accesses and returns a value that depends on all of them, so that nothing is optimised away.
 */
struct limit; /* tables prepared once */

struct limit *limit_new(uint64_t footprint);
void limit_free(struct limit *l);

uint64_t limit_hits(struct limit *l, uint64_t n);                /* 4-way TLB probes that all hit */
uint64_t limit_zipf(struct limit *l, const uint64_t *pages, uint64_t n); /* probes; a miss walks 24 references */
uint64_t limit_walks(struct limit *l, uint64_t n);               /* uniform pages: 24 references each, in batches */

#endif
