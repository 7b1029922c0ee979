/* SPDX-License-Identifier: MIT */
#include "sweep/fingerprint.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define CHUNK_BYTES ((size_t)1 << 20)

uint64_t fingerprint_number(uint64_t fingerprint, uint64_t number)
{
    return rng_mix(fingerprint ^ number) + UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t fingerprint_bytes(uint64_t fingerprint, const void *data, size_t bytes)
{
    const char *next = data;
    uint64_t word;
    for (size_t left = bytes; left > 0;) {
        size_t taken = left < sizeof(word) ? left : sizeof(word);
        word = 0;
        memcpy(&word, next, taken);
        fingerprint = fingerprint_number(fingerprint, le64toh(word));
        next += taken;
        left -= taken;
    }
    return fingerprint_number(fingerprint, bytes);
}

uint64_t fingerprint_text(uint64_t fingerprint, const char *text)
{
    return fingerprint_bytes(fingerprint, text, strlen(text) + 1);
}

/* Chunks are always full but for the last, so they are the same in every reading of a file. */
static bool read_all(uint64_t *fingerprint, FILE *in)
{
    char *chunk = malloc(CHUNK_BYTES);
    HV_ASSERT(chunk != NULL, "out of memory");
    size_t got;
    errno = 0;
    while ((got = fread(chunk, 1, CHUNK_BYTES, in)) > 0) {
        *fingerprint = fingerprint_bytes(*fingerprint, chunk, got);
    }
    free(chunk);
    return ferror(in) == 0;
}

bool fingerprint_file(uint64_t *fingerprint, const char *path, struct hv_err *err)
{
    FILE *in = fopen(path, "rbe");
    bool ok = in != NULL && read_all(fingerprint, in);
    if (!ok) {
        hv_fail(err, "cannot read %s: %s", path, strerror(errno));
    }
    if (in != NULL) {
        fclose(in);
    }
    return ok;
}
