/* SPDX-License-Identifier: MIT */
/*
 * The command line through argp, with mistakes told in one sentence, and the groups of options that several commands
 * share.
 *
 * A group is a child of the command's argp. Its input is a struct of plain strings, because values are judged where
 * they are used:
 *
 *     static const struct argp_child groups[] = {MACHINE_OPTIONS_CHILD, {0}};
 *
 *     case ARGP_KEY_INIT:
 *         state->child_inputs[0] = &options->machine;
 */
#ifndef HV_CLI_OPTIONS_H
#define HV_CLI_OPTIONS_H

#include <argp.h>

#include "machine/params.h"

/* Keys from here on belong to options without a short form. */
enum { OPTION_LONG = 256 };

enum { OPTIONS_READ = -1 };

/*
 * Reads argv[1..]; argv[0] is the command's name. Adds --help. flags are argp's, such as ARGP_IN_ORDER for a command
 * that runs another one. OPTIONS_READ: go on; else the command is over, with this exit code.
 */
int options_read(const struct argp *argp, unsigned flags, int argc, char **argv, void *input);

/*
 * The index of text in the NULL-terminated names, for an option such as --format; text NULL stands for the first. -1,
 * with a sentence, when it is none.
 */
int option_choice(const char *option, const char *text, const char *const *names, struct hv_err *err);

/* The value of an option that takes a count; text NULL leaves it as it is. */
bool option_count(const char *option, const char *text, uint64_t *value, struct hv_err *err);

/* --- CONFIG, --workload, --trace, --skip, --limit, --warmup, --set: a machine and its workload -------------------- */

/* What the command line says. Begins zeroed. */
struct machine_options {
    const char *config, *workload, *trace, *skip, *limit, *warmup; /* NULL: not given */
    const char **sets; /* each --set, in order */
    size_t set_count;
};

extern const struct argp machine_options_argp;
#define MACHINE_OPTIONS_CHILD {&machine_options_argp, 0, NULL, 0}

/*
 * Fills and resolves the parameters: the defaults, CONFIG, --workload, --trace, --skip, --limit, --warmup, then each
 * --set. A file is a path or the name of one that hvsim ships. `command` is for the sentence when there is no CONFIG.
 */
bool machine_options_load(const struct machine_options *options, const char *command, struct machine_params *params,
                          struct hv_err *err);

void machine_options_fini(struct machine_options *options);

/* Reads one configuration or workload file over params, which have been initialized. */
bool machine_file_load(struct machine_params *params, const char *path, struct hv_err *err);

/* Makes the files that parameters name hold from anywhere; they may lie beside a file, if `beside` is not NULL. */
bool machine_files_settle(struct machine_params *params, const char *beside, struct hv_err *err);

#endif
