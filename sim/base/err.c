/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A user's bytes (a key, a file name) may hold line breaks or escapes; a message must stay one printable line. */
static void make_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
}

/* A sentence that did not fit ends in "...", and not in the middle of a UTF-8 character. */
static void mark_cut(char *text, size_t bytes)
{
    size_t end = bytes - sizeof("...");
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) {
        end--;
    }
    memcpy(text + end, "...", sizeof("..."));
}

/* Writes the sentence after the first `used` bytes of err->text. */
static void append_sentence(struct hv_err *err, size_t used, const char *format, va_list arguments)
{
    size_t room = sizeof(err->text) - used;
    int length = vsnprintf(err->text + used, room, format, arguments);
    if (length >= 0 && (size_t)length >= room) {
        mark_cut(err->text, sizeof(err->text));
    }
    make_one_line(err->text);
}

static size_t write_place(struct hv_err *err, const struct hv_where *where)
{
    /* A longer file name than this would push the sentence itself out of the buffer. */
    enum { FILE_CHARACTERS = 400 };
    int length = where->line == 0
                     ? snprintf(err->text, sizeof(err->text), "%.*s: ", FILE_CHARACTERS, where->file)
                     : snprintf(err->text, sizeof(err->text), "%.*s:%u:%u: ", FILE_CHARACTERS, where->file,
                                where->line, where->column);
    return (size_t)length;
}

bool hv_fail(struct hv_err *err, const char *format, ...)
{
    if (err->text[0] != '\0') {
        return false;
    }
    va_list arguments;
    va_start(arguments, format);
    append_sentence(err, 0, format, arguments);
    va_end(arguments);
    return false;
}

bool hv_fail_at(struct hv_err *err, const struct hv_where *where, const char *format, ...)
{
    if (err->text[0] != '\0') {
        return false;
    }
    size_t used = write_place(err, where);
    va_list arguments;
    va_start(arguments, format);
    append_sentence(err, used, format, arguments);
    va_end(arguments);
    return false;
}

void hv_bug(const char *file, int line, const char *expression, const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, "hvsim: simulator bug at %s:%d: expected %s: ", file, line, expression);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    fflush(stderr);
    /* Not abort(): exit code 70 is the contract, and a core dump of a simulated machine helps nobody. */
    _Exit(HV_EXIT_BUG);
}
