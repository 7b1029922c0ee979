/* SPDX-License-Identifier: MIT */
/*
 * Stacks: at each value of x a bar for each series, made of all metrics one on top of the other. A cycle stack is
 *
 *     plot: {kind: stack, x: ..., by: ..., y: [core.cycles_base, core.cycles_tlb, ...], per: core.instructions}
 */
#include <string.h>

#include "base/number.h"
#include "sweep/plot_kinds.h"
#include "sweep/plot_parts.h"

/* beside(x): where the bar of a line of the table stands whose value has its place at x. */
static void write_beside(size_t count, FILE *out)
{
    fputs("beside(x) = ", out);
    for (size_t i = 0; i < count; i++) {
        char shift[NUMBER_BYTES];
        number_format_real(plot_beside(i, count), NUMBER_DIGITS_TEXT, shift);
        fprintf(out, "s%zu(1) == 1 ? x + %s : ", i + 1, shift);
    }
    fputs("NaN\n", out);
}

/* A tic below each bar, with its series; returns the letters of the longest. */
static size_t write_bar_tics(const struct sweep *s, size_t count, FILE *out)
{
    const char *comma = "";
    size_t longest = 0;
    fputs("set xtics font 'Sans,18' rotate by 90 right (", out);
    for (size_t i = 0; i < s->axes[s->plot.x].count; i++) {
        size_t bar = 0;
        for (long row = plot_next_series(s, -1); row >= 0; row = plot_next_series(s, row), bar++) {
            char title[PLOT_TITLE_BYTES], at[NUMBER_BYTES];
            plot_series_title(s, (size_t)row, title);
            number_format_real((double)(i + 1) + plot_beside(bar, count), NUMBER_DIGITS_TEXT, at);
            fputs(comma, out);
            plot_quote(title, out);
            fprintf(out, " %s", at);
            comma = ", ";
            longest = strlen(title) > longest ? strlen(title) : longest;
        }
    }
    fputs(")\n", out);
    return longest;
}

/* Below each bar stands its series, above those of one value of x this value. */
static void write_two_rows_of_tics(const struct sweep *s, size_t count, FILE *out)
{
    enum { LETTER = 17, MOST = 500 }; /* thousandths of the picture's height */
    const struct sweep_axis *x = &s->axes[s->plot.x];
    size_t margin = write_bar_tics(s, count, out) * LETTER + 3 * LETTER;
    fprintf(out, "set bmargin at screen %.3f\nset x2tics scale 0 (", (double)(margin > MOST ? MOST : margin) / 1000);
    for (size_t i = 0; i < x->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        plot_quote(x->values[i].label, out);
        fprintf(out, " %zu", i + 1);
    }
    fprintf(out, ")\nset x2range [0.45:%zu.55]\nset x2label ", x->count);
    char label[PLOT_TITLE_BYTES];
    plot_axis_label(x, label);
    plot_quote(s->plot.x_label != NULL ? s->plot.x_label : label, out);
    fputs("\nunset xlabel\n", out);
}

/* How many letters all metrics begin with, up to a dot or underscore: what a legend need not repeat. */
static size_t common_length(const struct sweep *s)
{
    const char *first = s->metrics[s->plot.y[0]].name;
    size_t length = strlen(first);
    for (size_t i = 1; i < s->plot.y_count; i++) {
        const char *name = s->metrics[s->plot.y[i]].name;
        size_t same = 0;
        while (same < length && name[same] == first[same]) {
            same++;
        }
        length = same;
    }
    while (length > 0 && first[length - 1] != '.' && first[length - 1] != '_') {
        length--;
    }
    return length;
}

void plot_write_stack(const struct sweep *s, FILE *out)
{
    size_t count = plot_series_count(s), common = common_length(s);
    char width[NUMBER_BYTES];
    number_format_real(PLOT_CLUSTER / (double)count, NUMBER_DIGITS_TEXT, width);
    plot_write_series(s, out);
    write_beside(count, out);
    plot_write_x_axis(s, out);
    if (count > 1) {
        write_two_rows_of_tics(s, count, out);
    }
    plot_write_y_axis(s, out);
    plot_write_right_key(s, out); /* above and below are rows of tics */
    fprintf(out, "set style fill solid 0.9 border rgb 'black'\nset boxwidth %s absolute\n", width);
    plot_begin_picture(out);
    for (size_t top = s->plot.y_count; top > 0; top--) { /* the whole bar first, then what covers its lower parts */
        fputs(top == s->plot.y_count ? "plot 'table.csv'" : ", \\\n     ''", out);
        fputs(" using (beside(", out);
        plot_write_x(s, out);
        fputs(")):(", out);
        for (size_t i = 0; i < top; i++) {
            fputs(i > 0 ? " + " : "", out);
            plot_write_y(s, i, out);
        }
        fprintf(out, ") with boxes ls %zu dt solid lw 1 title ", (top - 1) % PLOT_STYLES + 1);
        plot_quote(s->metrics[s->plot.y[top - 1]].name + common, out);
    }
    fputc('\n', out);
}
