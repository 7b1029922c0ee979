/* SPDX-License-Identifier: MIT */
#include "report/recreate.h"

#include "machine/result_diff_value.h"

bool recreate_params(json_t *config, struct machine_params *params, struct hv_err *err)
{
    struct arena arena = {.newest = NULL};
    struct diff_style style = {.arena = &arena, .digits = NUMBER_DIGITS_DATA, .absent = ""};
    struct hv_where where = {"configuration of the result", 0, 0};
    struct param_ref ref;
    const char *name;
    json_t *value;
    bool ok = true;
    machine_params_init(params);
    json_object_foreach(config, name, value) {
        if (ok && params_find(&machine_schema, name, &ref)) {
            ok = params_set(&machine_schema, params, name, diff_value_text(&style, name, value), &where, err);
        }
    }
    arena_fini(&arena);
    return ok && machine_params_resolve(params, err);
}
