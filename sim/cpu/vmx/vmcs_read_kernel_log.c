/* SPDX-License-Identifier: MIT */
/*
 * The dump of a VMCS in the kernel log of KVM or on the console of Xen, among whatever else is there.
 *
 * Every number is hexadecimal, with 0x or without. A label that no row of vmcs_kernel_log.def has is passed over, as
 * the dumps say more than a VMCS holds.
 */
#include <ctype.h>
#include <string.h>

#include "cpu/vmx/vmcs_description.h"

#define FIRST_SECTION "*** Guest State ***"

enum section { NOWHERE, GUEST, HOST, CONTROL };

static const struct known_label {
    enum section section;
    const char *head, *label;
    enum vmcs_index field;
} labels[] = {
#define K(section, head, label, field) {section, head, label, VMCS_INDEX_##field},
#include "cpu/vmx/vmcs_kernel_log.def"
#undef K
};

struct log_reader {
    struct vmcs_description *d;
    struct hv_err *err;
    const char *file;
    const char *line; /* its start */
    unsigned number;
    enum section section;
    char head[16];
};

bool vmcs_is_kernel_log(const char *text)
{
    return strstr(text, FIRST_SECTION) != NULL;
}

static struct hv_where where_is(const struct log_reader *r, const char *text)
{
    return (struct hv_where){r->file, r->number, (unsigned)(text - r->line) + 1};
}

/* A label as the line has it, without the blanks around it. */
struct label {
    const char *start;
    size_t length;
};

static struct label trimmed(const char *start, const char *end)
{
    while (start < end && (isblank((unsigned char)*start) || *start == ',')) {
        start++;
    }
    while (end > start && isblank((unsigned char)end[-1])) {
        end--;
    }
    return (struct label){start, (size_t)(end - start)};
}

static const struct known_label *find_label(const struct log_reader *r, struct label label)
{
    for (size_t i = 0; i < HV_ARRAY_LEN(labels); i++) {
        const struct known_label *known = &labels[i];
        if (known->section == r->section && strcmp(known->head, r->head) == 0 &&
            strlen(known->label) == label.length && memcmp(known->label, label.start, label.length) == 0) {
            return known;
        }
    }
    return NULL;
}

/* Reads a number and returns what follows it, or NULL when there is none that fits 64 bits. */
static const char *read_number(const char *text, uint64_t *value)
{
    text += text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    *value = 0;
    for (size_t i = 0; i < digits && digits <= 16; i++) {
        char c = text[i];
        *value = *value << 4 | (uint64_t)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return digits >= 1 && digits <= 16 ? text + digits : NULL;
}

/* Gives the field of a label the number that begins at `text`; what follows the number is returned, or NULL. */
static const char *give(const struct log_reader *r, struct label label, const char *text, bool *ok)
{
    uint64_t value;
    const char *end = read_number(text, &value);
    const struct known_label *known = find_label(r, label);
    if (end != NULL && known != NULL) {
        struct hv_where where = where_is(r, text);
        *ok = vmcs_description_give(r->d, vmcs_fields[known->field].encoding, value, &where, r->err);
    }
    return end;
}

/* "label = number, label = number (remark)"; "CS:RIP=0010:1234" is two numbers under one label. */
static bool read_pairs(const struct log_reader *r, const char *text)
{
    bool ok = true;
    const char *equals;
    while (ok && (equals = strchr(text, '=')) != NULL) {
        const char *value = equals + 1 + strspn(equals + 1, " \t");
        const char *end = give(r, trimmed(text, equals), value, &ok);
        if (end != NULL && end[0] == ':' && ok) {
            static const char second[] = ":RIP";
            end = give(r, (struct label){second, sizeof(second) - 1}, end + 1, &ok);
        }
        text = end != NULL ? end : value;
        text += strcspn(text, " \t,=");
        const char *remark = text + strspn(text, " \t");
        const char *remark_end = remark[0] == '(' ? strchr(remark, ')') : NULL;
        text = remark_end != NULL ? remark_end + 1 : text;
    }
    return ok;
}

/* Xen's "CS: 0010 0a09b ffffffff 0000000000000000" and "GDTR: 0000007f ffff88001f40c000". */
static bool read_columns(const struct log_reader *r, const char *text)
{
    static const char *const segment[] = {"sel", "attr", "limit", "base", NULL};
    static const char *const table[] = {"limit", "base", NULL};
    bool is_table = strcmp(r->head, "GDTR") == 0 || strcmp(r->head, "IDTR") == 0;
    bool ok = true;
    for (const char *const *label = is_table ? table : segment; *label != NULL && text != NULL && ok; label++) {
        text += strspn(text, " \t");
        text = give(r, (struct label){*label, strlen(*label)}, text, &ok);
    }
    return ok;
}

/* Behind the time stamp and the name of the program. */
static const char *skip_prefix(const char *line)
{
    static const char *const prefixes[] = {"kvm_intel: ", "(XEN) ", "] "};
    for (size_t i = 0; i < HV_ARRAY_LEN(prefixes); i++) {
        const char *prefix = strstr(line, prefixes[i]);
        if (prefix != NULL) {
            line = prefix + strlen(prefixes[i]);
            break;
        }
    }
    return line + strspn(line, " \t");
}

/* The head of a line, which is empty when its first word does not end with a colon; returns what follows. */
static const char *read_head(struct log_reader *r, const char *text)
{
    size_t length = strcspn(text, " \t=");
    r->head[0] = '\0';
    if (length < 2 || length > sizeof(r->head) || text[length - 1] != ':') {
        return text;
    }
    memcpy(r->head, text, length - 1);
    r->head[length - 1] = '\0';
    return text + length;
}

static bool read_line(struct log_reader *r, const char *line)
{
    if (strstr(line, FIRST_SECTION) != NULL) {
        struct hv_where where = where_is(r, line);
        if (r->section != NOWHERE) {
            return hv_fail_at(r->err, &where, "a second dump begins here; keep one in the file");
        }
        r->section = GUEST;
    } else if (strstr(line, "*** Host State ***") != NULL) {
        r->section = HOST;
    } else if (strstr(line, "*** Control State ***") != NULL) {
        r->section = CONTROL;
    } else {
        const char *rest = read_head(r, skip_prefix(line));
        bool columns = r->head[0] != '\0' && strchr(rest, '=') == NULL;
        return columns ? read_columns(r, rest) : read_pairs(r, rest);
    }
    return true;
}

bool vmcs_read_kernel_log(struct vmcs_description *d, const char *name, char *text, struct hv_err *err)
{
    struct log_reader r = {.d = d, .err = err, .file = name, .number = 1};
    for (char *start = text; start != NULL; r.number++) {
        char *end = strchr(start, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        r.line = start;
        if (!read_line(&r, start)) {
            return false;
        }
        start = end;
    }
    struct hv_where where = {name, 1, 1};
    return vmcs_description_given(d) > 0 || hv_fail_at(err, &where, "the dump in this file says nothing of a VMCS");
}
