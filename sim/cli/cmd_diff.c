/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/number.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "machine/result_diff.h"

enum { KEY_FORMAT = OPTION_LONG, KEY_ALL, KEY_THRESHOLD, KEY_ONLY };

struct diff_command {
    const char *results[DIFF_SIDES], *format, *threshold, *only;
    bool all;
};

static const struct argp_option option_table[] = {
    {"all", KEY_ALL, NULL, 0, "list the statistics that did not move as well", 0},
    {"threshold", KEY_THRESHOLD, "PERCENT", 0, "leave out statistics that moved by less", 0},
    {"only", KEY_ONLY, "PATTERN", 0, "compare only names that contain PATTERN or are like it: 'tlb.*'", 0},
    {"format", KEY_FORMAT, "FORMAT", 0, "of the difference: text, json or csv", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct diff_command *c = state->input;
    switch (key) {
    case KEY_ALL: c->all = true; return 0;
    case KEY_THRESHOLD: c->threshold = arg; return 0;
    case KEY_ONLY: c->only = arg; return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    case ARGP_KEY_ARG:
        if (c->results[1] != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        c->results[c->results[0] != NULL] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp diff_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "RESULT RESULT",
    .doc = "Says what differs between two results of hvsim run: parameters, then statistics, the one that moved most "
           "first.\vA RESULT is a file that --format json made, or a directory of --out. Changes are relative to the "
           "first; from 0 to anything is an infinite change. The exit code is 0 whether or not they differ.",
};

static bool read_options(const struct diff_command *c, struct diff_options *options, struct hv_err *err)
{
    *options = (struct diff_options){.all = c->all, .only = c->only};
    if (c->results[1] == NULL) {
        return hv_fail(err, "diff needs two RESULTs: files, or directories of hvsim run --out");
    }
    if (c->threshold == NULL) {
        return true;
    }
    if (number_parse_real(c->threshold, &options->threshold_percent) != NUMBER_OK || options->threshold_percent < 0) {
        return hv_fail(err, "--threshold: \"%.80s\" is not a percentage; it takes a number from 0 such as 0.5",
                       c->threshold);
    }
    return !c->all || hv_fail(err, "--all lists what --threshold leaves out; give one of them");
}

/* A spreadsheet has no place for what the text and the JSON say at their head. */
static void warn(const struct result_diff *d)
{
    if (result_diff_versions_differ(d)) {
        fputs("hvsim: different versions of hvsim wrote these results\n", stderr);
    }
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        if (!d->side[side]->complete) {
            fprintf(stderr, "hvsim: %s is partial: the run was interrupted\n", d->side[side]->path);
        }
    }
}

static bool compare(const struct result_file files[DIFF_SIDES], const struct diff_options *options,
                    enum print_format format, struct hv_err *err)
{
    struct result_diff diff;
    result_diff_init(&diff, &files[0], &files[1], options);
    bool ok = result_diff_compared(&diff) > 0 || options->only == NULL;
    if (ok) {
        if (format == PRINT_CSV) {
            warn(&diff);
        }
        result_diff_print(&diff, format, stdout);
    }
    result_diff_fini(&diff);
    return ok || hv_fail(err, "neither result has a parameter or statistic with a name like \"%.80s\"", options->only);
}

int cmd_diff(int argc, char **argv)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", [PRINT_CSV] = "csv", NULL};
    struct diff_command c = {.all = false};
    struct diff_options options;
    struct result_file files[DIFF_SIDES] = {{.root = NULL}};
    struct hv_err err = {""};
    int code = options_read(&diff_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    int format = option_choice("--format", c.format, formats, &err);
    bool ok = format >= 0 && read_options(&c, &options, &err) && result_file_load(&files[0], c.results[0], &err) &&
              result_file_load(&files[1], c.results[1], &err) &&
              compare(files, &options, (enum print_format)format, &err);
    result_file_fini(&files[0]);
    result_file_fini(&files[1]);
    return ok ? HV_EXIT_OK : cli_fail(&err);
}
