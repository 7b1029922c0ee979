/* SPDX-License-Identifier: MIT */
#include "base/param_reference.h"
#include "cli/cli.h"
#include "cli/reference.h"
#include "machine/params.h"

static size_t print(const char *pattern, enum print_format format, FILE *out)
{
    return params_print_reference(&machine_schema, pattern, format, out);
}

int cmd_params(int argc, char **argv)
{
    return reference_command("parameter", print, argc, argv);
}
