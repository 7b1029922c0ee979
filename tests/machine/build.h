/* SPDX-License-Identifier: MIT */
/* Machines for the tests of this folder, from settings as a user would write them. */
#ifndef HV_TESTS_MACHINE_BUILD_H
#define HV_TESTS_MACHINE_BUILD_H

#include "machine/run.h"

/* Applies "key=value key=value" to the parameters; a mistake in it fails the test. */
void apply_settings(struct machine_params *params, const char *settings);

/* The defaults with settings, resolved. */
void resolve_settings(struct machine_params *params, const char *settings);

/* Builds a machine and runs its workload to the end, without SystemC. The caller frees it. */
struct machine *run_settings(const char *settings);

/* A statistic by name. */
uint64_t stat_of(const struct machine *m, const char *name);

#endif
