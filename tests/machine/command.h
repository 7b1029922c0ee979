/* SPDX-License-Identifier: MIT */
/*
 * `hvsim run` as a user would call it, for what only the command can do: cores under SystemC. Tests are linked without
 * it, so the environment names the command.
 */
#ifndef HV_TESTS_MACHINE_COMMAND_H
#define HV_TESTS_MACHINE_COMMAND_H

#include <jansson.h>
#include <stdint.h>

/* Skips the test where HVSIM names no command, as when a test program is called by itself. */
void command_or_skip(void);

/*
 * Runs with settings ("key=value key=value"); returns the statistics, to be json_decref'd. With `trace` not NULL, also
 * what --trace-points shared printed, to be freed.
 */
json_t *command_run(const char *settings, char **trace);

/* The whole standard output of a run, to be freed. */
char *command_output(const char *settings);

/* A statistic, by its dotted name. */
uint64_t command_stat(const json_t *stats, const char *name);

#endif
