/* SPDX-License-Identifier: MIT */
/* A difference as people read it. */
#include <math.h>
#include <string.h>

#include "machine/result_diff_value.h"

enum { TABLE_COLUMNS = 5 };

static const char *const side_names[DIFF_SIDES] = {"A", "B"};

struct table {
    unsigned columns;
    size_t rows;
    const char *(*cells)[TABLE_COLUMNS];
};

static struct table new_table(const struct diff_style *style, unsigned columns, size_t rows_max)
{
    return (struct table){columns, 0, arena_alloc(style->arena, rows_max * sizeof(const char *[TABLE_COLUMNS]))};
}

static const char **add_row(struct table *t)
{
    return t->cells[t->rows++];
}

/* The first column to the left, all others to the right, each as wide as it must be. */
static void write_table(const struct table *t, FILE *out)
{
    int width[TABLE_COLUMNS] = {0};
    for (size_t row = 0; row < t->rows; row++) {
        for (unsigned column = 0; column < t->columns; column++) {
            int length = (int)strlen(t->cells[row][column]);
            width[column] = length > width[column] ? length : width[column];
        }
    }
    for (size_t row = 0; row < t->rows; row++) {
        fprintf(out, "  %-*s", width[0], t->cells[row][0]);
        for (unsigned column = 1; column < t->columns; column++) {
            fprintf(out, "  %*s", width[column], t->cells[row][column]);
        }
        fputc('\n', out);
    }
}

/* "+12" and "-12" */
static const char *change_text(const struct diff_style *style, const struct diff_number *change)
{
    const char *number = diff_number_text(style, change);
    if (change->real <= 0) {
        return number;
    }
    char *text = arena_alloc(style->arena, NUMBER_BYTES + 1);
    stpcpy(stpcpy(text, "+"), number);
    return text;
}

/* "+1.25", "+inf"; as absent as the change is. */
static const char *percent_text(const struct diff_style *style, const struct diff_stat *s)
{
    if (s->change.kind == DIFF_ABSENT) {
        return style->absent;
    }
    char *text = arena_alloc(style->arena, NUMBER_BYTES);
    double size = fabs(s->percent);
    if (!s->moved) {
        snprintf(text, NUMBER_BYTES, "0");
    } else if (size < 0.005) {
        snprintf(text, NUMBER_BYTES, "%+.1g", s->percent);
    } else {
        snprintf(text, NUMBER_BYTES, size < 1e9 ? "%+.2f" : "%+.3g", s->percent);
    }
    return text;
}

/* "1 parameter", "2 parameters" */
static void write_count(size_t count, const char *what, FILE *out)
{
    fprintf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

static void write_head(const struct result_diff *d, FILE *out)
{
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        const struct result_file *file = d->side[side];
        fprintf(out, "%s  %s, hvsim %s (%s)%s\n", side_names[side], file->path, file->version, file->commit,
                file->complete ? "" : ", PARTIAL: the run was interrupted");
    }
    if (result_diff_versions_differ(d)) {
        fputs("Different versions of hvsim: what moved may be the model's doing and not the configuration's.\n", out);
    }
}

static void write_params(const struct result_diff *d, const struct diff_style *style, FILE *out)
{
    fprintf(out, "\nConfiguration: %zu of ", d->param_count);
    write_count(d->params_compared, "parameter", out);
    fputs(" differ\n", out);
    if (d->param_count == 0) {
        return;
    }
    struct table table = new_table(style, 3, d->param_count + 1);
    memcpy(add_row(&table), (const char *const[]){"parameter", "A", "B"}, 3 * sizeof(char *));
    for (size_t i = 0; i < d->param_count; i++) {
        const struct diff_param *p = &d->params[i];
        const char **cell = add_row(&table);
        cell[0] = p->name;
        cell[1] = diff_value_text(style, p->name, p->value[0]);
        cell[2] = diff_value_text(style, p->name, p->value[1]);
    }
    write_table(&table, out);
}

static size_t count_hidden(const struct result_diff *d)
{
    size_t shown = 0;
    for (size_t i = 0; i < d->stat_count; i++) {
        shown += d->stats[i].moved;
    }
    return d->stats_moved - shown;
}

static void write_stats(const struct result_diff *d, const struct diff_style *style, FILE *out)
{
    size_t hidden = count_hidden(d);
    fprintf(out, "\nStatistics: %zu of %zu moved", d->stats_moved, d->stats_compared);
    if (hidden > 0) {
        fprintf(out, "; %zu by less than %g %%, not shown", hidden, d->options.threshold_percent);
    }
    fputc('\n', out);
    if (d->stat_count == 0) {
        return;
    }
    struct table table = new_table(style, 5, d->stat_count + 1);
    memcpy(add_row(&table), (const char *const[]){"statistic", "A", "B", "change", "change %"}, 5 * sizeof(char *));
    for (size_t i = 0; i < d->stat_count; i++) {
        const struct diff_stat *s = &d->stats[i];
        const char **cell = add_row(&table);
        cell[0] = s->name;
        cell[1] = diff_number_text(style, &s->value[0]);
        cell[2] = diff_number_text(style, &s->value[1]);
        cell[3] = change_text(style, &s->change);
        cell[4] = percent_text(style, s);
    }
    write_table(&table, out);
}

static void add_only(struct table *table, const struct diff_style *style, const struct diff_only_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char **cell = add_row(table);
        cell[0] = list->items[i].name;
        cell[1] = diff_value_text(style, list->items[i].name, list->items[i].value);
    }
}

static void write_only(const struct result_diff *d, unsigned side, const struct diff_style *style, FILE *out)
{
    const struct diff_only_list *params = &d->only_params[side], *stats = &d->only_stats[side];
    if (params->count + stats->count == 0) {
        return;
    }
    fprintf(out, "\nOnly in %s: ", side_names[side]);
    write_count(params->count, "parameter", out);
    fputs(", ", out);
    write_count(stats->count, "statistic", out);
    fputc('\n', out);
    struct table table = new_table(style, 2, params->count + stats->count);
    add_only(&table, style, params);
    add_only(&table, style, stats);
    write_table(&table, out);
}

void result_diff_write_text(const struct result_diff *d, FILE *out)
{
    struct arena arena = {NULL, 0};
    const struct diff_style style = {&arena, NUMBER_DIGITS_TEXT, "-", true};
    if (result_diff_is_empty(d) && !d->options.all) {
        fputs("The results are the same: ", out);
        write_count(d->params_compared, "parameter", out);
        fputs(", ", out);
        write_count(d->stats_compared, "statistic", out);
        fputs(".\n", out);
        return;
    }
    write_head(d, out);
    write_params(d, &style, out);
    write_stats(d, &style, out);
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        write_only(d, side, &style, out);
    }
    arena_fini(&arena);
}
