/* SPDX-License-Identifier: MIT */
/*
 * The picture of a sweep: a gnuplot program that draws table.csv.
 *
 * The program is written for people to change, and stands alone: in any directory that holds it and the table,
 * `gnuplot plot.gp` makes plot.png and plot.svg. Its first lines hold a fingerprint of the rest, so that a program that
 * somebody has changed is told from one that may be written anew.
 *
 * A kind of plot is a row of sweep_plot_kinds: what it needs, and the function that writes what is its own.
 */
#ifndef HV_SWEEP_PLOT_H
#define HV_SWEEP_PLOT_H

#include "sweep/sweep.h"

struct sweep_plot_kind {
    const char *name;
    const char *help;
    bool numeric_x;      /* x is drawn to scale when all its values are numbers; else each has its place */
    size_t min_y, max_y; /* how many metrics */
    size_t max_by;       /* how many axes beside x */
    void (*write)(const struct sweep *s, FILE *out);
};

extern const struct sweep_plot_kind sweep_plot_kinds[];
extern const size_t sweep_plot_kind_count;

/* The program, without what tells whether it was changed. */
void sweep_plot_write(const struct sweep *s, FILE *out);

enum sweep_plot_result {
    SWEEP_PLOT_DRAWN,
    SWEEP_PLOT_KEPT,        /* drawn by a plot.gp that somebody has changed */
    SWEEP_PLOT_NO_GNUPLOT,  /* the program is there and the pictures are not */
    SWEEP_PLOT_FAILED,      /* gnuplot failed, and said why */
    SWEEP_PLOT_NOT_WRITTEN, /* the sentence is in err */
};

/* Writes plot.gp into a directory, unless it was changed there, and draws plot.png and plot.svg. */
enum sweep_plot_result sweep_plot_draw(const struct sweep *s, const char *directory, struct hv_err *err);

/* Runs gnuplot on a directory's plot.gp. */
enum sweep_plot_result sweep_plot_run(const char *directory);

#endif
