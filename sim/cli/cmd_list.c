/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "cli/data_files.h"
#include "cli/options.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **kind = state->input;
    if (key != ARGP_KEY_ARG || *kind != NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    *kind = arg;
    return 0;
}

static const struct argp list_argp = {
    .parser = parse,
    .args_doc = "configs|workloads|sweeps|figures",
    .doc = "Lists the files that hvsim ships: the names that a command takes, and what they stand for.",
};

/* The first comment of a file says what it is; the licence's line is passed over. */
static void read_title(const char *path, char title[256])
{
    char line[256];
    FILE *in = fopen(path, "r");
    title[0] = '\0';
    while (in != NULL && title[0] == '\0' && fgets(line, sizeof(line), in) != NULL) {
        if (strncmp(line, "# ", 2) == 0 && strstr(line, "SPDX-License-Identifier") == NULL) {
            line[strcspn(line, "\n")] = '\0';
            strcpy(title, line + 2);
        }
    }
    if (in != NULL) {
        fclose(in);
    }
}

static void print_files(enum data_kind kind)
{
    struct data_files files;
    int width = 0;
    data_files_list(kind, &files);
    for (size_t i = 0; i < files.count; i++) {
        int length = (int)strlen(files.items[i].name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < files.count; i++) {
        char title[256];
        read_title(files.items[i].path, title);
        printf("%-*s%s%s\n", title[0] == '\0' ? 0 : width, files.items[i].name, title[0] == '\0' ? "" : "  ", title);
    }
    data_files_fini(&files);
}

int cmd_list(int argc, char **argv)
{
    const char *asked = NULL;
    struct hv_err err = {""};
    int code = options_read(&list_argp, 0, argc, argv, &asked);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (asked == NULL) {
        return cli_mistake("list needs a word that says what: configs, workloads, sweeps or figures");
    }
    int kind = option_choice("list", asked, data_kind_names, &err);
    if (kind < 0) {
        return cli_fail(&err);
    }
    print_files((enum data_kind)kind);
    return HV_EXIT_OK;
}
