/* SPDX-License-Identifier: MIT */
#include "base/tracepoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/param.h"

static const char *const category_names[] = {
#define X(category, name, help) name,
    TRACE_CATEGORIES(X)
#undef X
};

_Static_assert(HV_ARRAY_LEN(category_names) <= 32, "trace_points.enabled has a bit for each category");

void trace_points_print(const struct trace_points *trace, enum trace_category category, hv_cycles now,
                        const char *format, ...)
{
    fprintf(trace->out, "%" PRIu64 " %s ", now, category_names[category]);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(trace->out, format, arguments);
    va_end(arguments);
    fputc('\n', trace->out);
}

static bool fail_category(const char *name, struct hv_err *err)
{
    char known[256];
    size_t used = 0;
    for (size_t i = 0; i < HV_ARRAY_LEN(category_names); i++) {
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s, ", category_names[i]);
    }
    const char *nearest = nearest_name(name, category_names, HV_ARRAY_LEN(category_names));
    return hv_fail(err, "--trace-points: unknown category \"%.80s\"; it takes a list of %sor all%s%s%s", name, known,
                   nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
                   nearest == NULL ? "" : "\"?");
}

static bool enable(struct trace_points *trace, const char *name, struct hv_err *err)
{
    if (strcmp(name, "all") == 0) {
        trace->enabled = (UINT32_C(1) << TRACE_CATEGORY_COUNT) - 1;
        return true;
    }
    for (size_t i = 0; i < HV_ARRAY_LEN(category_names); i++) {
        if (strcmp(name, category_names[i]) == 0) {
            trace->enabled |= UINT32_C(1) << i;
            return true;
        }
    }
    return fail_category(name, err);
}

bool trace_points_parse(struct trace_points *trace, const char *list, struct hv_err *err)
{
    for (;;) {
        char name[64];
        size_t length = strcspn(list, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, list);
        if (!enable(trace, name, err)) {
            return false;
        }
        if (list[length] == '\0') {
            return true;
        }
        list += length + 1;
    }
}
