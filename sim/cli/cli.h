/* SPDX-License-Identifier: MIT */
/*
 * The hvsim command: what its subcommands share.
 *
 * A command gets its own name as argv[0] and returns the exit code (enum hv_exit). The result goes to stdout, the talk
 * to stderr; a user's mistake is one sentence.
 */
#ifndef HV_CLI_CLI_H
#define HV_CLI_CLI_H

#include <stdio.h>

#include "base/err.h"

int cmd_run(int argc, char **argv);
int cmd_walk(int argc, char **argv);
int cmd_mrc(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_figures(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_params(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_list(int argc, char **argv);

/* Says a sentence on stderr and returns the exit code of a user's mistake. */
int cli_fail(const struct hv_err *err);
int cli_mistake(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* version.c is the one file that knows them. */
extern const char cli_version[], cli_commit[];

#endif
