/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cpu/vmx/vmx_reference.h"
#include "iommu/iommu_reference.h"
#include "machine/data_files.h"

enum { KEY_FORMAT = OPTION_LONG };

struct list_command {
    const char *what, *format;
};

static const struct argp_option option_table[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "text, a table for people, or json, an array for programs", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct list_command *c = state->input;
    if (key == KEY_FORMAT) {
        c->format = arg;
        return 0;
    }
    if (key != ARGP_KEY_ARG || c->what != NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    c->what = arg;
    return 0;
}

static const struct argp list_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "configs|workloads|sweeps|figures|vmcs|fields|controls|exits|rules|faults|registers",
    .doc = "Lists the files that hvsim ships (configs, workloads, sweeps, figures, descriptions of a VMCS), the names "
           "that a command takes and what they stand for; or of VMX the fields of a VMCS, the controls, the exit "
           "reasons, the rules that a VM entry checks; or of the IOMMU the fault reasons and the registers.",
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

static void print_names(const struct data_files *files)
{
    int width = 0;
    for (size_t i = 0; i < files->count; i++) {
        int length = (int)strlen(files->items[i].name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < files->count; i++) {
        char title[256];
        read_title(files->items[i].path, title);
        printf("%-*s%s%s\n", title[0] == '\0' ? 0 : width, files->items[i].name, title[0] == '\0' ? "" : "  ", title);
    }
}

static void print_objects(const struct data_files *files)
{
    json_t *array = json_array();
    for (size_t i = 0; i < files->count; i++) {
        char title[256];
        read_title(files->items[i].path, title);
        json_array_append_new(array, json_pack("{s:s, s:s}", "name", files->items[i].name, "title", title));
    }
    print_json(array, stdout);
}

static void print_files(enum data_kind kind, enum print_format format)
{
    struct data_files files;
    data_files_list(kind, &files);
    (format == PRINT_JSON ? print_objects : print_names)(&files);
    data_files_fini(&files);
}

/* Every word that list takes: a kind of files, or a table of VMX or of the IOMMU. */
static const struct listing {
    const char *word;
    enum data_kind kind;
    void (*print)(enum print_format format, FILE *out); /* NULL: files of the kind */
} listings[] = {
    {"configs", DATA_CONFIG, NULL},
    {"workloads", DATA_WORKLOAD, NULL},
    {"sweeps", DATA_SWEEP, NULL},
    {"figures", DATA_FIGURE, NULL},
    {"vmcs", DATA_VMCS, NULL},
    {"fields", 0, vmx_print_fields},
    {"controls", 0, vmx_print_controls},
    {"exits", 0, vmx_print_exits},
    {"rules", 0, vmx_print_rules},
    {"faults", 0, iommu_print_faults},
    {"registers", 0, iommu_print_registers},
};

static int choose_listing(const char *asked, struct hv_err *err)
{
    const char *words[HV_ARRAY_LEN(listings) + 1] = {NULL};
    for (size_t i = 0; i < HV_ARRAY_LEN(listings); i++) {
        words[i] = listings[i].word;
    }
    return option_choice("list", asked, words, err);
}

int cmd_list(int argc, char **argv)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", NULL};
    struct list_command c = {0};
    struct hv_err err = {""};
    int code = options_read(&list_argp, 0, argc, argv, &c);
    if (code != OPTIONS_READ) {
        return code;
    }
    if (c.what == NULL) {
        return cli_mistake("list needs a word that says what, such as configs or workloads; hvsim list --help has all");
    }
    int what = choose_listing(c.what, &err);
    int format = what < 0 ? -1 : option_choice("--format", c.format, formats, &err);
    if (format < 0) {
        return cli_fail(&err);
    }
    const struct listing *l = &listings[what];
    if (l->print != NULL) {
        l->print((enum print_format)format, stdout);
    } else {
        print_files(l->kind, (enum print_format)format);
    }
    return HV_EXIT_OK;
}
