/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmcs_description.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/param.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)

void vmcs_description_init(struct vmcs_description *d)
{
    memset(d, 0, sizeof(*d));
}

size_t vmcs_description_given(const struct vmcs_description *d)
{
    size_t count = 0;
    for (int i = 0; i < VMCS_FIELDS; i++) {
        count += d->given[i] != 0 || d->given_high[i] != 0;
    }
    return count;
}

/* --- fields by name ---------------------------------------------------------------------------------------------- */

static const struct alias {
    const char *name;
    enum vmcs_index field;
} aliases[] = {
#define A(alias, field) {alias, VMCS_INDEX_##field},
#include "cpu/vmx/vmcs_aliases.def"
#undef A
};

static int find_alias(const char *name)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(aliases); i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            return (int)aliases[i].field;
        }
    }
    return VMCS_FIELD_NONE;
}

static bool fail_unknown(const char *text, const char *lower, const struct hv_where *where, struct hv_err *err)
{
    const char *names[VMCS_FIELDS];
    for (int i = 0; i < VMCS_FIELDS; i++) {
        names[i] = vmcs_fields[i].name;
    }
    const char *nearest = nearest_name(lower, names, VMCS_FIELDS);
    if (nearest != NULL) {
        return hv_fail_at(err, where, "there is no VMCS field \"%.80s\"; did you mean \"%s\"?", text, nearest);
    }
    return hv_fail_at(err, where, "there is no VMCS field \"%.80s\"; see hvsim list fields", text);
}

bool vmcs_description_find(const char *text, const struct hv_where *where, uint32_t *encoding, struct hv_err *err)
{
    uint64_t number;
    if (isdigit((unsigned char)text[0]) && number_parse_count(text, &number) == NUMBER_OK) {
        *encoding = (uint32_t)number;
        return vmcs_field_find(number) != VMCS_FIELD_NONE ||
               hv_fail_at(err, where, "no VMCS field has the encoding %.80s; see hvsim list fields", text);
    }
    char lower[64];
    size_t length = 0;
    for (; text[length] != '\0' && length < sizeof(lower) - 1; length++) {
        lower[length] = (char)tolower((unsigned char)text[length]);
    }
    lower[length] = '\0';
    int field = text[length] != '\0' ? VMCS_FIELD_NONE : vmcs_field_named(lower);
    field = field != VMCS_FIELD_NONE ? field : find_alias(lower);
    if (field == VMCS_FIELD_NONE) {
        return fail_unknown(text, lower, where, err);
    }
    *encoding = vmcs_fields[field].encoding;
    return true;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

/* A whole field and its high half may both be given when they agree, as 32-bit software reads them. */
static bool check_twice(const struct vmcs_description *d, int field, bool high, uint64_t value,
                        const struct hv_where *where, struct hv_err *err)
{
    unsigned same = high ? d->given_high[field] : d->given[field];
    unsigned other = high ? d->given[field] : d->given_high[field];
    uint64_t whole = high ? d->fields[field] : value;
    uint64_t half = high ? value : d->fields[field] >> 32;
    bool agree = whole >> 32 == 0 || whole >> 32 == half;
    unsigned first = same != 0 ? same : other;
    return (same == 0 && (other == 0 || agree)) ||
           hv_fail_at(err, where, "%s is given twice, first at line %u", vmcs_fields[field].name, first);
}

bool vmcs_description_give(struct vmcs_description *d, uint32_t encoding, uint64_t value,
                           const struct hv_where *where, struct hv_err *err)
{
    static const unsigned bits[] = {16, 64, 32, 64};
    int field = vmcs_field_find(encoding);
    bool high = vmcs_encoding_high(encoding);
    unsigned width = high ? 32 : bits[vmcs_encoding_width(encoding)];
    if (width < 64 && value >> width != 0) {
        return hv_fail_at(err, where, "%s%s has %u bits, and %#llx does not fit", high ? "the high half of " : "",
                          vmcs_fields[field].name, width, (unsigned long long)value);
    }
    if (!check_twice(d, field, high, value, where, err)) {
        return false;
    }
    if (high) {
        d->fields[field] = (d->fields[field] & UINT32_MAX) | value << 32;
        d->given_high[field] = where->line;
    } else {
        uint64_t kept = d->given_high[field] != 0 ? d->fields[field] >> 32 << 32 : 0;
        d->fields[field] = value | kept;
        d->given[field] = where->line;
    }
    return true;
}

bool vmcs_description_give_text(struct vmcs_description *d, uint32_t encoding, const char *text,
                                const struct hv_where *where, struct hv_err *err)
{
    uint64_t value;
    const char *name = vmcs_fields[vmcs_field_find(encoding)].name;
    switch (number_parse_count(text, &value)) {
    case NUMBER_OK: return vmcs_description_give(d, encoding, value, where, err);
    case NUMBER_OUT_OF_RANGE:
        return hv_fail_at(err, where, "%s: %.80s is out of range; a field has at most 64 bits", name, text);
    default:
        return hv_fail_at(err, where, "%s: \"%.80s\" is not a number; write it as 0x1f or 31", name, text);
    }
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Text of lines is taken apart in a copy that ends with a NUL. */
static bool read_text(struct vmcs_description *d, const char *name, const char *data, size_t size, struct hv_err *err)
{
    if (memchr(data, '\0', size) != NULL) {
        return hv_fail(err, "%s is not a text file", name);
    }
    char *text = strndup(data, size);
    HV_ASSERT(text != NULL, "out of memory");
    bool is_log = vmcs_is_kernel_log(text);
    bool ok = is_log ? vmcs_read_kernel_log(d, name, text, err) : vmcs_read_lines(d, name, text, err);
    free(text);
    return ok;
}

bool vmcs_description_read(struct vmcs_description *d, const char *name, const char *data, size_t size,
                           struct hv_err *err)
{
    memset(d->given, 0, sizeof(d->given));
    memset(d->given_high, 0, sizeof(d->given_high));
    bool yaml = ends_with(name, ".yaml") || ends_with(name, ".yml");
    return yaml ? vmcs_read_yaml(d, name, data, size, err) : read_text(d, name, data, size, err);
}

/* By pieces, because a pipe does not tell its size; to just past the limit. */
static char *read_all(FILE *in, size_t *size)
{
    size_t capacity = (size_t)64 << 10;
    char *data = malloc(capacity);
    HV_ASSERT(data != NULL, "out of memory");
    *size = 0;
    while (!feof(in) && !ferror(in) && *size <= FILE_BYTES_MAX) {
        if (*size == capacity) {
            capacity *= 2;
            data = realloc(data, capacity);
            HV_ASSERT(data != NULL, "out of memory");
        }
        *size += fread(data + *size, 1, capacity - *size, in);
    }
    return data;
}

bool vmcs_description_load(struct vmcs_description *d, const char *path, struct hv_err *err)
{
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return hv_fail(err, "cannot read %s: %s", path, strerror(errno));
    }
    size_t size;
    errno = 0;
    char *data = read_all(in, &size);
    bool ok = (!ferror(in) || hv_fail(err, "cannot read %s: %s", path, strerror(errno))) &&
              (size <= FILE_BYTES_MAX || hv_fail(err, "%s: the description of a VMCS is at most 16 MiB long", path)) &&
              vmcs_description_read(d, path, data, size, err);
    free(data);
    fclose(in);
    return ok;
}
