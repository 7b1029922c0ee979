/* SPDX-License-Identifier: MIT */
/* Files of workload.* parameters: the one that is run, and those that are the parts of a mix. */
#ifndef HV_MACHINE_WORKLOAD_FILES_H
#define HV_MACHINE_WORKLOAD_FILES_H

#include "machine/params.h"

/* A trace that a file names may lie beside that file: then workload.trace becomes its path from here. */
bool workload_file_place_trace(struct machine_params *params, const char *file, struct hv_err *err);

/* Cuts the next name off a list such as workload.parts, without the blanks around it; returns NULL at its end. */
char *workload_parts_cut(char **rest);

/*
 * Opens a workload of any kind. The parts of a mix are paths of files, each of which may hold workload.* parameters
 * only; what it leaves out has its default.
 */
struct workload *machine_workload_open(const struct workload_params *params, struct hv_err *err);

#endif
