/* SPDX-License-Identifier: MIT */
/*
 * A file being written from front to back, plain or compressed, that appears under its name only when complete
 * (base/atomic_file.h).
 */
#ifndef HV_WORKLOAD_BYTE_SINK_H
#define HV_WORKLOAD_BYTE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum byte_coding { BYTES_PLAIN, BYTES_GZIP, BYTES_XZ, BYTES_ZSTD };

/* The coding that a file name asks for, by .gz, .xz or .zst at its end; the rest of the name is *bytes long. */
enum byte_coding byte_coding_of(const char *path, size_t *bytes);

struct byte_sink; /* opaque */

struct byte_sink *byte_sink_open(const char *path, enum byte_coding coding, struct hv_err *err);

/* After a failure only the abort may follow. */
bool byte_sink_write(struct byte_sink *sink, const void *data, size_t bytes, struct hv_err *err);

/* Replaces bytes that were written before; of a sink of plain bytes only. */
bool byte_sink_rewrite(struct byte_sink *sink, uint64_t offset, const void *data, size_t bytes, struct hv_err *err);

/* Completes the file; on failure nothing is left of it. The sink is gone either way. */
bool byte_sink_commit(struct byte_sink *sink, struct hv_err *err);

void byte_sink_abort(struct byte_sink *sink);

#endif
