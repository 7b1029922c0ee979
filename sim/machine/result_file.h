/* SPDX-License-Identifier: MIT */
/*
 * A result that `hvsim run` wrote, read back.
 *
 * Whatever the file holds, what has been accepted can be relied on. The members below are there and of their types.
 * Names consist of letters, digits, '_', '-' and '.'. A parameter's value is a number, true, false, a short printable
 * text or a short list of such texts; a statistic's is a finite number or, for a ratio of nothing, null.
 */
#ifndef HV_MACHINE_RESULT_FILE_H
#define HV_MACHINE_RESULT_FILE_H

#include <jansson.h>
#include <limits.h>

#include "base/err.h"

/* Begins zeroed. */
struct result_file {
    char path[PATH_MAX]; /* as the user gave it, or of the result.json in the directory that he gave */
    json_t *root;        /* owns what the others point to */
    const char *version, *commit;
    json_t *config, *stats; /* objects by dotted name, in printing order */
    bool complete;          /* false: the run was interrupted */
};

/* Reads a result.json, or the one of a directory. */
bool result_file_load(struct result_file *file, const char *path, struct hv_err *err);

/* The same from memory; `name` stands for the file in messages. */
bool result_file_load_buffer(struct result_file *file, const char *name, const void *data, size_t size,
                             struct hv_err *err);

void result_file_fini(struct result_file *file);

#endif
