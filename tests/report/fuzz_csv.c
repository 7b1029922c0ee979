/* SPDX-License-Identifier: MIT */
/* Any bytes as a table: either all lines have as many printable fields as the first, or there is one sentence. */
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const json_t *line, size_t columns)
{
    const json_t *field;
    size_t i;
    HV_ASSERT(json_array_size(line) == columns, "%zu fields", json_array_size(line));
    json_array_foreach(line, i, field) {
        HV_ASSERT(text_is_printable(json_string_value(field)), "field %zu", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hv_err err = {""};
    json_t *table = report_read_csv("fuzz", (const char *)data, size, &err);
    HV_ASSERT((table != NULL) == (err.text[0] == '\0'), "failed without a sentence, or the reverse");
    HV_ASSERT(strchr(err.text, '\n') == NULL, "more than one line");
    const json_t *columns = json_object_get(table, "columns"), *row;
    size_t i;
    check_line(columns, json_array_size(columns));
    json_array_foreach(json_object_get(table, "rows"), i, row) {
        check_line(row, json_array_size(columns));
    }
    json_decref(table);
    return 0;
}
