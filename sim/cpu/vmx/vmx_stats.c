/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_stats.h"

#include <stdio.h>

#include "cpu/vmx/vmx.h"

static const struct stat_row rows[] = {
#define S(...) STAT_ROW(struct vmx_stats, __VA_ARGS__)
#include "cpu/vmx/vmx_stats.def"
#undef S
};

static const struct reason {
    unsigned number;
    const char *name;
} reasons[] = {
#define X(number, name, ...) {number, #name},
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
};

_Static_assert(HV_ARRAY_LEN(((struct vmx_stats *)0)->reasons) == VMX_EXIT_REASONS, "a reason without a counter");

static void register_reason(struct vmx_stats *s, const struct reason *reason, struct stat_registry *r)
{
    struct vmx_reason_stats *of = &s->reasons[reason->number];
    char name[STAT_NAME_BYTES];
    snprintf(name, sizeof(name), "vmx.exit.%s.count", reason->name);
    stats_add_counter(r, name, "exits", "VM exits of this reason", &of->count);
    snprintf(name, sizeof(name), "vmx.exit.%s.cycles", reason->name);
    stats_add_counter(r, name, "cycles", "from such an exit to the end of the next entry", &of->cycles);
}

void vmx_stats_register(struct vmx_stats *s, struct stat_registry *r)
{
    stats_add(r, "vmx", rows, HV_ARRAY_LEN(rows), s);
    stats_add_ratio(r, "vmx.exit_cycles_mean", "cycles per VM exit, the way back included", "vmx.exit_cycles", "vmx.exits");
    for (size_t i = 0; i < HV_ARRAY_LEN(reasons); i++) {
        register_reason(s, &reasons[i], r);
    }
}
