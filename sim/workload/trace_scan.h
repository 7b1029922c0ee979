/* SPDX-License-Identifier: MIT */
/* What the index of an hvsim trace knows, of a trace in a format without one: it is read once from front to back. */
#ifndef HV_WORKLOAD_TRACE_SCAN_H
#define HV_WORKLOAD_TRACE_SCAN_H

#include "workload/trace_convert.h"
#include "workload/trace_reader.h"

struct trace_scan {
    struct trace_info info; /* its command is the path, since none was written down; there are no blocks */
    struct workload_region *regions; /* ascending by process and address */
    size_t region_count;
};

/* Shows its progress on a terminal. A trace without any access is a mistake, and so is an interrupt. */
bool trace_scan(struct trace_scan *scan, const struct trace_format *format, const char *path, struct hv_err *err);
void trace_scan_fini(struct trace_scan *scan);

#endif
