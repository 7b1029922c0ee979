/* SPDX-License-Identifier: MIT */
/*
 * One trace a core. A path that contains {core} stands for as many files: with it replaced by 0, 1, 2, ... it names
 * the trace of that core, as `hvsim record --threads` writes them, one a thread.
 */
#ifndef HV_WORKLOAD_TRACE_PATH_H
#define HV_WORKLOAD_TRACE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_PATH_CORE "{core}"

/* Whether the path stands for one file a core. */
bool trace_path_per_core(const char *path);

/* Writes the path of a core's trace; each {core} is replaced. False when it does not fit into `bytes`. */
bool trace_path_for_core(const char *pattern, unsigned core, char *path, size_t bytes);

#endif
