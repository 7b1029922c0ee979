/* SPDX-License-Identifier: MIT */
/* The reference of parameters, and their values as JSON. */
#ifndef HV_BASE_PARAM_REFERENCE_H
#define HV_BASE_PARAM_REFERENCE_H

#include "base/param.h"
#include "base/print.h"

/*
 * `hvsim params [PATTERN]`: name, default, range or choices, unit and help of every parameter that the pattern
 * selects, as an aligned table or as a JSON array of objects. Returns how many there were.
 */
size_t params_print_reference(const struct param_schema *schema, const char *pattern, enum print_format format,
                              FILE *out);

/* That array. */
json_t *params_reference_to_json(const struct param_schema *schema, const char *pattern);

/*
 * Every parameter, resolved, as a flat object of dotted names in table order: booleans, whole numbers (sizes in
 * bytes), reals, names as strings, sets as arrays of strings, unlimited ways as "full".
 */
json_t *params_to_json(const struct param_schema *schema, const void *params);

#endif
