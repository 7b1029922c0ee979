/* SPDX-License-Identifier: MIT */
#include "cli/reference.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options.h"

enum { KEY_FORMAT = OPTION_LONG };

struct reference_options {
    const char *pattern, *format;
};

static const struct argp_option option_table[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "text, a table for people, or json, an array for programs", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct reference_options *o = state->input;
    switch (key) {
    case KEY_FORMAT: o->format = arg; return 0;
    case ARGP_KEY_ARG:
        if (o->pattern != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        o->pattern = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp reference_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[PATTERN]",
    .doc = "Prints the rows whose name contains PATTERN or, when it has * or ?, is like it: 'tlb.*.entries'.",
};

/* Into memory first, because a table of nothing is a mistake and prints nothing. */
static bool print_selected(const char *what, reference_print_fn *print, const char *pattern, enum print_format format,
                           struct hv_err *err)
{
    char *text;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    HV_ASSERT(memory != NULL, "out of memory");
    size_t count = print(pattern, format, memory);
    fclose(memory);
    if (count > 0) {
        fwrite(text, 1, bytes, stdout);
    }
    free(text);
    return count > 0 || hv_fail(err, "no %s has a name like \"%.80s\"", what, pattern);
}

int reference_command(const char *what, reference_print_fn *print, int argc, char **argv)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", NULL};
    struct reference_options options = {0};
    struct hv_err err = {""};
    int code = options_read(&reference_argp, 0, argc, argv, &options);
    if (code != OPTIONS_READ) {
        return code;
    }
    int format = option_choice("--format", options.format, formats, &err);
    if (format < 0 || !print_selected(what, print, options.pattern, (enum print_format)format, &err)) {
        return cli_fail(&err);
    }
    return HV_EXIT_OK;
}
