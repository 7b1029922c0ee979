/* SPDX-License-Identifier: MIT */
/*
 * The configurations, workloads, sweeps, figures and descriptions of a VMCS that hvsim ships, by name.
 *
 * They are looked for in $HVSIM_DATA, beside the tree that the running program was built in, and where it was
 * installed; the first that has a name wins.
 */
#ifndef HV_MACHINE_DATA_FILES_H
#define HV_MACHINE_DATA_FILES_H

#include <limits.h>
#include <stddef.h>

#include "base/err.h"

enum data_kind { DATA_CONFIG, DATA_WORKLOAD, DATA_SWEEP, DATA_FIGURE, DATA_VMCS };

/* Finds a file by its path or a shipped one by its name; the sentence has the nearest name. */
bool data_file_find(enum data_kind kind, const char *name, char path[PATH_MAX], struct hv_err *err);

struct data_file {
    char *name; /* without folder and extension */
    char *path;
};

struct data_files {
    struct data_file *items; /* by name */
    size_t count;
};

/* All that are shipped. */
void data_files_list(enum data_kind kind, struct data_files *files);
void data_files_fini(struct data_files *files);

#endif
