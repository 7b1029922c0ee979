/* SPDX-License-Identifier: MIT */
/*
 * What differs between two results: parameters, then statistics, the one that moved most first.
 *
 * How far a statistic moved is the change relative to the first result. From 0 to anything, and from or to a ratio of
 * nothing, there is no percentage: that counts as infinitely far, and among such the largest number comes first. Ties
 * go by name. The host's part of a result (how long it took) is never compared.
 */
#ifndef HV_MACHINE_RESULT_DIFF_H
#define HV_MACHINE_RESULT_DIFF_H

#include "base/print.h"
#include "machine/result_file.h"

enum { DIFF_SIDES = 2 }; /* 0 is A, the first result; 1 is B */

struct diff_options {
    bool all;                 /* statistics that did not move as well */
    double threshold_percent; /* leave out those that moved by less */
    const char *only;         /* names that contain or match this; NULL: all */
};

/* A statistic's value; whole numbers are exact. */
struct diff_number {
    enum { DIFF_ABSENT, DIFF_WHOLE, DIFF_REAL } kind; /* absent: a ratio of nothing, or a change from or to one */
    int64_t whole;
    double real; /* of either kind */
};

/* A statistic of both results. */
struct diff_stat {
    const char *name;
    struct diff_number value[DIFF_SIDES], change;
    bool moved;
    double percent; /* signed; +-INFINITY where there is none */
};

/* A parameter of both results whose values are not the same. */
struct diff_param {
    const char *name;
    const json_t *value[DIFF_SIDES];
};

/* A parameter or statistic of one result alone, which another version of hvsim wrote. */
struct diff_only {
    const char *name;
    const json_t *value;
};

struct diff_only_list {
    struct diff_only *items;
    size_t count;
};

struct result_diff {
    const struct result_file *side[DIFF_SIDES]; /* must outlive the difference, as everything points into them */
    struct diff_options options;
    struct diff_param *params;
    size_t param_count, params_compared;
    struct diff_stat *stats; /* those to be shown, in order */
    size_t stat_count, stats_compared, stats_moved;
    struct diff_only_list only_params[DIFF_SIDES], only_stats[DIFF_SIDES];
};

void result_diff_init(struct result_diff *d, const struct result_file *a, const struct result_file *b,
                      const struct diff_options *options);
void result_diff_fini(struct result_diff *d);

/* How many names there were to compare; 0: options->only selects none. */
size_t result_diff_compared(const struct result_diff *d);

/* Whether there is nothing to say: complete results of the same hvsim without a difference. */
bool result_diff_is_empty(const struct result_diff *d);

/* Whether different versions or commits of hvsim wrote the results. */
bool result_diff_versions_differ(const struct result_diff *d);

void result_diff_print(const struct result_diff *d, enum print_format format, FILE *out);

#endif
