/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/number.h"
#include "base/print.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cpu/vmx/vmcs_description.h"
#include "cpu/vmx/vmx_lint.h"
#include "machine/data_files.h"

enum { KEY_BASE = OPTION_LONG, KEY_WITHOUT, KEY_PHYSICAL_BITS, KEY_LINEAR_BITS, KEY_HOST, KEY_FORMAT };

enum { PHYSICAL_BITS = 46, PHYSICAL_BITS_MIN = 32, PHYSICAL_BITS_MAX = 52 };

struct lint_command {
    const char *file, *base, *physical_bits, *linear_bits, *host, *format;
    const char **without; /* each --without, in order */
    size_t without_count;
};

/* What the strings of the command line mean. */
struct lint_request {
    struct vmx_caps caps;
    bool host_long_mode;
    enum print_format format;
};

static const struct argp_option option_table[] = {
    {"base", KEY_BASE, "NAME", 0, "take the fields that FILE does not give from this description; hvsim list vmcs", 0},
    {"without", KEY_WITHOUT, "CONTROL", 0, "a processor without a control, such as secondary.unrestricted_guest", 0},
    {"physical-bits", KEY_PHYSICAL_BITS, "N", 0, "the processor's physical-address width, 46 unless told", 0},
    {"linear-bits", KEY_LINEAR_BITS, "48|57", 0, "its linear-address width: 57 with 5-level paging", 0},
    {"host", KEY_HOST, "64-bit|32-bit", 0, "the mode in which VMLAUNCH is executed", 0},
    {"format", KEY_FORMAT, "text|json", 0, "of the report on standard output", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct lint_command *c = state->input;
    switch (key) {
    case KEY_BASE: c->base = arg; return 0;
    case KEY_PHYSICAL_BITS: c->physical_bits = arg; return 0;
    case KEY_LINEAR_BITS: c->linear_bits = arg; return 0;
    case KEY_HOST: c->host = arg; return 0;
    case KEY_FORMAT: c->format = arg; return 0;
    case KEY_WITHOUT:
        c->without = reallocarray(c->without, c->without_count + 1, sizeof(*c->without));
        HV_ASSERT(c->without != NULL, "out of memory");
        c->without[c->without_count++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (c->file != NULL) {
            return ARGP_ERR_UNKNOWN;
        }
        c->file = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp lint_argp = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Says which checks of a VM entry a VMCS fails, all of them, each with its fields and the section of the "
           "manual.\vFILE is a YAML map of fields to numbers (.yaml), text with a field a line (NAME = 0x..., or an "
           "encoding and its value), or the log of KVM or Xen with a dump in it. The exit code is 0 when the entry would "
           "take place, 1 when not, 2 when FILE cannot be understood.",
};

/* 0 stands for 48 bits, 1 for 57. */
static int read_linear_bits(const char *text, struct hv_err *err)
{
    static const char *const widths[] = {"48", "57", NULL};
    return option_choice("--linear-bits", text, widths, err);
}

static bool read_request(const struct lint_command *c, struct lint_request *request, struct hv_err *err)
{
    static const char *const formats[] = {[PRINT_TEXT] = "text", [PRINT_JSON] = "json", NULL};
    static const char *const hosts[] = {"64-bit", "32-bit", NULL};
    uint64_t physical_bits = PHYSICAL_BITS;
    int format = option_choice("--format", c->format, formats, err);
    int host = format < 0 ? -1 : option_choice("--host", c->host, hosts, err);
    int linear = host < 0 ? -1 : read_linear_bits(c->linear_bits, err);
    if (linear < 0 || !option_count("--physical-bits", c->physical_bits, &physical_bits, err)) {
        return false;
    }
    if (physical_bits < PHYSICAL_BITS_MIN || physical_bits > PHYSICAL_BITS_MAX) {
        return hv_fail(err, "--physical-bits: %s is out of range; it takes %d to %d", c->physical_bits,
                       PHYSICAL_BITS_MIN, PHYSICAL_BITS_MAX);
    }
    vmx_caps_init(&request->caps, (unsigned)physical_bits, linear == 1);
    for (size_t i = 0; i < c->without_count; i++) {
        if (!vmx_caps_without(&request->caps, c->without[i], err)) {
            return false;
        }
    }
    request->host_long_mode = host == 0;
    request->format = (enum print_format)format;
    return true;
}

static bool load(const struct lint_command *c, struct vmcs_description *d, struct hv_err *err)
{
    char path[PATH_MAX];
    vmcs_description_init(d);
    if (c->file == NULL) {
        return hv_fail(err, "lint needs a FILE: the description of a VMCS, such as those of hvsim list vmcs");
    }
    if (c->base != NULL && (!data_file_find(DATA_VMCS, c->base, path, err) || !vmcs_description_load(d, path, err))) {
        return false;
    }
    return data_file_find(DATA_VMCS, c->file, path, err) && vmcs_description_load(d, path, err);
}

static int report(const struct lint_command *c, const struct lint_request *request, const struct vmcs_description *d)
{
    struct vmx_entry e = {.caps = &request->caps, .current_vmcs = VMCS_NONE, .host_long_mode = request->host_long_mode};
    struct vmx_lint_source source = {c->file, vmcs_description_given(d), c->base};
    struct vmx_lint l;
    for (int i = 0; i < VMCS_FIELDS; i++) {
        e.fields[i] = d->fields[i];
    }
    vmx_lint(&l, &e);
    if (request->format == PRINT_JSON) {
        print_json(vmx_lint_to_json(&l, &source), stdout);
    } else {
        vmx_lint_write_text(&l, &source, stdout);
    }
    return l.count == 0 ? HV_EXIT_OK : HV_EXIT_RUN_FAILED;
}

int cmd_lint(int argc, char **argv)
{
    struct lint_command c = {0};
    int code = options_read(&lint_argp, 0, argc, argv, &c);
    if (code == OPTIONS_READ) {
        struct lint_request request;
        struct vmcs_description d;
        struct hv_err err = {""};
        bool ok = read_request(&c, &request, &err) && load(&c, &d, &err);
        code = ok ? report(&c, &request, &d) : cli_fail(&err);
    }
    free(c.without);
    return code;
}
