/* SPDX-License-Identifier: MIT */
/* The parts of a mix: from names as people write them to paths that hold from anywhere. */
#ifndef HV_CLI_WORKLOAD_PARTS_H
#define HV_CLI_WORKLOAD_PARTS_H

#include "machine/params.h"

/*
 * Makes each name of workload.parts the absolute path of its file. A name is a path, that of a file beside `file`
 * (with or without ".yaml"; NULL: there is none), or a shipped workload's.
 */
bool workload_parts_find(struct machine_params *params, const char *file, struct hv_err *err);

#endif
