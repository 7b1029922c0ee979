/* SPDX-License-Identifier: MIT */
/*
 * The matrix of a nested walk, as textbooks draw it: a row for each guest entry and one for the data, and in it the
 * host entries that translate its address, then the guest entry itself. The fields count the steps; the colour is how
 * long they take.
 */
#include <math.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/number.h"
#include "figure/figure.h"
#include "sweep/plot.h"
#include "sweep/plot_parts.h"

/* Where a cell lies: from the top left, in the order of the walk. */
struct place {
    unsigned row, column;
    char guest[16], host[16];
};

/* Whether a metric is the references of a cell in a walk of so many levels in both dimensions. */
static bool find_place(const char *metric, unsigned levels, struct place *place)
{
    unsigned guest = 0, host = 0;
    char rest[8] = "";
    if (sscanf(metric, "mmu.grid.g%u.h%u.%7s", &guest, &host, rest) == 3 ||
        sscanf(metric, "mmu.grid.data.h%u.%7s", &host, rest) == 2 ||
        sscanf(metric, "mmu.grid.g%u.g.%7s", &guest, rest) == 2) {
        place->row = levels - guest;
        place->column = levels - host;
        snprintf(place->guest, sizeof(place->guest), guest == 0 ? "data" : "g%u", guest);
        snprintf(place->host, sizeof(place->host), host == 0 ? "g" : "h%u", host);
        return rest[0] == 'r' && guest <= levels && host <= levels;
    }
    return false;
}

static unsigned count_levels(const struct sweep *s)
{
    unsigned most = 0, guest, host;
    for (size_t i = 0; i < s->metric_count; i++) {
        if (sscanf(s->metrics[i].name, "mmu.grid.g%u.h%u.", &guest, &host) == 2) {
            most = guest > most ? guest : most;
            most = host > most ? host : most;
        }
    }
    return most;
}

static double find_value(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->sweep->metric_count; i++) {
        if (strcmp(table->sweep->metrics[i].name, name) == 0 && table->entries[i].count > 0) {
            return table->entries[i].mean;
        }
    }
    return (double)NAN;
}

static void write_cell(const struct table *table, const struct place *place, unsigned levels, FILE *out)
{
    char name[64], refs[NUMBER_BYTES], cycles[NUMBER_BYTES];
    double walks = find_value(table, "mmu.walks");
    snprintf(name, sizeof(name), "mmu.grid.%s.%s.refs", place->guest, place->host);
    number_format_real(find_value(table, name) / walks, NUMBER_DIGITS_DATA, refs);
    snprintf(name, sizeof(name), "mmu.grid.%s.%s.cycles", place->guest, place->host);
    number_format_real(find_value(table, name) / walks, NUMBER_DIGITS_DATA, cycles);
    fprintf(out, "%s,%s,%u,%u,%u,%s,%s\n", place->guest, place->host, place->row, place->column,
            place->row * (levels + 1) + place->column + 1, refs, cycles);
}

static void write_table(const struct table *table, FILE *out)
{
    const struct sweep *s = table->sweep;
    unsigned levels = count_levels(s);
    struct place place;
    fputs("guest,host,row,column,step,refs,cycles\n", out);
    for (size_t i = 0; i < s->metric_count; i++) {
        if (find_place(s->metrics[i].name, levels, &place)) {
            write_cell(table, &place, levels, out);
        }
    }
}

static void write_tics(unsigned levels, FILE *out)
{
    fputs("set xtics scale 0 (", out);
    for (unsigned i = 0; i < levels; i++) {
        fprintf(out, "'host L%u' %u, ", levels - i, i);
    }
    fprintf(out, "'own entry' %u)\nset ytics scale 0 (", levels);
    for (unsigned i = 0; i < levels; i++) {
        fprintf(out, "'guest L%u' %u, ", levels - i, i);
    }
    fprintf(out, "'data' %u)\nset xrange [-0.5:%u.5]\nset yrange [%u.5:-0.5]\n", levels, levels, levels);
}

static void write_plot(const struct figure *f, FILE *out)
{
    fprintf(out, "# Figure %s. In a folder with table.csv, `gnuplot plot.gp` makes plot.png and plot.svg.\n", f->name);
    fputs("set datafile separator ','\nset datafile columnheaders\nset border 0\nunset key\n"
          "set style fill solid 1 border rgb 'white'\n"
          "# Light enough everywhere for black letters\n"
          "set palette defined (0 '#fff7ec', 0.5 '#fdcc8a', 1 '#fc8d59')\nset cbrange [0:]\n"
          "set cblabel 'cycles, mean of a walk' offset 1\nset rmargin at screen 0.81\n", out);
    write_tics(count_levels(&f->sweep), out);
    plot_write_title(&f->sweep, "set title ", out);
    plot_begin_picture(out);
    fputs("plot 'table.csv' using (column('column')):(column('row')):(0.5):(0.5):(column('cycles')) \\\n"
          "     with boxxyerror fillcolor palette, \\\n"
          "     '' using (column('column')):(column('row')):(sprintf(\"%g\\n%.3g cycles\", column('step'), "
          "column('cycles'))) with labels font 'Sans,20'\n"
          "set terminal svg size 1280,800 font 'Sans,24' noenhanced background '#ffffff'\n"
          "set output 'plot.svg'\nreplot\n", out);
}

static bool write_file(const struct figure *f, const struct table *table, const char *path, struct hv_err *err)
{
    struct atomic_file file;
    if (!atomic_file_open(&file, path, err)) {
        return false;
    }
    if (table != NULL) {
        write_table(table, file.out);
    } else {
        write_plot(f, file.out);
    }
    return atomic_file_commit(&file, err);
}

bool figure_draw_grid(const struct figure *f, const struct table *table, const char *directory, struct hv_err *err)
{
    char csv[PATH_MAX], program[PATH_MAX];
    if (snprintf(csv, sizeof(csv), "%s/table.csv", directory) >= (int)sizeof(csv) ||
        snprintf(program, sizeof(program), "%s/plot.gp", directory) >= (int)sizeof(program)) {
        return hv_fail(err, "the name of directory %.80s... is too long", directory);
    }
    if (f->sweep.rows != 1 || isnan(find_value(table, "mmu.walks")) || count_levels(&f->sweep) == 0) {
        return hv_fail(err, "figure %s: picture walk-grid takes a sweep of one row with the metrics mmu.walks and "
                       "mmu.grid.*", f->name);
    }
    return write_file(f, table, csv, err) && write_file(f, NULL, program, err) &&
           sweep_plot_run(directory) != SWEEP_PLOT_NOT_WRITTEN;
}
