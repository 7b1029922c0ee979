/* SPDX-License-Identifier: MIT */
#include "base/stat_print.h"
#include "cli/cli.h"
#include "cli/reference.h"
#include "machine/machine.h"

static size_t print(const char *pattern, enum print_format format, FILE *out)
{
    struct stat_registry registry;
    stats_init(&registry);
    machine_register_stats(NULL, &registry);
    size_t count = stats_print_reference(&registry, pattern, format, out);
    stats_fini(&registry);
    return count;
}

int cmd_stats(int argc, char **argv)
{
    return reference_command("statistic", print, argc, argv);
}
