/* SPDX-License-Identifier: MIT */
/* A file being read from front to back; gzip, xz and zstd are recognized by their first bytes and unpacked. */
#ifndef HV_WORKLOAD_BYTE_SOURCE_H
#define HV_WORKLOAD_BYTE_SOURCE_H

#include <stddef.h>

#include "base/err.h"

#define BYTE_SOURCE_ERROR ((size_t)-1)

struct byte_source; /* opaque */

struct byte_source *byte_source_open(const char *path, struct hv_err *err);
void byte_source_close(struct byte_source *source);

/* How a reader of a format gets its bytes: the next 1..capacity; 0 at the end; BYTE_SOURCE_ERROR with the sentence. */
typedef size_t byte_read_fn(void *ctx, void *buffer, size_t capacity, struct hv_err *err);

byte_read_fn byte_source_read; /* ctx is the source */

#endif
