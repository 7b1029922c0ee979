/* SPDX-License-Identifier: MIT */
/*
 * What moved between two tables of a figure, cell by cell.
 *
 * A run has the same results everywhere, so a cell that differs at all has been moved by a change of the program or the
 * recipe.
 */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "figure/figure.h"

struct csv {
    FILE *in;
    char *line; /* the current one */
    size_t bytes;
};

/* The largest move, to be told as an example. */
struct move {
    size_t cells, moved, line;
    double most;
    char column[64], before[64], after[64];
};

static bool next_line(struct csv *csv)
{
    if (csv->in == NULL || getline(&csv->line, &csv->bytes, csv->in) < 0) {
        return false;
    }
    csv->line[strcspn(csv->line, "\n")] = '\0';
    return true;
}

static void close_csv(struct csv *csv)
{
    if (csv->in != NULL) {
        fclose(csv->in);
    }
    free(csv->line);
}

static double distance(const char *before, const char *after)
{
    double a, b;
    if (number_parse_real(before, &a) != NUMBER_OK || number_parse_real(after, &b) != NUMBER_OK || a == 0) {
        return 1;
    }
    double share = (b - a) / a;
    return share < 0 ? -share : share;
}

/* Compares a line's fields; `head` names the columns. */
static void compare_line(const char *head, char *before, char *after, size_t line, struct move *move)
{
    while (before != NULL && after != NULL) {
        const char *a = strsep(&before, ","), *b = strsep(&after, ",");
        size_t length = strcspn(head, ",");
        move->cells++;
        if (strcmp(a, b) != 0) {
            double share = distance(a, b);
            if (move->moved++ == 0 || share > move->most) {
                move->most = share;
                move->line = line;
                snprintf(move->column, sizeof(move->column), "%.*s", (int)length, head);
                snprintf(move->before, sizeof(move->before), "%s", a);
                snprintf(move->after, sizeof(move->after), "%s", b);
            }
        }
        head += length + (head[length] == ',');
    }
}

static size_t compare_tables(struct csv *before, struct csv *after, struct move *move)
{
    if (!next_line(before) || !next_line(after) || strcmp(before->line, after->line) != 0) {
        return 0;
    }
    char *head = strdup(before->line);
    HV_ASSERT(head != NULL, "out of memory");
    size_t line = 1;
    bool a, b;
    while (a = next_line(before), b = next_line(after), a && b) {
        compare_line(head, before->line, after->line, ++line, move);
    }
    free(head);
    return a == b ? line : 0;
}

size_t figure_compare(const char *name, const char *reference, const char *now, FILE *out)
{
    struct csv before = {.in = fopen(reference, "re")}, after = {.in = fopen(now, "re")};
    struct move move = {0};
    bool both = before.in != NULL && after.in != NULL;
    bool same_shape = both && compare_tables(&before, &after, &move) > 0;
    if (!both) {
        fprintf(out, "%s: there is no %s to compare with\n", name, before.in == NULL ? reference : now);
    } else if (!same_shape) {
        fprintf(out, "%s: the table has other columns or rows than %s\n", name, reference);
    } else if (move.moved > 0) {
        fprintf(out, "%s: %zu of %zu cells moved, most of all %s in line %zu: %s became %s\n", name, move.moved,
                move.cells, move.column, move.line, move.before, move.after);
    }
    close_csv(&before);
    close_csv(&after);
    return same_shape ? move.moved : 1;
}
