/* SPDX-License-Identifier: MIT */
/* Series of a plot, and where in the table their values are. */
#include "sweep/plot_parts.h"

#include <string.h>

void plot_quote(const char *text, FILE *out)
{
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        fputs(*text == '\'' ? "'" : "", out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

/* --- Series ------------------------------------------------------------------------------------------------------- */

static bool on_x_wheel(const struct sweep *s, const struct sweep_axis *axis)
{
    return axis->wheel == s->axes[s->plot.x].wheel;
}

long plot_next_series(const struct sweep *s, long after)
{
    const struct sweep_axis *x = &s->axes[s->plot.x];
    for (size_t row = (size_t)(after + 1); row < s->rows; row++) {
        if (sweep_value(s, row, x) == &x->values[0]) {
            return (long)row;
        }
    }
    return -1;
}

size_t plot_series_count(const struct sweep *s)
{
    size_t count = 0;
    for (long row = plot_next_series(s, -1); row >= 0; row = plot_next_series(s, row)) {
        count++;
    }
    return count;
}

/* A word says what it is; a number or a truth needs the name of what it is of. */
static bool speaks_for_itself(const struct sweep_axis *axis)
{
    return axis->kind != SWEEP_AXIS_PARAM || axis->param.row->type == PARAM_ENUM || axis->param.row->type == PARAM_TEXT;
}

void plot_series_title(const struct sweep *s, size_t row, char title[PLOT_TITLE_BYTES])
{
    size_t used = 0;
    title[0] = '\0';
    for (size_t i = 0; i < s->plot.by_count && used < PLOT_TITLE_BYTES; i++) {
        const struct sweep_axis *axis = &s->axes[s->plot.by[i]];
        const char *dot = strrchr(axis->name, '.'), *name = dot == NULL ? axis->name : dot + 1;
        bool plain = speaks_for_itself(axis);
        used += (size_t)snprintf(title + used, PLOT_TITLE_BYTES - used, "%s%s%s%s", used > 0 ? ", " : "",
                                 plain ? "" : name, plain ? "" : "=", sweep_value(s, row, axis)->label);
    }
}

static void write_condition(const struct sweep *s, size_t row, FILE *out)
{
    const char *also = "";
    for (size_t i = 0; i < s->plot.by_count; i++) {
        const struct sweep_axis *axis = &s->axes[s->plot.by[i]];
        if (!on_x_wheel(s, axis)) {
            fprintf(out, "%sis(", also);
            plot_quote(axis->name, out);
            fputs(", ", out);
            plot_quote(sweep_value(s, row, axis)->cell, out);
            fputc(')', out);
            also = " && ";
        }
    }
    fputs(also[0] == '\0' ? "1" : "", out);
}

void plot_write_series(const struct sweep *s, FILE *out)
{
    size_t number = 0;
    fputs("# Each series is the lines of the table with its values.\n"
          "is(name, text) = strcol(name) eq text\n", out);
    for (long row = plot_next_series(s, -1); row >= 0; row = plot_next_series(s, row)) {
        fprintf(out, "s%zu(v) = ", ++number);
        write_condition(s, (size_t)row, out);
        fputs(" ? v : NaN\n", out);
    }
    fputc('\n', out);
}

/* --- Places and values -------------------------------------------------------------------------------------------- */

bool plot_x_is_scaled(const struct sweep *s)
{
    const struct sweep_axis *x = &s->axes[s->plot.x];
    bool scaled = s->plot.kind->numeric_x;
    for (size_t i = 0; i < x->count; i++) {
        scaled = scaled && x->values[i].is_number;
    }
    return scaled;
}

void plot_write_places(const char *function, const struct sweep_axis *axis, FILE *out)
{
    fprintf(out, "%s(text) = ", function);
    for (size_t i = 0; i < axis->count; i++) {
        fputs("text eq ", out);
        plot_quote(axis->values[i].cell, out);
        fprintf(out, " ? %zu : ", i + 1);
    }
    fputs("NaN\n", out);
}

void plot_write_x(const struct sweep *s, FILE *out)
{
    fputs(plot_x_is_scaled(s) ? "column(" : "place(strcol(", out);
    plot_quote(s->axes[s->plot.x].name, out);
    fputs(plot_x_is_scaled(s) ? ")" : "))", out);
}

void plot_write_y(const struct sweep *s, size_t i, FILE *out)
{
    fputs("column(", out);
    plot_quote(s->metrics[s->plot.y[i]].name, out);
    fputc(')', out);
    if (s->plot.per >= 0) {
        fputs("/column(", out);
        plot_quote(s->metrics[s->plot.per].name, out);
        fputc(')', out);
    }
}

/* --- Curves ------------------------------------------------------------------------------------------------------- */

bool plot_next_curve(const struct sweep *s, struct plot_curve *curve)
{
    bool next_series = curve->number == 0 || curve->y + 1 == s->plot.y_count;
    curve->y = next_series ? 0 : curve->y + 1;
    if (next_series) {
        curve->row = plot_next_series(s, curve->number == 0 ? -1 : curve->row);
        curve->series++;
    }
    curve->number++;
    return curve->row >= 0;
}

void plot_curve_title(const struct sweep *s, const struct plot_curve *curve, char title[PLOT_CURVE_TITLE_BYTES])
{
    char series[PLOT_TITLE_BYTES];
    plot_series_title(s, (size_t)curve->row, series);
    const char *metric = s->plot.y_count > 1 ? s->metrics[s->plot.y[curve->y]].name : "";
    const char *comma = metric[0] != '\0' && series[0] != '\0' ? ", " : "";
    snprintf(title, PLOT_CURVE_TITLE_BYTES, "%s%s%s", metric, comma, series);
}

/* "plot 'table.csv'", or what joins another element to it, and where the curve lies along x. */
static void write_element(const struct sweep *s, bool first, const char *shift, FILE *out)
{
    fputs(first ? "plot 'table.csv' using (" : ", \\\n     '' using (", out);
    plot_write_x(s, out);
    fprintf(out, "%s):", shift);
}

void plot_write_curve(const struct sweep *s, const struct plot_curve *curve, const char *shift, FILE *out)
{
    write_element(s, curve->number == 1, shift, out);
    fprintf(out, "(s%zu(", curve->series);
    plot_write_y(s, curve->y, out);
    fputs("))", out);
}

/* Arrows with blunt heads: gnuplot draws the points of its own error bars, on white. */
void plot_write_spread(const struct sweep *s, const struct plot_curve *curve, const char *shift, const char *look,
                       FILE *out)
{
    const char *name = s->metrics[s->plot.y[curve->y]].name;
    if (s->seeds > 1 && s->plot.per < 0) {
        write_element(s, false, shift, out);
        fprintf(out, "(s%zu(column('%s.min'))):(0):(column('%s.max') - column('%s.min'))"
                " with vectors heads size graph 0.006,90 %s notitle", curve->series, name, name, name, look);
    }
}
