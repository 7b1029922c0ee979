/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/atomic_file.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "report/report.h"

struct report_command {
    const char *directory, *output;
};

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "where to write the page (without it: DIR/report.html)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct report_command *c = state->input;
    switch (key) {
    case 'o': c->output = arg; return 0;
    case ARGP_KEY_ARG:
        if (c->directory != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        c->directory = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp report_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "DIR",
    .doc = "Makes one page of HTML of the results in a directory, and prints its name.\vDIR is what hvsim run --out "
           "or a sweep has written, or holds such directories. The page needs nothing but itself: figures, tables, "
           "where the cycles went, the plots, the configuration, and a page walk of that machine to step through.",
};

static bool output_path(const struct report_command *c, char path[PATH_MAX], struct hv_err *err)
{
    size_t length = strlen(c->directory);
    const char *slash = length > 0 && c->directory[length - 1] == '/' ? "" : "/";
    int written = c->output != NULL ? snprintf(path, PATH_MAX, "%s", c->output)
                                    : snprintf(path, PATH_MAX, "%s%sreport.html", c->directory, slash);
    return (written > 0 && written < PATH_MAX) || hv_fail(err, "the name of the page is empty or too long");
}

static bool write_page(const struct report *report, const char *path, struct hv_err *err)
{
    struct atomic_file file;
    if (!atomic_file_open(&file, path, err)) {
        return false;
    }
    report_write(report, cli_version, cli_commit, file.out);
    return atomic_file_commit(&file, err);
}

/* What was left out is said in the page as well. */
static void warn(const struct report *report)
{
    const json_t *sentence;
    size_t i;
    json_array_foreach(report->left_out, i, sentence) {
        fprintf(stderr, "hvsim: %s\n", json_string_value(sentence));
    }
}

int cmd_report(int argc, char **argv)
{
    struct report_command c = {.directory = NULL};
    struct hv_err err = {""};
    struct report report = {.title = NULL};
    char path[PATH_MAX];
    int code = options_read(&report_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (c.directory == NULL) {
        return cli_mistake("report needs a DIR: the directory of hvsim run --out, or of a sweep");
    }
    bool ok = output_path(&c, path, &err) && report_collect(&report, c.directory, &err);
    if (ok) {
        warn(&report);
        ok = write_page(&report, path, &err);
        if (ok) {
            printf("%s\n", path);
        }
    }
    report_fini(&report);
    return ok ? HV_EXIT_OK : cli_fail(&err);
}
