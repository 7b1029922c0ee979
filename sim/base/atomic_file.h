/* SPDX-License-Identifier: MIT */
/*
 * A file that appears whole or not at all.
 *
 * It is written under a temporary name in the same directory, brought to the disk and renamed, so whoever kills the
 * simulator, and whenever the disk fills up, the old file stays or the new one is complete.
 *
 *     struct atomic_file file;
 *     if (!atomic_file_open(&file, path, err)) return false;
 *     fprintf(file.out, ...);            errors are found by the commit
 *     return atomic_file_commit(&file, err);
 */
#ifndef HV_BASE_ATOMIC_FILE_H
#define HV_BASE_ATOMIC_FILE_H

#include <limits.h>
#include <stdio.h>

#include "base/err.h"

struct atomic_file {
    FILE *out;
    char *buffer; /* of the stream */
    char path[PATH_MAX];
    char temporary[PATH_MAX];
};

bool atomic_file_open(struct atomic_file *file, const char *path, struct hv_err *err);

/* Puts the file in place. On a failure the temporary file is gone and the old file untouched. */
bool atomic_file_commit(struct atomic_file *file, struct hv_err *err);

/* Gives the file up. */
void atomic_file_abort(struct atomic_file *file);

/* Makes a directory and those above it; it is no error when they exist. */
bool dir_create(const char *path, struct hv_err *err);

#endif
