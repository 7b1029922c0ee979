/* SPDX-License-Identifier: MIT */
/*
 * The result of a run, for programs (JSON, CSV), for people (text), and as the files of a result directory.
 *
 * Everything but the host's part is the same, byte by byte, whenever the same run is repeated.
 */
#ifndef HV_MACHINE_RESULT_H
#define HV_MACHINE_RESULT_H

#include "base/print.h"
#include "machine/run.h"

struct result {
    const struct run *run; /* finished; its machine still lives */
    const char *version, *commit;
    /* The host's part */
    double setup_seconds, wall_seconds;
    double accesses_per_second; /* of the run, set-up apart */
    uint64_t max_rss_bytes;
};

/* version and commit must outlive the result. */
void result_init(struct result *result, const struct run *run, const char *version, const char *commit,
                 double setup_seconds);

/* {"hvsim", "config", "stats", "complete", "host"}; what a run in intervals prints besides is not part of it. */
json_t *result_to_json(const struct result *result);

/* The key figures, where the cycles went, the grid of the walks, then every statistic (result_text.c). */
void result_write_text(const struct result *result, FILE *out);

/* With the series of a run that took one, but for CSV, which has no room for it. */
void result_print(const struct result *result, enum print_format format, FILE *out);

/*
 * Writes result.json, config.yaml (which runs as it is and gives the same result), stats.csv and, of a run in
 * intervals, intervals.csv, each whole or not at all. The directory is made when it is not there.
 */
bool result_write_directory(const struct result *result, const char *directory, struct hv_err *err);

#endif
