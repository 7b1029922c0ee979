/* SPDX-License-Identifier: MIT */
/*
 * What the kinds of plots have in common: series, places along x, labels, the legend, the pictures.
 *
 * Every axis of a sweep is x, in by, or zipped with one of them. So the rows that have x's first value are as many as
 * there are series, and each stands for one.
 */
#ifndef HV_SWEEP_PLOT_PARTS_H
#define HV_SWEEP_PLOT_PARTS_H

#include "sweep/plot.h"

enum { PLOT_STYLES = 8, PLOT_TITLE_BYTES = 256, PLOT_CURVE_TITLE_BYTES = 512, PLOT_LABEL_LETTERS = 46 };

/* A text in gnuplot's single quotes, where nothing but the quote itself has a meaning. */
void plot_quote(const char *text, FILE *out);

/* The row that stands for the next series after row `after` (-1: for the first), or -1. */
long plot_next_series(const struct sweep *s, long after);

size_t plot_series_count(const struct sweep *s);

/* What tells a series from the others: "native, ways=8". */
void plot_series_title(const struct sweep *s, size_t row, char title[PLOT_TITLE_BYTES]);

/* What is drawn as one: a series of one metric. Zeroed, it stands before the first. */
struct plot_curve {
    size_t number; /* from 1 */
    size_t series; /* from 1 */
    size_t y;
    long row;      /* that stands for the series */
};

/* Goes to the next curve: all metrics of a series, then those of the next. */
bool plot_next_curve(const struct sweep *s, struct plot_curve *curve);

/* The title of a curve: of its metric and of its series, as far as there are several of them. */
void plot_curve_title(const struct sweep *s, const struct plot_curve *curve, char title[PLOT_CURVE_TITLE_BYTES]);

/* Begins an element of the plot command with the places and values of a curve; shift is "", or such as " + 0.2". */
void plot_write_curve(const struct sweep *s, const struct plot_curve *curve, const char *shift, FILE *out);

/* Adds, if there is any, the spread between seeds, from the least to the greatest; look is the style of its lines. */
void plot_write_spread(const struct sweep *s, const struct plot_curve *curve, const char *shift, const char *look,
                       FILE *out);

/* Defines s1(v), s2(v), ...: v in the lines of the table that belong to a series, and nothing in the others. */
void plot_write_series(const struct sweep *s, FILE *out);

/* Whether x is drawn to scale; else each value has its place: 1, 2, ... */
bool plot_x_is_scaled(const struct sweep *s);

/* Defines place(text), where each value of an axis is drawn when it is not to scale. */
void plot_write_places(const char *function, const struct sweep_axis *axis, FILE *out);

/* Where bar number `bar` of `count` stands beside its value's place; together they are PLOT_CLUSTER wide. */
#define PLOT_CLUSTER 0.8
static inline double plot_beside(size_t bar, size_t count)
{
    return ((double)bar + 0.5) / (double)count * PLOT_CLUSTER - PLOT_CLUSTER / 2;
}

/* An expression for where a line of the table lies along x. */
void plot_write_x(const struct sweep *s, FILE *out);

/* An expression for the metric number i of y. */
void plot_write_y(const struct sweep *s, size_t i, FILE *out);

/* The x axis: its label, its tics, and its range. */
void plot_write_x_axis(const struct sweep *s, FILE *out);
void plot_write_y_axis(const struct sweep *s, FILE *out);

/* "second-level TLB: entries" */
void plot_axis_label(const struct sweep_axis *axis, char label[PLOT_TITLE_BYTES]);

/* The tics of an axis ("x" or "y") whose values have their places. */
void plot_write_place_tics(const char *which, const struct sweep_axis *axis, FILE *out);

/* The title of the whole, if it has one, by `command`. */
void plot_write_title(const struct sweep *s, const char *command, FILE *out);

/* The legend, beside the data and never over them, and the title: for a curve each, or on the right. */
void plot_write_curves_key(const struct sweep *s, FILE *out);
void plot_write_right_key(const struct sweep *s, FILE *out);

/* What a metric is, in words when they are few, with its unit. */
void plot_metric_label(const struct sweep_metric *metric, char label[PLOT_TITLE_BYTES]);

/* What is drawn: the metric, or, with `per`, the quotient of two: "walks per access". */
void plot_y_label(const struct sweep *s, char label[PLOT_TITLE_BYTES]);

/* From here on commands draw into plot.png. */
void plot_begin_picture(FILE *out);

#endif
