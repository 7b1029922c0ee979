/* SPDX-License-Identifier: MIT */
/* Parameter values from text, and what each type accepts. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "base/param_value.h"
#include "base/text.h"

/* A bound of a whole-number parameter; a double of 2^64 or more stands for "anything that fits". */
static uint64_t whole_bound(double bound)
{
    if (bound >= 0x1p64) {
        return UINT64_MAX;
    }
    return bound <= 0 ? 0 : (uint64_t)bound;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    return count;
}

static void join_names(const char *const *names, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; names[i] != NULL && used < bytes; i++) {
        int length = snprintf(text + used, bytes - used, "%s%s", i == 0 ? "" : ", ", names[i]);
        used += (size_t)length;
    }
}

static void format_bounds(const struct param_row *row, char low[NUMBER_BYTES], char high[NUMBER_BYTES])
{
    if (row->type == PARAM_REAL) {
        number_format_exact(row->min, low);
        number_format_exact(row->max, high);
    } else if (row->type == PARAM_SIZE) {
        number_format_size(whole_bound(row->min), low);
        number_format_size(whole_bound(row->max), high);
    } else {
        snprintf(low, NUMBER_BYTES, "%" PRIu64, whole_bound(row->min));
        snprintf(high, NUMBER_BYTES, "%" PRIu64, whole_bound(row->max));
    }
}

void param_range(const struct param_row *row, char *text, size_t bytes)
{
    char low[NUMBER_BYTES], high[NUMBER_BYTES];
    switch (row->type) {
    case PARAM_BOOL:
        snprintf(text, bytes, "true, false");
        break;
    case PARAM_ENUM:
    case PARAM_SET:
        join_names(row->names, text, bytes);
        break;
    case PARAM_TEXT:
        text[0] = '\0';
        break;
    default:
        format_bounds(row, low, high);
        snprintf(text, bytes, "%s .. %s%s", low, high, row->type == PARAM_WAYS ? ", full" : "");
        break;
    }
}

void param_accepted(const struct param_row *row, char *text, size_t bytes)
{
    char low[NUMBER_BYTES], high[NUMBER_BYTES], names[PARAM_VALUE_BYTES];
    const char *space = row->unit[0] == '\0' ? "" : " ";
    switch (row->type) {
    case PARAM_BOOL:
        snprintf(text, bytes, "true or false");
        return;
    case PARAM_ENUM:
        join_names(row->names, names, sizeof(names));
        snprintf(text, bytes, "one of %s", names);
        return;
    case PARAM_SET:
        join_names(row->names, names, sizeof(names));
        snprintf(text, bytes, "a list, such as [%s], of %s", row->names[0], names);
        return;
    case PARAM_TEXT:
        snprintf(text, bytes, "printable text of at most %d bytes", PARAM_TEXT_BYTES - 1);
        return;
    default:
        break;
    }
    format_bounds(row, low, high);
    if (row->type == PARAM_SIZE) {
        /* A size names its own unit. */
        snprintf(text, bytes, "a size from %s to %s, such as 4096, 64KiB or 2M", low, high);
    } else if (row->type == PARAM_REAL) {
        snprintf(text, bytes, "a number from %s to %s%s%s", low, high, space, row->unit);
    } else {
        snprintf(text, bytes, "%sa whole number from %s to %s%s%s", row->type == PARAM_WAYS ? "full or " : "", low,
                 high, space, row->unit);
    }
}

/* `tlb.l2.ways: "x" is PROBLEM; it takes ...[; did you mean "y"?]` */
static bool fail_value(const struct param_ref *ref, const char *text, const char *problem, const char *hint,
                       const struct hv_where *where, struct hv_err *err)
{
    char accepted[2 * PARAM_VALUE_BYTES];
    param_accepted(ref->row, accepted, sizeof(accepted));
    if (text[0] == '\0') {
        return hv_fail_at(err, where, "%s has no value; it takes %s", ref->name, accepted);
    }
    return hv_fail_at(err, where, "%s: \"%.80s\" is %s; it takes %s%s%s%s", ref->name, text, problem, accepted,
                      hint == NULL ? "" : "; did you mean \"", hint == NULL ? "" : hint, hint == NULL ? "" : "\"?");
}

/* NULL when the result is good and value in range; else what is wrong. */
static const char *check_number(enum number_result result, bool in_range, const char *malformed)
{
    if (result == NUMBER_MALFORMED) {
        return malformed;
    }
    return result == NUMBER_OUT_OF_RANGE || !in_range ? "out of range" : NULL;
}

static bool parse_whole(const struct param_ref *ref, const char *text, uint64_t *member, const struct hv_where *where,
                        struct hv_err *err)
{
    const struct param_row *row = ref->row;
    if (row->type == PARAM_WAYS && strcmp(text, "full") == 0) {
        *member = PARAM_WAYS_FULL;
        return true;
    }
    uint64_t value = 0;
    bool size = row->type == PARAM_SIZE;
    enum number_result result = size ? number_parse_size(text, &value) : number_parse_count(text, &value);
    bool in_range = value >= whole_bound(row->min) && value <= whole_bound(row->max);
    const char *problem = check_number(result, in_range, size ? "not a size" : "not a whole number");
    if (problem != NULL) {
        return fail_value(ref, text, problem, NULL, where, err);
    }
    *member = value;
    return true;
}

static bool parse_real(const struct param_ref *ref, const char *text, double *member, const struct hv_where *where,
                       struct hv_err *err)
{
    double value = 0;
    enum number_result result = number_parse_real(text, &value);
    const char *problem = check_number(result, value >= ref->row->min && value <= ref->row->max, "not a number");
    if (problem != NULL) {
        return fail_value(ref, text, problem, NULL, where, err);
    }
    *member = value;
    return true;
}

static bool parse_bool(const struct param_ref *ref, const char *text, bool *member, const struct hv_where *where,
                       struct hv_err *err)
{
    static const char *const names[] = { "true", "false" };
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return fail_value(ref, text, "neither true nor false", nearest_name(text, names, 2), where, err);
    }
    *member = text[0] == 't';
    return true;
}

static bool parse_text(const struct param_ref *ref, const char *text, char *member, const struct hv_where *where,
                       struct hv_err *err)
{
    if (strlen(text) >= PARAM_TEXT_BYTES) {
        return fail_value(ref, text, "too long", NULL, where, err);
    }
    if (!text_is_printable(text)) {
        return fail_value(ref, text, "not printable", NULL, where, err);
    }
    memset(member, 0, PARAM_TEXT_BYTES);
    memcpy(member, text, strlen(text));
    return true;
}

bool param_parse_name(const struct param_ref *ref, const char *text, uint32_t *index, const struct hv_where *where,
                      struct hv_err *err)
{
    const char *const *names = ref->row->names;
    size_t count = count_names(names);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *index = (uint32_t)i;
            return true;
        }
    }
    return fail_value(ref, text, "not a known name", nearest_name(text, names, count), where, err);
}

bool param_store_set(const struct param_ref *ref, uint32_t mask, void *member, const struct hv_where *where,
                     struct hv_err *err)
{
    if (mask == 0 && ref->row->min >= 1) {
        return fail_value(ref, "[]", "empty", NULL, where, err);
    }
    *(uint32_t *)member = mask;
    return true;
}

/* Cuts the next piece of "a, b" out of list, without the blanks around it; NULL at the end. */
static char *next_piece(char **list)
{
    char *piece = strsep(list, ",");
    if (piece == NULL) {
        return NULL;
    }
    piece += strspn(piece, " ");
    size_t length = strlen(piece);
    while (length > 0 && piece[length - 1] == ' ') {
        piece[--length] = '\0';
    }
    return piece;
}

/* "[a, b]", "[]" or one name. */
static bool parse_set(const struct param_ref *ref, const char *text, void *member, const struct hv_where *where,
                      struct hv_err *err)
{
    char copy[PARAM_VALUE_BYTES];
    size_t length = strlen(text);
    bool list = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (length >= sizeof(copy) || (text[0] == '[' && !list)) {
        return fail_value(ref, text, "not a list", NULL, where, err);
    }
    memcpy(copy, text + list, length - 2 * (size_t)list);
    copy[length - 2 * (size_t)list] = '\0';
    HV_ASSERT(count_names(ref->row->names) <= 32, "%s has more names than its mask has bits", ref->name);
    uint32_t mask = 0, index;
    char *rest = list && copy[strspn(copy, " ")] == '\0' ? NULL : copy;
    for (char *piece = next_piece(&rest); piece != NULL; piece = next_piece(&rest)) {
        if (!param_parse_name(ref, piece, &index, where, err)) {
            return false;
        }
        mask |= UINT32_C(1) << index;
    }
    return param_store_set(ref, mask, member, where, err);
}

bool param_parse(const struct param_ref *ref, const char *text, void *member, const struct hv_where *where,
                 struct hv_err *err)
{
    switch (ref->row->type) {
    case PARAM_BOOL: return parse_bool(ref, text, member, where, err);
    case PARAM_COUNT:
    case PARAM_SIZE:
    case PARAM_WAYS: return parse_whole(ref, text, member, where, err);
    case PARAM_REAL: return parse_real(ref, text, member, where, err);
    case PARAM_ENUM: return param_parse_name(ref, text, member, where, err);
    case PARAM_SET: return parse_set(ref, text, member, where, err);
    case PARAM_TEXT: return parse_text(ref, text, member, where, err);
    }
    HV_ASSERT(false, "parameter %s has an unknown type", ref->name);
}
