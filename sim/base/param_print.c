/* SPDX-License-Identifier: MIT */
/* Parameter values as text and as YAML. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/param_value.h"

#define COMMENT_COLUMN 44

static void format_set(const struct param_row *row, uint32_t mask, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "[");
    const char *comma = "";
    for (size_t i = 0; row->names[i] != NULL && used < bytes; i++) {
        if (mask >> i & 1) {
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", comma, row->names[i]);
            comma = ", ";
        }
    }
    HV_ASSERT(used + 1 < bytes, "the names of %s do not fit", row->name);
    memcpy(text + used, "]", sizeof("]"));
}

void param_format_member(const struct param_row *row, const void *member, char *text, size_t bytes)
{
    char number[NUMBER_BYTES];
    switch (row->type) {
    case PARAM_BOOL:
        snprintf(text, bytes, "%s", *(const bool *)member ? "true" : "false");
        break;
    case PARAM_COUNT:
        snprintf(text, bytes, "%" PRIu64, *(const uint64_t *)member);
        break;
    case PARAM_WAYS:
        if (*(const uint64_t *)member == PARAM_WAYS_FULL) {
            snprintf(text, bytes, "full");
        } else {
            snprintf(text, bytes, "%" PRIu64, *(const uint64_t *)member);
        }
        break;
    case PARAM_SIZE:
        number_format_size(*(const uint64_t *)member, number);
        snprintf(text, bytes, "%s", number);
        break;
    case PARAM_REAL:
        number_format_exact(*(const double *)member, number);
        snprintf(text, bytes, "%s", number);
        break;
    case PARAM_ENUM:
        snprintf(text, bytes, "%s", row->names[*(const uint32_t *)member]);
        break;
    case PARAM_SET:
        format_set(row, *(const uint32_t *)member, text, bytes);
        break;
    case PARAM_TEXT:
        snprintf(text, bytes, "%s", (const char *)member);
        break;
    }
}

void params_format(const struct param_ref *ref, const void *params, char *text, size_t bytes)
{
    param_format_member(ref->row, param_member_const(ref, params), text, bytes);
}

/* Text goes in double quotes; its characters are printable, so only quote and backslash need an escape. */
static void quote(const char *text, char *quoted)
{
    *quoted++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            *quoted++ = '\\';
        }
        *quoted++ = *text;
    }
    *quoted++ = '"';
    *quoted = '\0';
}

struct yaml_writer {
    const struct param_ref *refs;
    size_t count;
    const void *params;
    FILE *out;
};

/* How many blanks bring a line of this width to its comment. */
static int gap_after(int width)
{
    return width < COMMENT_COLUMN - 2 ? COMMENT_COLUMN - width : 2;
}

static void write_line(const struct yaml_writer *w, const struct param_ref *ref, const char *key, int indent)
{
    char value[PARAM_VALUE_BYTES], quoted[2 * PARAM_TEXT_BYTES + 3];
    params_format(ref, w->params, value, sizeof(value));
    if (ref->row->type == PARAM_TEXT) {
        quote(value, quoted);
    }
    int width = fprintf(w->out, "%*s%s: %s", indent, "", key, ref->row->type == PARAM_TEXT ? quoted : value);
    const char *unit = ref->row->unit;
    fprintf(w->out, "%*s# %s%s%s%s\n", gap_after(width), "", ref->row->help, unit[0] == '\0' ? "" : " [", unit,
            unit[0] == '\0' ? "" : "]");
}

/* Begins the group that is the first `length` characters of the parameter's name; its last segment is key. */
static void write_header(const struct yaml_writer *w, const struct param_ref *ref, const char *key, size_t length,
                         int indent)
{
    int key_length = (int)(ref->name + length - key);
    int width = fprintf(w->out, "%*s%.*s:", indent, "", key_length, key);
    /* What the mount is, where the group is exactly one mount. */
    if (strlen(ref->mount->prefix) == length && ref->mount->help != NULL) {
        fprintf(w->out, "%*s# %s", gap_after(width), "", ref->mount->help);
    }
    fputc('\n', w->out);
}

/* Has a parameter before number i the same first `length` characters, ending in a dot? */
static bool group_was_written(const struct yaml_writer *w, size_t i, size_t length)
{
    for (size_t j = 0; j < i; j++) {
        if (strncmp(w->refs[j].name, w->refs[i].name, length + 1) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Writes what lies under the first `length` characters of prefix. The mounts of one group need not stand together
 * in the schema, but a YAML key may appear only once, so each group is written where its first parameter stands.
 */
static void write_group(const struct yaml_writer *w, const char *prefix, size_t length, int indent)
{
    for (size_t i = 0; i < w->count; i++) {
        const char *name = w->refs[i].name;
        if (strncmp(name, prefix, length) != 0) {
            continue;
        }
        const char *key = name + length, *dot = strchr(key, '.');
        if (dot == NULL) {
            write_line(w, &w->refs[i], key, indent);
            continue;
        }
        size_t group_length = (size_t)(dot - name);
        if (!group_was_written(w, i, group_length)) {
            write_header(w, &w->refs[i], key, group_length, indent);
            write_group(w, name, group_length + 1, indent + 2);
        }
    }
}

void params_write_yaml(const struct param_schema *schema, const void *params, FILE *out)
{
    size_t count;
    struct param_ref *refs = param_all(schema, &count);
    struct yaml_writer writer = { refs, count, params, out };
    write_group(&writer, "", 0, 0);
    free(refs);
}
