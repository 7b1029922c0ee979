/* SPDX-License-Identifier: MIT */
#include "figure/expr.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

enum { DEPTH_MAX = 32, WORD_BYTES = 128 };

enum fold { FOLD_NONE, FOLD_SUM, FOLD_MEAN, FOLD_MIN, FOLD_MAX };

static const char *const fold_names[] = {"", "sum", "mean", "min", "max"};

struct reader {
    const struct sweep *sweep;
    const struct table *table; /* NULL: judge only; every cell is 1 */
    const char *text, *at;
    const struct hv_where *where;
    struct hv_err *err;
    unsigned depth;
};

static bool read_sum(struct reader *r, double *value);

/* --- Characters --------------------------------------------------------------------------------------------------- */

static bool fail_here(const struct reader *r, const char *at, const char *what)
{
    struct hv_where where = *r->where;
    where.column += (unsigned)(at - r->text);
    return hv_fail_at(r->err, &where, "value: %s", what);
}

static void skip_blanks(struct reader *r)
{
    r->at += strspn(r->at, " \t");
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (*r->at != c) {
        return false;
    }
    r->at++;
    return true;
}

/* Copies what lies from `at` to `end`, without blanks around it. */
static bool copy_word(const struct reader *r, const char *at, const char *end, char word[WORD_BYTES])
{
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    if ((size_t)(end - at) >= WORD_BYTES) {
        return fail_here(r, at, "this name is too long");
    }
    memcpy(word, at, (size_t)(end - at));
    word[end - at] = '\0';
    return true;
}

/* --- Cells -------------------------------------------------------------------------------------------------------- */

/* Which rows an expression between brackets selects: for each axis a value, or -1 for any. */
struct selection {
    long chosen[64];
};

static bool choose_value(const struct reader *r, const struct sweep_axis *axis, const char *at, const char *word,
                         long *chosen)
{
    char what[512], list[256] = "";
    for (size_t i = 0, used = 0; i < axis->count; i++) {
        if (strcmp(axis->values[i].label, word) == 0 || strcmp(axis->values[i].cell, word) == 0) {
            *chosen = (long)i;
            return true;
        }
        if (used < sizeof(list)) {
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "",
                                     axis->values[i].label);
        }
    }
    snprintf(what, sizeof(what), "axis %s has no value \"%.40s\"; it has %s", axis->name, word, list);
    return fail_here(r, at, what);
}

/* AXIS=VALUE */
static bool read_choice(struct reader *r, struct selection *selection)
{
    char name[WORD_BYTES], value[WORD_BYTES], what[256];
    skip_blanks(r);
    const char *begin = r->at, *equal = begin + strcspn(begin, "=,]");
    if (*equal != '=') {
        return fail_here(r, begin, "between brackets stand AXIS=VALUE, separated by commas");
    }
    const char *second = equal + 1 + strspn(equal + 1, " \t");
    r->at = second + strcspn(second, ",]");
    if (!copy_word(r, begin, equal, name) || !copy_word(r, second, r->at, value)) {
        return false;
    }
    for (size_t i = 0; i < r->sweep->axis_count; i++) {
        if (strcmp(r->sweep->axes[i].name, name) == 0) {
            return choose_value(r, &r->sweep->axes[i], second, value, &selection->chosen[i]);
        }
    }
    snprintf(what, sizeof(what), "\"%.80s\" is no axis of the sweep", name);
    return fail_here(r, begin, what);
}

static bool read_selection(struct reader *r, struct selection *selection)
{
    const char *begin = r->at;
    memset(selection->chosen, -1, sizeof(selection->chosen));
    if (r->sweep->axis_count > HV_ARRAY_LEN(selection->chosen)) {
        return fail_here(r, begin, "the sweep has more than 64 axes");
    }
    if (!take(r, '[')) {
        return fail_here(r, begin, "after a metric come brackets: core.cpi[paging.mode=native], or core.cpi[]");
    }
    if (take(r, ']')) {
        return true;
    }
    do {
        if (!read_choice(r, selection)) {
            return false;
        }
    } while (take(r, ','));
    return take(r, ']') || fail_here(r, r->at, "\"]\" is missing");
}

static bool selects(const struct sweep *s, const struct selection *selection, size_t row)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        const struct sweep_axis *axis = &s->axes[i];
        if (selection->chosen[i] >= 0 && sweep_value(s, row, axis) != &axis->values[selection->chosen[i]]) {
            return false;
        }
    }
    return true;
}

static double cell(const struct reader *r, size_t row, size_t metric)
{
    if (r->table == NULL) {
        return 1;
    }
    const struct table_entry *entry = &r->table->entries[row * r->sweep->metric_count + metric];
    return entry->count == 0 ? (double)NAN : entry->mean;
}

static double fold(enum fold how, double so_far, double value)
{
    switch (how) {
    case FOLD_MIN: return value < so_far || isnan(value) ? value : so_far;
    case FOLD_MAX: return value > so_far || isnan(value) ? value : so_far;
    default: return so_far + value;
    }
}

/* The cells of a metric in some rows. */
struct cells {
    size_t metric;
    struct selection selection;
};

/* METRIC[AXIS=VALUE, ...], whose name has been read. */
static bool read_named_cells(struct reader *r, const char *name, const char *begin, struct cells *cells)
{
    char what[256];
    cells->metric = 0;
    while (cells->metric < r->sweep->metric_count && strcmp(r->sweep->metrics[cells->metric].name, name) != 0) {
        cells->metric++;
    }
    if (cells->metric == r->sweep->metric_count) {
        snprintf(what, sizeof(what), "\"%.80s\" is none of the sweep's metrics", name);
        return fail_here(r, begin, what);
    }
    return read_selection(r, &cells->selection);
}

/* The value of several cells by a function, or that of one. */
static bool read_cells(struct reader *r, const char *name, const char *begin, enum fold how, double *value)
{
    struct cells cells;
    char what[256];
    size_t count = 0;
    if (!read_named_cells(r, name, begin, &cells)) {
        return false;
    }
    for (size_t row = 0; row < r->sweep->rows; row++) {
        if (selects(r->sweep, &cells.selection, row)) {
            double here = cell(r, row, cells.metric);
            *value = count++ == 0 ? here : fold(how, *value, here);
        }
    }
    if (count == 0 || (count > 1 && how == FOLD_NONE)) {
        snprintf(what, sizeof(what), "this is %zu rows of the table; a cell is one, and sum, mean, min and max take "
                 "several", count);
        return fail_here(r, begin, what);
    }
    *value = how == FOLD_MEAN ? *value / (double)count : *value;
    return true;
}

/* --- Arithmetic --------------------------------------------------------------------------------------------------- */

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '.') {
        length++;
    }
    return length;
}

static enum fold find_fold(const char *name)
{
    for (size_t i = FOLD_SUM; i <= FOLD_MAX; i++) {
        if (strcmp(name, fold_names[i]) == 0) {
            return (enum fold)i;
        }
    }
    return FOLD_NONE;
}

/* The name of a metric and its cells. */
static bool read_metric(struct reader *r, struct cells *cells)
{
    char name[WORD_BYTES];
    skip_blanks(r);
    const char *begin = r->at;
    r->at += word_length(begin);
    return copy_word(r, begin, r->at, name) && read_named_cells(r, name, begin, cells);
}

static bool read_fold(struct reader *r, enum fold how, double *value)
{
    char name[WORD_BYTES];
    skip_blanks(r);
    const char *begin = r->at;
    r->at += word_length(begin);
    return copy_word(r, begin, r->at, name) && read_cells(r, name, begin, how, value) &&
           (take(r, ')') || fail_here(r, r->at, "\")\" is missing"));
}

/* The means, and the sums of squares and products of the distances from them, over the rows that both select. */
static size_t sum_squares(const struct reader *r, const struct cells pair[2], double squares[3])
{
    double mean[2] = {0, 0};
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t row = 0; row < r->sweep->rows; row++) {
            if (!selects(r->sweep, &pair[0].selection, row) || !selects(r->sweep, &pair[1].selection, row)) {
                continue;
            }
            double a = cell(r, row, pair[0].metric), b = cell(r, row, pair[1].metric);
            if (pass == 0) {
                mean[0] += a;
                mean[1] += b;
                count++;
            } else {
                squares[0] += (a - mean[0] / (double)count) * (a - mean[0] / (double)count);
                squares[1] += (b - mean[1] / (double)count) * (b - mean[1] / (double)count);
                squares[2] += (a - mean[0] / (double)count) * (b - mean[1] / (double)count);
            }
        }
    }
    return count;
}

/* r2(METRIC[...], METRIC[...]): R^2 of the straight line that fits best through the points of the rows. */
static bool read_r2(struct reader *r, double *value)
{
    struct cells pair[2];
    double squares[3] = {0, 0, 0};
    const char *begin = r->at;
    if (!read_metric(r, &pair[0]) || !(take(r, ',') || fail_here(r, r->at, "r2 takes two metrics: \",\" is missing")) ||
        !read_metric(r, &pair[1]) || !(take(r, ')') || fail_here(r, r->at, "\")\" is missing"))) {
        return false;
    }
    if (sum_squares(r, pair, squares) < 3) {
        return fail_here(r, begin, "r2 takes at least three rows; a line goes through any two points");
    }
    *value = squares[2] * squares[2] / (squares[0] * squares[1]);
    return true;
}

/* A number, a cell, or cells within a function. */
static bool read_word(struct reader *r, double *value)
{
    char word[WORD_BYTES];
    const char *begin = r->at;
    r->at += word_length(begin);
    if (!copy_word(r, begin, r->at, word)) {
        return false;
    }
    if (word[0] == '\0') {
        return fail_here(r, begin, *begin == '\0' ? "the expression ends too early" : "a number or a metric is expected");
    }
    if (isdigit((unsigned char)word[0])) {
        return number_parse_real(word, value) == NUMBER_OK || fail_here(r, begin, "this is no number");
    }
    if (strcmp(word, "r2") == 0 && take(r, '(')) {
        return read_r2(r, value);
    }
    enum fold how = find_fold(word);
    return how != FOLD_NONE && take(r, '(') ? read_fold(r, how, value)
                                            : read_cells(r, word, begin, FOLD_NONE, value);
}

static bool read_factor(struct reader *r, double *value)
{
    skip_blanks(r);
    if (r->depth == DEPTH_MAX) {
        return fail_here(r, r->at, "the expression is nested too deeply");
    }
    r->depth++;
    bool ok;
    if (take(r, '-')) {
        ok = read_factor(r, value);
        *value = -*value;
    } else if (take(r, '(')) {
        ok = read_sum(r, value) && (take(r, ')') || fail_here(r, r->at, "\")\" is missing"));
    } else {
        ok = read_word(r, value);
    }
    r->depth--;
    return ok;
}

static bool read_product(struct reader *r, double *value)
{
    double factor = 0;
    bool ok = read_factor(r, value);
    while (ok) {
        bool times = take(r, '*');
        if (!times && !take(r, '/')) {
            break;
        }
        ok = read_factor(r, &factor);
        *value = times ? *value * factor : *value / factor;
    }
    return ok;
}

static bool read_sum(struct reader *r, double *value)
{
    double term = 0;
    bool ok = read_product(r, value);
    while (ok) {
        bool plus = take(r, '+');
        if (!plus && !take(r, '-')) {
            break;
        }
        ok = read_product(r, &term);
        *value = plus ? *value + term : *value - term;
    }
    return ok;
}

static bool read_all(struct reader *r, double *value)
{
    *value = 0;
    r->at = r->text;
    if (!read_sum(r, value)) {
        return false;
    }
    skip_blanks(r);
    return *r->at == '\0' || fail_here(r, r->at, "an operator or the end is expected");
}

bool expr_check(const struct sweep *s, const char *text, const struct hv_where *where, struct hv_err *err)
{
    double ignored;
    struct reader r = {.sweep = s, .text = text, .where = where, .err = err};
    return read_all(&r, &ignored);
}

double expr_value(const struct table *table, const char *text)
{
    double value;
    struct hv_where nowhere = {"", 1, 1};
    struct hv_err ignored = {""};
    struct reader r = {.sweep = table->sweep, .table = table, .text = text, .where = &nowhere, .err = &ignored};
    bool ok = read_all(&r, &value);
    HV_ASSERT(ok, "an expression that was checked: %s", ignored.text);
    return value;
}
