/* SPDX-License-Identifier: MIT */
/* The files of this folder that pages are made of, as strings; the Makefile makes them (scripts/embed). */
#ifndef HV_REPORT_FILES_H
#define HV_REPORT_FILES_H

extern const char report_page_html[]; /* the frame of every page */
extern const char report_page_css[];
extern const char report_page_js[];   /* what the other scripts share */
extern const char report_walk_parts_js[];
extern const char report_walk_js[];   /* a translation to step through */
extern const char report_table_js[];  /* tables that sort and search */
extern const char report_charts_js[]; /* the cycle stack and the grid of the walks */
extern const char report_report_js[]; /* the sections of a report */
extern const char report_start_js[];

#endif
