/* SPDX-License-Identifier: MIT */
/* The axes of a plot, their labels and tics, and the legend. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "sweep/plot_parts.h"
#include "workload/detmath.h"

/* In a picture of 1280 points with letters of 24, the plot and a letter of gnuplot's are about so wide. */
enum { PLOT_WIDTH = 1080, LETTER_WIDTH = 20, LABEL_GAP = 14, NARROW_PLACE = 4 * LETTER_WIDTH };

void plot_axis_label(const struct sweep_axis *axis, char label[PLOT_TITLE_BYTES])
{
    static const char *const units[] = {"_cycles", "_bytes"};
    char name[PARAM_NAME_BYTES];
    if (axis->kind != SWEEP_AXIS_PARAM) {
        snprintf(label, PLOT_TITLE_BYTES, "%s", axis->name);
        return;
    }
    const struct param_row *row = axis->param.row;
    snprintf(name, sizeof(name), "%s", row->name);
    const char *unit = row->type == PARAM_SIZE || strcmp(name, row->unit) == 0 ? "" : row->unit;
    for (size_t i = 0; i < HV_ARRAY_LEN(units); i++) {
        size_t length = strlen(name), end = strlen(units[i]);
        if (length > end && strcmp(name + length - end, units[i]) == 0) {
            name[length - end] = '\0';
        }
    }
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
    const char *what = axis->param.mount->help != NULL ? axis->param.mount->help : axis->param.mount->prefix;
    int length = snprintf(label, PLOT_TITLE_BYTES, "%s: %s%s%s%s", what, name, unit[0] != '\0' ? " [" : "", unit,
                          unit[0] != '\0' ? "]" : "");
    if (length > PLOT_LABEL_LETTERS) {
        snprintf(label, PLOT_TITLE_BYTES, "%s", axis->name);
    }
}

/* The ends of an axis that is drawn to scale. */
struct scale {
    double low, high;
    bool log;
};

static struct scale find_scale(const struct sweep *s, const struct sweep_axis *x)
{
    struct scale scale = {x->values[0].number, x->values[0].number, s->plot.log_x};
    for (size_t i = 1; i < x->count; i++) {
        double number = x->values[i].number;
        scale.low = number < scale.low ? number : scale.low;
        scale.high = number > scale.high ? number : scale.high;
    }
    return scale;
}

/* How far along the axis a number lies, from 0 to 1. */
static double position(const struct scale *scale, double at)
{
    if (scale->high == scale->low) {
        return 0.5;
    }
    return scale->log ? detmath_log2(at / scale->low) / detmath_log2(scale->high / scale->low)
                      : (at - scale->low) / (scale->high - scale->low);
}

/* From a little before the first number to a little behind the last, whether or not there are results of them. */
static void write_scaled_range(struct scale scale, FILE *out)
{
    const double margin = 0.03;
    bool single = scale.high == scale.low;
    char from[NUMBER_BYTES], to[NUMBER_BYTES];
    if (scale.log) {
        double factor = single ? 2 : detmath_pow(scale.high / scale.low, margin);
        scale.low /= factor;
        scale.high *= factor;
    } else {
        double pad = single ? 1 : (scale.high - scale.low) * margin;
        scale.low -= pad;
        scale.high += pad;
    }
    number_format_real(scale.low, NUMBER_DIGITS_DATA, from);
    number_format_real(scale.high, NUMBER_DIGITS_DATA, to);
    fprintf(out, "set xrange [%s:%s]\n", from, to);
}

static double label_width(const char *label)
{
    return (double)(strlen(label) * LETTER_WIDTH + LABEL_GAP) / PLOT_WIDTH;
}

/* Whether the label of value i lies over none of those before it. */
static bool has_room(const struct sweep_axis *x, const double *at, const bool *labelled, size_t i)
{
    double width = label_width(x->values[i].label);
    for (size_t k = 0; k < i; k++) {
        double distance = at[i] < at[k] ? at[k] - at[i] : at[i] - at[k];
        if (labelled[k] && distance < (width + label_width(x->values[k].label)) / 2) {
            return false;
        }
    }
    return true;
}

/* A tic at each value; without a label where labels would lie over each other. */
static void write_scaled_tics(const struct sweep *s, const struct sweep_axis *x, FILE *out)
{
    struct scale scale = find_scale(s, x);
    double *at = calloc(x->count, sizeof(*at));
    bool *labelled = calloc(x->count, sizeof(*labelled));
    HV_ASSERT(at != NULL && labelled != NULL, "out of memory");
    fputs("set xtics (", out);
    for (size_t i = 0; i < x->count; i++) {
        at[i] = position(&scale, x->values[i].number);
        labelled[i] = has_room(x, at, labelled, i);
        fputs(i > 0 ? ", " : "", out);
        plot_quote(labelled[i] ? x->values[i].label : "", out);
        fprintf(out, " %s", x->values[i].cell);
    }
    fputs(")\n", out);
    write_scaled_range(scale, out);
    free(at);
    free(labelled);
}

/* Labels that would not stand beside each other lie askew; where even those would overlap, upright. */
void plot_write_place_tics(const char *which, const struct sweep_axis *axis, FILE *out)
{
    double width = 0;
    for (size_t i = 0; which[0] == 'x' && i < axis->count; i++) {
        double label = label_width(axis->values[i].label) * (double)axis->count;
        width = label > width ? label : width;
    }
    bool narrow = PLOT_WIDTH < axis->count * NARROW_PLACE;
    const char *turn = width <= 1 ? "" : narrow ? "rotate by 90 right " : "rotate by -30 left ";
    fprintf(out, "set %stics %s(", which, turn);
    for (size_t i = 0; i < axis->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        plot_quote(axis->values[i].label, out);
        fprintf(out, " %zu", i + 1);
    }
    fprintf(out, ")\nset %srange [0.45:%zu.55]\n", which, axis->count);
}

void plot_write_x_axis(const struct sweep *s, FILE *out)
{
    const struct sweep_axis *x = &s->axes[s->plot.x];
    char label[PLOT_TITLE_BYTES];
    plot_axis_label(x, label);
    if (!plot_x_is_scaled(s)) {
        fputs("# Where each value has its place\n", out);
        plot_write_places("place", x, out);
    }
    fputs("set xlabel ", out);
    plot_quote(s->plot.x_label != NULL ? s->plot.x_label : label, out);
    fputc('\n', out);
    fputs(s->plot.log_x ? "set logscale x 2\n" : "", out);
    if (plot_x_is_scaled(s)) {
        write_scaled_tics(s, x, out);
    } else {
        plot_write_place_tics("x", x, out);
    }
}

void plot_metric_label(const struct sweep_metric *metric, char label[PLOT_TITLE_BYTES])
{
    bool few = strlen(metric->help) <= PLOT_LABEL_LETTERS;
    bool said = metric->unit[0] == '\0' || (few && strstr(metric->help, metric->unit) != NULL);
    snprintf(label, PLOT_TITLE_BYTES, "%s%s%s%s", few ? metric->help : metric->name, said ? "" : " [",
             said ? "" : metric->unit, said ? "" : "]");
}

/* How many letters of a unit's name are its singular: "walks", "accesses". */
static size_t singular(const char *unit)
{
    size_t length = strlen(unit);
    if (length > 4 && strcmp(unit + length - 4, "sses") == 0) {
        return length - 2;
    }
    return length > 0 && unit[length - 1] == 's' ? length - 1 : length;
}

/* "cycles per instruction" of cycles and instructions */
static void quotient_label(const struct sweep *s, const char *above, char label[PLOT_TITLE_BYTES])
{
    const struct sweep_metric *per = &s->metrics[s->plot.per];
    const char *below = per->unit[0] != '\0' ? per->unit : per->name;
    size_t letters = per->unit[0] != '\0' ? singular(below) : strlen(below);
    snprintf(label, PLOT_TITLE_BYTES, "%s per %.*s", above, (int)letters, below);
}

void plot_y_label(const struct sweep *s, char label[PLOT_TITLE_BYTES])
{
    const struct sweep_metric *first = &s->metrics[s->plot.y[0]];
    if (s->plot.per >= 0) {
        quotient_label(s, first->unit[0] != '\0' ? first->unit : first->name, label);
    } else if (s->plot.y_count == 1) {
        plot_metric_label(first, label);
    } else { /* the legend names the metrics */
        snprintf(label, PLOT_TITLE_BYTES, "%s", first->unit);
    }
}

void plot_write_y_axis(const struct sweep *s, FILE *out)
{
    char label[PLOT_TITLE_BYTES];
    plot_y_label(s, label);
    fputs("set ylabel ", out);
    plot_quote(s->plot.y_label != NULL ? s->plot.y_label : label, out);
    /* Beginning at zero, differences look as large as they are; the odd bound is for data that are all zero. */
    fputs(s->plot.log_y ? "\nset logscale y 10\n" : "\nset yrange [0:1e-9<*]\n", out);
}

/* --- Legend ------------------------------------------------------------------------------------------------------- */

void plot_write_title(const struct sweep *s, const char *command, FILE *out)
{
    if (s->plot.title != NULL) {
        fputs(command, out);
        plot_quote(s->plot.title, out);
    }
}

void plot_write_right_key(const struct sweep *s, FILE *out)
{
    fputs("set key outside right center vertical Left reverse samplen 2 spacing 1.2\n", out);
    plot_write_title(s, "set title ", out);
    fputc('\n', out);
}

/* Above the plot while it takes few rows there, else on the right if it is narrow, else above in small letters. */
static void write_key(const struct sweep *s, size_t titles, size_t longest, FILE *out)
{
    enum { SAMPLE_WIDTH = 110, MAX_ROWS = 4, MAX_RIGHT = 16, TITLE_LETTER_WIDTH = 16 };
    size_t columns = PLOT_WIDTH / (longest * TITLE_LETTER_WIDTH + SAMPLE_WIDTH);
    bool few_rows = columns > 0 && titles <= MAX_ROWS * columns;
    if (titles <= 1) {
        fputs("unset key\n", out);
        plot_write_title(s, "set title ", out);
        fputc('\n', out);
    } else if (longest <= MAX_RIGHT && !few_rows) {
        plot_write_right_key(s, out);
    } else {
        fputs("set key outside top center horizontal samplen 3", out);
        fputs(few_rows ? "" : " font 'Sans,14'\n", out);
        plot_write_title(s, few_rows ? " title " : "set title ", out); /* the first is above the legend */
        fputc('\n', out);
    }
}

void plot_write_curves_key(const struct sweep *s, FILE *out)
{
    size_t titles = 0, longest = 0;
    char title[PLOT_CURVE_TITLE_BYTES];
    for (struct plot_curve curve = {0}; plot_next_curve(s, &curve); titles++) {
        plot_curve_title(s, &curve, title);
        longest = strlen(title) > longest ? strlen(title) : longest;
    }
    write_key(s, titles, longest, out);
}
