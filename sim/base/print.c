/* SPDX-License-Identifier: MIT */
#include "base/print.h"

#include <fnmatch.h>
#include <string.h>

bool print_matches(const char *pattern, const char *name)
{
    return pattern == NULL || fnmatch(pattern, name, 0) == 0 || strstr(name, pattern) != NULL;
}

json_t *print_whole(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

bool print_json(json_t *document, FILE *out)
{
    bool ok = json_dumpf(document, out, PRINT_JSON_FLAGS) == 0 && fputc('\n', out) != EOF;
    json_decref(document);
    return ok;
}
