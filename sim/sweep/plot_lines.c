/* SPDX-License-Identifier: MIT */
/* Lines: a curve is a line with points, and on each point the spread of its seeds. */
#include "sweep/plot_kinds.h"
#include "sweep/plot_parts.h"

void plot_write_lines(const struct sweep *s, FILE *out)
{
    plot_write_series(s, out);
    plot_write_x_axis(s, out);
    plot_write_y_axis(s, out);
    plot_write_curves_key(s, out);
    plot_begin_picture(out);
    for (struct plot_curve curve = {0}; plot_next_curve(s, &curve);) {
        char title[PLOT_CURVE_TITLE_BYTES], look[32];
        size_t style = (curve.number - 1) % PLOT_STYLES + 1;
        plot_curve_title(s, &curve, title);
        plot_write_curve(s, &curve, "", out);
        fprintf(out, " with linespoints ls %zu title ", style);
        plot_quote(title, out);
        snprintf(look, sizeof(look), "ls %zu dt solid", style);
        plot_write_spread(s, &curve, "", look, out);
    }
    fputc('\n', out);
}
