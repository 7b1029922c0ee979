/* SPDX-License-Identifier: MIT */
/* Writes an hvsim trace (trace_format.h). The file appears under its name when it is closed, whole, or never. */
#ifndef HV_WORKLOAD_TRACE_WRITER_H
#define HV_WORKLOAD_TRACE_WRITER_H

#include "base/access.h"
#include "base/err.h"

struct trace_writer; /* opaque */

/* command says what was recorded; what is beyond TRACE_COMMAND_BYTES is cut off. */
struct trace_writer *trace_writer_open(const char *path, const char *command, struct hv_err *err);

/* Accesses, each within a line of 64 bytes, and valid events. After a failure only the abort may follow. */
bool trace_writer_add(struct trace_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err);

uint64_t trace_writer_records(const struct trace_writer *w);

/* Completes the file. A trace without any access is a mistake; on failure nothing is left. The writer is gone. */
bool trace_writer_close(struct trace_writer *w, struct hv_err *err);

void trace_writer_abort(struct trace_writer *w);

#endif
