/* SPDX-License-Identifier: MIT */
/*
 * Comma-separated values as RFC 4180 has them: a field in quotes may hold commas, line feeds and, doubled, quotes. The
 * first line names the columns, and every line has as many fields. Whatever the file holds, fields are short printable
 * texts afterwards.
 */
#include <string.h>

#include "base/text.h"
#include "report/report.h"

enum { FIELD_BYTES = 1024, MAX_COLUMNS = 1000 };

struct reader {
    const char *path, *at, *end;
    unsigned line; /* that has been read last */
};

static bool refuse(const struct reader *in, const char *why, struct hv_err *err)
{
    struct hv_where where = {in->path, in->line, 1};
    return hv_fail_at(err, &where, "this table is left out: %s", why);
}

/* Takes a character of a field; false when it does not fit. */
static bool put(char field[FIELD_BYTES], size_t *length, char c)
{
    field[*length] = c;
    return ++*length < FIELD_BYTES;
}

static bool read_quoted(struct reader *in, char field[FIELD_BYTES], size_t *length)
{
    for (in->at++; in->at < in->end; in->at++) {
        bool quote = *in->at == '"';
        if (quote && (in->at + 1 == in->end || in->at[1] != '"')) {
            in->at++;
            return true;
        }
        in->at += quote; /* the first of two */
        if (!put(field, length, *in->at)) {
            return false;
        }
    }
    return false;
}

static bool ends_field(char c)
{
    return c == ',' || c == '\r' || c == '\n';
}

/* Reads a field and what ends it; *last says whether the line ends there as well. */
static json_t *read_field(struct reader *in, bool *last)
{
    char field[FIELD_BYTES];
    size_t length = 0;
    bool ok = true;
    if (in->at < in->end && *in->at == '"') {
        ok = read_quoted(in, field, &length);
    }
    while (ok && in->at < in->end && !ends_field(*in->at)) {
        ok = put(field, &length, *in->at++);
    }
    field[ok ? length : 0] = '\0';
    *last = in->at == in->end || *in->at != ',';
    if (in->at < in->end && *in->at == '\r') {
        in->at++;
    }
    in->at += in->at < in->end;
    return ok && strlen(field) == length && text_is_printable(field) ? json_string(field) : NULL;
}

static json_t *read_line(struct reader *in, struct hv_err *err)
{
    json_t *fields = json_array();
    in->line++;
    for (bool last = false; !last;) {
        json_t *field = json_array_size(fields) < MAX_COLUMNS ? read_field(in, &last) : NULL;
        if (field == NULL) {
            refuse(in, "a field is too long, or holds what is no text, or there are more than 1000", err);
            json_decref(fields);
            return NULL;
        }
        json_array_append_new(fields, field);
    }
    return fields;
}

json_t *report_read_csv(const char *path, const char *text, size_t size, struct hv_err *err)
{
    struct reader in = {.path = path, .at = text, .end = text + size};
    json_t *columns = read_line(&in, err), *rows = json_array();
    bool ok = columns != NULL;
    while (ok && in.at < in.end) {
        json_t *row = read_line(&in, err);
        ok = row != NULL && (json_array_size(row) == json_array_size(columns) ||
                             refuse(&in, "it has not as many fields as the first line", err)) &&
             (json_array_size(rows) < REPORT_MAX_POINTS || refuse(&in, "there are too many lines", err));
        json_array_append(rows, row);
        json_decref(row);
    }
    if (ok) {
        return json_pack("{s:o, s:o}", "columns", columns, "rows", rows);
    }
    json_decref(columns);
    json_decref(rows);
    return NULL;
}
