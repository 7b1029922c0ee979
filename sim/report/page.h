/* SPDX-License-Identifier: MIT */
/*
 * A page of HTML that needs nothing but itself: page.html with title, style sheet, scripts and data put in.
 *
 * The data are one JSON document in a script element, from which the scripts build what is seen. In it '<', '>' and
 * '&' are escaped, so that no name can end the element. The page is XML as well as HTML: simple tools can check it.
 */
#ifndef HV_REPORT_PAGE_H
#define HV_REPORT_PAGE_H

#include <jansson.h>
#include <stdio.h>

/*
 * Writes a page; whether that worked is the stream's to know. The data have a member "title"; scripts ends with NULL.
 */
void page_write(const json_t *data, const char *const *scripts, FILE *out);

/* Text for HTML; bytes that no text may hold have been refused or replaced before (page_text). */
void page_write_escaped(const char *text, FILE *out);

/* Text that comes from outside, such as a file name, as JSON: what cannot be shown becomes '?'. */
json_t *page_text(const char *text);

#endif
