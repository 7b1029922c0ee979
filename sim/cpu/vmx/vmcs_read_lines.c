/* SPDX-License-Identifier: MIT */
/* The description of a VMCS as text with a field a line, as a debugger or a hypervisor's own dump has it. */
#include <string.h>

#include "cpu/vmx/vmcs_description.h"

/* A line that is being taken apart. The column of what begins at `at` is its distance from `start` plus 1. */
struct line {
    const char *file;
    char *start, *at;
    unsigned number;
};

static struct hv_where where_is(const struct line *l, const char *text)
{
    return (struct hv_where){l->file, l->number, (unsigned)(text - l->start) + 1};
}

static void skip_blanks(struct line *l)
{
    l->at += strspn(l->at, " \t\r");
}

static bool at_end(const struct line *l)
{
    return l->at[0] == '\0' || l->at[0] == '#' || strncmp(l->at, "//", 2) == 0;
}

/* Cuts the next word out of the line, which goes on behind the character that ended it; that one is returned. */
static char take_word(struct line *l, char **word)
{
    *word = l->at;
    l->at += strcspn(l->at, " \t\r=:,;#");
    char end = *l->at;
    if (end != '\0') {
        *l->at++ = '\0';
    }
    return end;
}

/* Between name and value: blanks with at most one "=" or ":" among them, whose first character has been taken. */
static void skip_separator(struct line *l, char first)
{
    bool seen = first == '=' || first == ':';
    skip_blanks(l);
    if (!seen && (l->at[0] == '=' || l->at[0] == ':')) {
        l->at++;
        skip_blanks(l);
    }
}

static bool read_line(struct vmcs_description *d, struct line *l, struct hv_err *err)
{
    char *name, *value;
    uint32_t encoding;
    skip_blanks(l);
    if (at_end(l)) {
        return true;
    }
    char end = take_word(l, &name);
    struct hv_where where = where_is(l, name);
    if (!vmcs_description_find(name, &where, &encoding, err)) {
        return false;
    }
    skip_separator(l, end);
    if (end == '#' || at_end(l)) {
        return hv_fail_at(err, &where, "%.80s has no value; write lines such as guest_rip = 0x1000", name);
    }
    end = take_word(l, &value);
    where = where_is(l, value);
    if (!vmcs_description_give_text(d, encoding, value, &where, err)) {
        return false;
    }
    skip_blanks(l);
    where = where_is(l, l->at);
    return end == '#' || at_end(l) ||
           hv_fail_at(err, &where, "unexpected text after the value of %.80s; a line holds one field", name);
}

bool vmcs_read_lines(struct vmcs_description *d, const char *name, char *text, struct hv_err *err)
{
    struct line l = {.file = name, .number = 1};
    for (char *start = text; start != NULL; l.number++) {
        char *end = strchr(start, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        l.start = l.at = start;
        if (!read_line(d, &l, err)) {
            return false;
        }
        start = end;
    }
    struct hv_where where = {name, 1, 1};
    return vmcs_description_given(d) > 0 ||
           hv_fail_at(err, &where, "no field in this file; write lines such as guest_rip = 0x1000");
}
