/* SPDX-License-Identifier: MIT */
#include "report/walk_page.h"

#include "report/files.h"
#include "report/page.h"

void walk_page_write(const json_t *document, FILE *out)
{
    static const char *const scripts[] = {report_page_js, report_walk_parts_js, report_walk_js, report_start_js,
                                          NULL};
    json_t *translations = json_object_get(document, "translations"), *walks = json_array(), *translation;
    size_t i;
    json_array_foreach(translations, i, translation) {
        char title[64];
        snprintf(title, sizeof(title), "Translation %zu of %zu", i + 1, json_array_size(translations));
        json_array_append_new(walks, json_pack("{s:s, s:s, s:O}", "title", title, "note", "", "walk", translation));
    }
    const char *gva = json_string_value(json_object_get(json_array_get(translations, 0), "gva"));
    json_t *title = json_sprintf("One translation, step by step: %s", gva);
    json_t *data = json_pack("{s:s, s:o, s:O, s:o}", "page", "walk", "title", title, "hvsim",
                             json_object_get(document, "hvsim"), "walks", walks);
    page_write(data, scripts, out);
    json_decref(data);
}
