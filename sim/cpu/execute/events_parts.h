/* SPDX-License-Identifier: MIT */
/* What events.c and events_signals.c share. Nobody else includes it. */
#ifndef HV_CPU_EXECUTE_EVENTS_PARTS_H
#define HV_CPU_EXECUTE_EVENTS_PARTS_H

#include "cpu/execute/operations.h"

static inline bool cpu_signalled(const struct processor *p, enum cpu_signal signal)
{
    return (p->signals & (uint32_t)signal) != 0;
}

static inline bool cpu_in_activity(const struct processor *p, enum cpu_activity activity)
{
    return p->state.activity == activity;
}

bool cpu_machine_check_waits(const struct processor *p);
bool cpu_smi_waits(const struct processor *p);
bool cpu_init_waits(const struct processor *p);
bool cpu_sipi_waits(const struct processor *p);
enum cpu_end cpu_take_machine_check(struct processor *p);
enum cpu_end cpu_take_smi(struct processor *p);
enum cpu_end cpu_take_init(struct processor *p);
enum cpu_end cpu_take_sipi(struct processor *p);

#endif
