/* SPDX-License-Identifier: MIT */
/* Bars: at each value of x a bar for each curve, side by side, and on it the spread of its seeds. */
#include "base/number.h"
#include "sweep/plot_kinds.h"
#include "sweep/plot_parts.h"

void plot_write_bars(const struct sweep *s, FILE *out)
{
    size_t count = plot_series_count(s) * s->plot.y_count;
    char width[NUMBER_BYTES];
    number_format_real(PLOT_CLUSTER / (double)count, NUMBER_DIGITS_TEXT, width);
    plot_write_series(s, out);
    plot_write_x_axis(s, out);
    plot_write_y_axis(s, out);
    plot_write_curves_key(s, out);
    fprintf(out, "set style fill solid 0.85 border rgb 'black'\nset boxwidth %s absolute\n", width);
    plot_begin_picture(out);
    for (struct plot_curve curve = {0}; plot_next_curve(s, &curve);) {
        char title[PLOT_CURVE_TITLE_BYTES], shift[NUMBER_BYTES + 4], beside[NUMBER_BYTES];
        number_format_real(plot_beside(curve.number - 1, count), NUMBER_DIGITS_TEXT, beside);
        snprintf(shift, sizeof(shift), " + %s", beside);
        plot_curve_title(s, &curve, title);
        plot_write_curve(s, &curve, shift, out);
        fprintf(out, " with boxes ls %zu dt solid lw 1 title ", (curve.number - 1) % PLOT_STYLES + 1);
        plot_quote(title, out);
        plot_write_spread(s, &curve, shift, "lc rgb 'black' lw 2", out);
    }
    fputc('\n', out);
}
