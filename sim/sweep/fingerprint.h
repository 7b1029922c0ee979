/* SPDX-License-Identifier: MIT */
/*
 * Fingerprints: has this been computed from the same thing?
 *
 * 64 bits that are the same on every machine. They tell accidents apart, not attacks.
 */
#ifndef HV_SWEEP_FINGERPRINT_H
#define HV_SWEEP_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What a fingerprint of nothing is; each function goes on from one to the next. */
#define FINGERPRINT_NOTHING UINT64_C(0x68767377656570)

uint64_t fingerprint_bytes(uint64_t fingerprint, const void *data, size_t bytes);

/* The NUL counts, so that "ab" "c" is not "a" "bc". */
uint64_t fingerprint_text(uint64_t fingerprint, const char *text);

uint64_t fingerprint_number(uint64_t fingerprint, uint64_t number);

/* The content of a file. */
bool fingerprint_file(uint64_t *fingerprint, const char *path, struct hv_err *err);

#endif
