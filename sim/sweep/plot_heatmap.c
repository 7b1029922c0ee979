/* SPDX-License-Identifier: MIT */
/* A heat map: a field for each value of x and of the other axis, coloured by the metric, which is written in it. */
#include "sweep/plot_kinds.h"
#include "sweep/plot_parts.h"

static void write_place(const struct sweep *s, FILE *out)
{
    fputs(" using (", out);
    plot_write_x(s, out);
    fputs("):(across(strcol(", out);
    plot_quote(s->axes[s->plot.by[0]].name, out);
    fputs(")))", out);
}

/* A label beside its tics, moved away from them by so many letters: gnuplot puts upright ones too near. */
static void write_label(const char *command, const char *text, const char *offset, FILE *out)
{
    fprintf(out, "set %s ", command);
    plot_quote(text, out);
    fprintf(out, " offset %s\n", offset);
}

void plot_write_heatmap(const struct sweep *s, FILE *out)
{
    const struct sweep_axis *by = &s->axes[s->plot.by[0]];
    char label[PLOT_TITLE_BYTES];
    plot_write_x_axis(s, out);
    plot_write_places("across", by, out);
    plot_write_place_tics("y", by, out);
    plot_axis_label(by, label);
    write_label("ylabel", s->plot.y_label != NULL ? s->plot.y_label : label, "-0.7", out);
    plot_y_label(s, label);
    write_label("cblabel", label, "1", out);
    fputs("set rmargin at screen 0.81\nset tics scale 0\nunset key\nunset grid\n"
          "# Light enough everywhere for black letters\n"
          "set palette defined (0 '#fff7ec', 0.5 '#fdcc8a', 1 '#fc8d59')\n"
          "set style fill solid 1 border rgb 'white'\n", out);
    plot_write_title(s, "set title ", out);
    plot_begin_picture(out);
    fputs("plot 'table.csv'", out);
    write_place(s, out);
    fputs(":(0.5):(0.5):(", out);
    plot_write_y(s, 0, out);
    fputs(") with boxxyerror fillcolor palette, \\\n     ''", out);
    write_place(s, out);
    fputs(":(sprintf('%.3g', ", out);
    plot_write_y(s, 0, out);
    fputs(")) with labels\n", out);
}
