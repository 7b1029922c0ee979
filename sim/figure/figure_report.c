/* SPDX-License-Identifier: MIT */
/* The verdicts of several figures: a table for people, and a page of Markdown with the pictures. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "figure/figure.h"

enum { COLUMNS = 6, CELL_BYTES = 128 };

static const char *const heads[COLUMNS] = {"figure", "source", "check", "published", "simulated", "verdict"};

static void format_value(double value, char text[NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "-");
    if (isfinite(value)) {
        number_format_real(value, 4, text);
    }
}

/* "[1.15, 1.38]" */
static void format_band(const struct figure_check *check, char *text, size_t bytes)
{
    char low[NUMBER_BYTES], high[NUMBER_BYTES];
    format_value(check->low, low);
    format_value(check->high, high);
    snprintf(text, bytes, check->low < check->high ? "%s .. %s" : "%s", low, high);
}

/* A cell of the table: of the head when f is NULL. Figure and source stand beside a figure's first check only. */
static void make_cell(const struct figure *f, size_t check, size_t column, char cell[CELL_BYTES])
{
    char text[NUMBER_BYTES];
    if (f == NULL) {
        snprintf(cell, CELL_BYTES, "%s", heads[column]);
        return;
    }
    const struct figure_check *c = &f->checks[check];
    switch (column) {
    case 0: snprintf(cell, CELL_BYTES, "%s", check == 0 ? f->name : ""); return;
    case 1: snprintf(cell, CELL_BYTES, "%s", check == 0 ? f->source : ""); return;
    case 2: snprintf(cell, CELL_BYTES, "%s", c->what); return;
    case 3: snprintf(cell, CELL_BYTES, "%s", c->published == NULL ? "-" : c->published); return;
    case 4:
        format_value(c->simulated, text);
        snprintf(cell, CELL_BYTES, "%s", text);
        return;
    default: break;
    }
    size_t used = (size_t)snprintf(cell, CELL_BYTES, "%s", figure_verdict_names[c->verdict]);
    if (c->verdict == FIGURE_MISSED) {
        char band[2 * NUMBER_BYTES + 8];
        format_band(c, band, sizeof(band));
        snprintf(cell + used, CELL_BYTES - used, ": the band is %s", band);
    }
}

/* Terminals have no room for the names of sources in a column: a line of them stands over each figure's checks. */
enum { FIRST_PRINTED = 2 };

static void measure(const struct figure *figures, size_t count, int widths[COLUMNS])
{
    char cell[CELL_BYTES];
    for (size_t column = FIRST_PRINTED; column < COLUMNS; column++) {
        widths[column] = (int)strlen(heads[column]);
        for (size_t i = 0; i < count; i++) {
            for (size_t c = 0; c < figures[i].check_count; c++) {
                make_cell(&figures[i], c, column, cell);
                widths[column] = (int)strlen(cell) > widths[column] ? (int)strlen(cell) : widths[column];
            }
        }
    }
}

static void print_row(const struct figure *f, size_t check, const int widths[COLUMNS], FILE *out)
{
    char cell[CELL_BYTES];
    for (size_t column = FIRST_PRINTED; column < COLUMNS; column++) {
        make_cell(f, check, column, cell);
        bool last = column + 1 == COLUMNS;
        fprintf(out, "  %-*s%s", last ? 0 : widths[column], cell, last ? "\n" : "");
    }
}

/* What the recipe has to say of the verdict; NULL when that is nothing. */
static const char *reason_of(const struct figure_check *check)
{
    return check->verdict == FIGURE_MISSED ? check->shortfall : check->not_covered;
}

/* Why figures could not be computed, what is not covered, and what is known of the misses. */
static void print_reasons(const struct figure *figures, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++) {
        if (figures[i].failure[0] != '\0') {
            fprintf(out, "%s could not be computed: %s\n", figures[i].name, figures[i].failure);
        }
        for (size_t c = 0; c < figures[i].check_count; c++) {
            const struct figure_check *check = &figures[i].checks[c];
            if (reason_of(check) != NULL) {
                fprintf(out, "%s, %s: %s: %s\n", figures[i].name, check->what, figure_verdict_names[check->verdict],
                        reason_of(check));
            }
        }
    }
}

void figure_print_verdicts(const struct figure *figures, size_t count, FILE *out)
{
    int widths[COLUMNS];
    measure(figures, count, widths);
    fputs("figure (source)\n", out);
    print_row(NULL, 0, widths, out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s (%s)\n", figures[i].name, figures[i].source);
        for (size_t c = 0; c < figures[i].check_count; c++) {
            print_row(&figures[i], c, widths, out);
        }
    }
    print_reasons(figures, count, out);
}

/* --- Markdown ----------------------------------------------------------------------------------------------------- */

/* A bar would end the cell. */
static void print_cell(const char *text, FILE *out)
{
    fputs(" ", out);
    for (; *text != '\0'; text++) {
        fputs(*text == '|' ? "\\" : "", out);
        fputc(*text, out);
    }
    fputs(" |", out);
}

static void print_page_row(const struct figure *f, size_t check, FILE *out)
{
    char cell[CELL_BYTES];
    fputs("|", out);
    for (size_t column = 0; column < COLUMNS; column++) {
        make_cell(f, check, column, cell);
        print_cell(cell, out);
    }
    fputc('\n', out);
}

static void print_picture(const struct figure *f, FILE *out)
{
    fprintf(out, "\n## %s\n\n%s.\n", f->name, f->title);
    if (f->caption != NULL) {
        fprintf(out, "%s\n", f->caption);
    }
    fprintf(out, "\nSource: %s.\n\n", f->source);
    if (f->failure[0] == '\0') {
        fprintf(out, "![%s](%s/plot.png)\n", f->title, f->name);
    } else {
        fprintf(out, "It could not be computed: %s\n", f->failure);
    }
    for (size_t c = 0; c < f->check_count; c++) {
        const struct figure_check *check = &f->checks[c];
        if (reason_of(check) != NULL) {
            fprintf(out, "\n%s (%s): %s.\n", check->what, figure_verdict_names[check->verdict], reason_of(check));
        }
    }
}

void figure_print_page(const struct figure *figures, size_t count, FILE *out)
{
    fputs("# Figures\n\nPublished results and what hvsim makes of them, as `hvsim figures` writes them.\n\n", out);
    print_page_row(NULL, 0, out);
    fputs("|---|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < figures[i].check_count; c++) {
            print_page_row(&figures[i], c, out);
        }
    }
    for (size_t i = 0; i < count; i++) {
        print_picture(&figures[i], out);
    }
}
