/* SPDX-License-Identifier: MIT */
/* What each kind of plot writes of its own: a row of sweep_plot_kinds, and a file plot_KIND.c. */
#ifndef HV_SWEEP_PLOT_KINDS_H
#define HV_SWEEP_PLOT_KINDS_H

#include "sweep/sweep.h"

void plot_write_lines(const struct sweep *s, FILE *out);
void plot_write_bars(const struct sweep *s, FILE *out);
void plot_write_stack(const struct sweep *s, FILE *out);
void plot_write_heatmap(const struct sweep *s, FILE *out);

#endif
