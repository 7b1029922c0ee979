/* SPDX-License-Identifier: MIT */
/*
 * A figure recipe: a published result, the sweep that repeats it, and whether it comes out as published.
 *
 *     title: Walks of two dimensions          what stands over the picture; caption: what it shows
 *     source: Bhargava et al., ASPLOS 2008    a published text
 *     sweep: {...}                            the keys of a sweep file
 *     picture: walk-grid                      who draws it; default: the sweep's plot
 *     checks:
 *       - what: references of a nested walk
 *         value: mmu.walk_refs_mean[paging.mode=nested]      figure/expr.h
 *         published: 24
 *         band: [24, 24]                      or not_covered: why the model cannot tell
 *         shortfall: why                      it misses its band, as far as is known; it still has missed it
 *
 *     figure_load       figure_read.c         the file, judged in full
 *     figure_compute    figure_compute.c      its points, table and picture
 *     figure_judge      figure_judge.c        the checks
 *     figure_print_...  figure_report.c       the verdicts of several figures
 *     figure_compare    figure_compare.c      what moved against a table of an earlier run
 */
#ifndef HV_FIGURE_FIGURE_H
#define HV_FIGURE_FIGURE_H

#include "sweep/engine.h"
#include "sweep/table.h"

enum { FIGURE_MAX_CHECKS = 100 };

enum figure_verdict {
    FIGURE_NOT_COVERED, /* the recipe says why; what is simulated is shown and not judged */
    FIGURE_HOLDS,
    FIGURE_MISSED,      /* outside of the band, or there is no value */
};

extern const char *const figure_verdict_names[];

struct figure_check {
    const char *what, *published;
    const char *value;           /* an expression, or NULL: only of what is not covered */
    struct hv_where value_where; /* of its first character */
    const char *not_covered;     /* why, or NULL */
    const char *shortfall;       /* why it misses the band, or NULL */
    bool has_band;
    double low, high;
    /* Filled by figure_judge() */
    double simulated; /* NaN: there is no value */
    enum figure_verdict verdict;
};

struct figure;

/* Who draws the picture and writes table.csv. */
struct figure_picture {
    const char *name, *help;
    bool (*draw)(const struct figure *f, const struct table *table, const char *directory, struct hv_err *err);
};

extern const struct figure_picture figure_pictures[];
extern const size_t figure_picture_count;

struct figure {
    struct sweep sweep; /* owns the document and the memory */
    const char *name, *title, *caption, *source; /* caption: NULL, if there is none */
    const struct figure_picture *picture;
    struct figure_check *checks;
    size_t check_count;
    char failure[512]; /* of a point that could not be computed: a sentence; "" when there is none */
};

/* Reads a recipe and judges it, without running anything. Begins zeroed. */
bool figure_load(struct figure *f, const char *path, const struct sweep_host *host, struct hv_err *err);
void figure_fini(struct figure *f);

/* How points are computed. */
struct figure_effort {
    const struct sweep_engine *engine;
    unsigned processes;
    bool fresh; /* compute what is there again */
};

/* Computes what is missing and draws it; ends early when it is interrupted. False: a user's mistake. */
bool figure_compute(struct figure *f, const char *directory, const struct figure_effort *effort, struct table *table,
                    struct hv_err *err);

/* Fills in what is simulated, and the verdicts. */
void figure_judge(struct figure *f, const struct table *table);

/* The worst of the checks. A figure that could not be computed has missed. */
enum figure_verdict figure_verdict(const struct figure *f);

/* The table for people, and a page with the pictures, which lie in the folders of the figures beside it. */
void figure_print_verdicts(const struct figure *figures, size_t count, FILE *out);
void figure_print_page(const struct figure *figures, size_t count, FILE *out);

/* Says in a line or more what is different between two tables of a figure; how many cells moved. */
size_t figure_compare(const char *name, const char *reference, const char *now, FILE *out);

/* Draws the sweep's plot (figure_compute.c), or the cells of a walk (figure_grid.c). */
bool figure_draw_plot(const struct figure *f, const struct table *table, const char *directory, struct hv_err *err);
bool figure_draw_grid(const struct figure *f, const struct table *table, const char *directory, struct hv_err *err);

#endif
