/* SPDX-License-Identifier: MIT */
/* The bytes of a configuration file; the parser is conf.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

#define FILE_LIMIT ((size_t)16 << 20)

/* Reads to the end or just past the limit, by pieces, because a pipe does not tell its size. */
static bool read_all(FILE *in, const char *path, char **data, size_t *size, struct hv_err *err)
{
    size_t capacity = 0;
    do {
        if (*size == capacity) {
            capacity = capacity == 0 ? (size_t)64 << 10 : 2 * capacity;
            char *grown = realloc(*data, capacity);
            HV_ASSERT(grown != NULL, "out of memory for %zu bytes", capacity);
            *data = grown;
        }
        *size += fread(*data + *size, 1, capacity - *size, in);
        if (ferror(in)) {
            return hv_fail(err, "cannot read %s: %s", path, strerror(errno));
        }
    } while (!feof(in) && *size <= FILE_LIMIT);
    if (*size > FILE_LIMIT) {
        return hv_fail(err, "%s: a configuration is at most 16 MiB long, and this file is longer", path);
    }
    return true;
}

bool conf_read(struct conf_doc *doc, const char *path, struct hv_err *err)
{
    *doc = (struct conf_doc){ 0 };
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return hv_fail(err, "cannot read %s: %s", path, strerror(errno));
    }
    char *data = NULL;
    size_t size = 0;
    bool ok = read_all(in, path, &data, &size, err) && conf_read_buffer(doc, path, data, size, err);
    fclose(in);
    free(data);
    return ok;
}
