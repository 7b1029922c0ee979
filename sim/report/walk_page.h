/* SPDX-License-Identifier: MIT */
/* A page to step through the translations that `hvsim walk` explains. */
#ifndef HV_REPORT_WALK_PAGE_H
#define HV_REPORT_WALK_PAGE_H

#include <jansson.h>
#include <stdio.h>

/* document: {"hvsim": {"version", "commit"}, "translations": [of explain_to_json()]} */
void walk_page_write(const json_t *document, FILE *out);

#endif
