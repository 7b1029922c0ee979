/* SPDX-License-Identifier: MIT */
/*
 * A sweep: the same experiment at every combination of some parameters' values.
 *
 * A sweep file says what is varied (axes), how often it is repeated (seeds), what is measured (metrics) and how that is
 * drawn (plot). A combination of values is a row, and becomes a row of the table; a point is one run: a row with one
 * seed. Each point is a file, named by its values and marked with a key over everything that decides its result, so
 * that a rerun computes only what is missing or has another key by now.
 *
 *     sweep_load        sweep_read.c, sweep_axes.c, sweep_plot_read.c    the file, judged in full
 *     sweep_expand      sweep_expand.c        every point with its resolved parameters, its name and its key
 *     sweep_rehearse    rehearse.c            what is wrong with a machine, before any of them runs
 *     engine            engine_local.c        runs points, one process each (point.c)
 *                       engine_slurm.c        the same on a cluster
 *     table, plot       table.c, plot*.c      from the points' files to table.csv and plot.gp
 */
#ifndef HV_SWEEP_SWEEP_H
#define HV_SWEEP_SWEEP_H

#include <limits.h>

#include "base/arena.h"
#include "base/conf.h"
#include "machine/run.h"

/* Between repeats: each task of a machine has a seed of its own, which follow each other, and are fewer than this. */
#define SWEEP_SEED_STEP UINT64_C(1000000)

enum { SWEEP_MAX_POINTS = 20000, SWEEP_MAX_SEEDS = 1000, SWEEP_MAX_VALUES = 10000, SWEEP_MAX_METRICS = 1000 };

enum sweep_source { SWEEP_CONFIG, SWEEP_WORKLOAD, SWEEP_SOURCES };

extern const char *const sweep_source_names[]; /* "config", "workload" */

/* What lies above this block, or outside of the program. */
struct sweep_host {
    /* The path of a configuration or workload that a file (`beside`) names. */
    bool (*find)(enum sweep_source kind, const char *name, const char *beside, char path[PATH_MAX],
                 struct hv_err *err);
    bool (*load)(struct machine_params *params, const char *path, struct hv_err *err);
    /* Makes file names among the parameters hold from anywhere; they may lie beside a file, if that is not NULL. */
    bool (*settle)(struct machine_params *params, const char *beside, struct hv_err *err);
    void (*simulate)(struct run *run); /* to its end; once in a process */
    const char *version, *commit;
    const char *build; /* tells this program from every other that might compute something else */
};

struct sweep_value {
    const char *text;  /* for params_set(), or the path of a source */
    const char *label; /* for people: "64KiB" */
    const char *cell;  /* for the table: "65536" */
    bool is_number;
    double number;
};

enum sweep_axis_kind { SWEEP_AXIS_CONFIG, SWEEP_AXIS_WORKLOAD, SWEEP_AXIS_PARAM };

struct sweep_axis {
    const char *name;
    enum sweep_axis_kind kind;
    struct param_ref param;  /* of SWEEP_AXIS_PARAM */
    struct sweep_value *values;
    size_t count;
    size_t wheel;            /* axes of one wheel (zipped ones) turn together */
    struct hv_where where;
};

struct sweep_metric {
    const char *name, *unit, *help; /* of the statistic */
    struct hv_where where;
};

struct sweep_plot_kind; /* sweep/plot.h */

/* Numbers are indices of axes and metrics. */
struct sweep_plot {
    const struct sweep_plot_kind *kind;
    size_t x, *by, by_count;
    size_t *y, y_count;
    long per;            /* the metric by which y is divided, or -1 */
    bool log_x, log_y;
    const char *title, *x_label, *y_label; /* NULL: made from the tables */
};

struct sweep_point {
    size_t row;
    uint64_t seed;                /* workload.seed */
    struct machine_params params; /* resolved */
    uint64_t key;                 /* of everything that decides the result */
    uint64_t group;               /* the same for points whose software prepares the same */
    uint64_t family;              /* the same for points that differ in hardware and seed alone */
    uint64_t accesses;            /* of the run, warm-up included; 0 until it has been rehearsed */
    const char *name;             /* of its file, without folder and extension */
};

struct sweep {
    const struct sweep_host *host;
    struct conf_doc doc;
    struct arena memory;
    const char *name;
    const char *source[SWEEP_SOURCES]; /* paths; NULL: an axis, or for the workload: none */
    const struct conf_node *set;       /* or NULL */
    const char *const *sets;           /* of the command line */
    size_t set_count;
    struct sweep_axis *axes;
    size_t axis_count;
    size_t *wheels;                    /* the length of each; the last turns fastest */
    size_t wheel_count;
    size_t rows;
    uint64_t seeds;
    struct sweep_metric *metrics;
    size_t metric_count;
    struct sweep_plot plot;
    struct sweep_point *points; /* rows times seeds, the seeds of a row one after the other */
    size_t point_count;
};

/* Whether a document is a sweep rather than a configuration. */
bool sweep_is_sweep(const struct conf_doc *doc);

/* Reads a file and judges it; begins zeroed. After a failure sweep_fini may but need not be called. */
bool sweep_load(struct sweep *s, const char *path, const struct sweep_host *host, struct hv_err *err);

/* The same from memory; `name` stands for the file in messages. */
bool sweep_load_text(struct sweep *s, const char *name, const char *text, const struct sweep_host *host,
                     struct hv_err *err);

/* The same from a document or a part of one, which becomes the sweep's own whether or not it is a sweep. */
bool sweep_load_doc(struct sweep *s, const struct conf_doc *doc, const struct sweep_host *host, struct hv_err *err);

/* Resolves every point; sets are those of the command line, which win over the file. */
bool sweep_expand(struct sweep *s, const char *const *sets, size_t set_count, struct hv_err *err);

void sweep_fini(struct sweep *s);

/* Brings the points of a group together, groups and points in the order of the file. */
void sweep_order_points(const struct sweep *s, size_t *points, size_t count);

/* Which value an axis has in a row. */
const struct sweep_value *sweep_value(const struct sweep *s, size_t row, const struct sweep_axis *axis);

/* "tlb.l2.entries=512, paging.mode=native", for messages. */
void sweep_describe_row(const struct sweep *s, size_t row, char *text, size_t bytes);

/* The keys of a sweep file and what they mean, in lines of at most so many characters. */
void sweep_print_keys(FILE *out, int width);

#endif
