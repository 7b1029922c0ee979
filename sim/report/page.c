/* SPDX-License-Identifier: MIT */
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "base/text.h"
#include "report/files.h"

void page_write_escaped(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

json_t *page_text(const char *text)
{
    if (text_is_printable(text)) {
        return json_string(text);
    }
    char *copy = strdup(text);
    HV_ASSERT(copy != NULL, "out of memory");
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c; /* also each byte of UTF-8, as some of it is not */
    }
    json_t *json = json_string(copy);
    free(copy);
    return json;
}

/* These three stand in strings only, where JSON may write any character by its number. */
static int write_json_piece(const char *piece, size_t bytes, void *data)
{
    FILE *out = data;
    for (size_t i = 0; i < bytes; i++) {
        if (piece[i] == '<' || piece[i] == '>' || piece[i] == '&') {
            fprintf(out, "\\u%04x", (unsigned)piece[i]);
        } else {
            fputc(piece[i], out);
        }
    }
    return 0;
}

static void write_data(const json_t *data, FILE *out)
{
    int failed = json_dump_callback(data, write_json_piece, out,
                                    JSON_COMPACT | JSON_REAL_PRECISION(NUMBER_DIGITS_DATA));
    HV_ASSERT(failed == 0, "the data of a page are valid JSON");
}

static void write_part(const char *name, size_t length, const json_t *data, const char *const *scripts, FILE *out)
{
    static const char *const parts[] = {"TITLE", "STYLE", "DATA", "SCRIPT"};
    size_t part = 0;
    while (part < sizeof(parts) / sizeof(parts[0]) &&
           (strlen(parts[part]) != length || memcmp(parts[part], name, length) != 0)) {
        part++;
    }
    switch (part) {
    case 0: page_write_escaped(json_string_value(json_object_get(data, "title")), out); break;
    case 1: fputs(report_page_css, out); break;
    case 2: write_data(data, out); break;
    case 3:
        for (size_t i = 0; scripts[i] != NULL; i++) {
            fputs(scripts[i], out);
        }
        break;
    default: HV_ASSERT(false, "page.html has no part @%.*s@", (int)length, name);
    }
}

void page_write(const json_t *data, const char *const *scripts, FILE *out)
{
    for (const char *at = report_page_html; *at != '\0';) {
        const char *name = strchr(at, '@');
        if (name == NULL) {
            fputs(at, out);
            return;
        }
        fwrite(at, 1, (size_t)(name - at), out);
        size_t length = strcspn(++name, "@");
        write_part(name, length, data, scripts, out);
        at = name + length + strlen("@");
    }
}
