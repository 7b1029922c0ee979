/* SPDX-License-Identifier: MIT */
#include "workload/trace_path.h"

#include <stdio.h>
#include <string.h>

bool trace_path_per_core(const char *path)
{
    return strstr(path, TRACE_PATH_CORE) != NULL;
}

bool trace_path_for_core(const char *pattern, unsigned core, char *path, size_t bytes)
{
    size_t used = 0;
    const char *place;
    while (used < bytes && (place = strstr(pattern, TRACE_PATH_CORE)) != NULL) {
        used += (size_t)snprintf(path + used, bytes - used, "%.*s%u", (int)(place - pattern), pattern, core);
        pattern = place + strlen(TRACE_PATH_CORE);
    }
    if (used < bytes) {
        used += (size_t)snprintf(path + used, bytes - used, "%s", pattern);
    }
    return used < bytes;
}
