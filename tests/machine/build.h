/* SPDX-License-Identifier: MIT */
/* Machines for the tests of this folder, from settings as a user would write them. */
#ifndef HV_TESTS_MACHINE_BUILD_H
#define HV_TESTS_MACHINE_BUILD_H

#include "machine/run.h"

/* Applies "key=value key=value" to the parameters; a mistake in it fails the test. */
void apply_settings(struct machine_params *params, const char *settings);

/* The defaults with settings, resolved. */
void resolve_settings(struct machine_params *params, const char *settings);

/* Builds a machine and runs its workload to the end, without SystemC. The caller frees it. */
struct machine *run_settings(const char *settings);

/* A statistic by name. */
uint64_t stat_of(const struct machine *m, const char *name);

/*
 * What a switch of virtual processor takes. By VMX: the exit, of which the hypervisor reads the reason and the
 * interrupt; its work, and the interrupt's EOI; VMPTRLD; the VMCS's VPID read and, where the stream has changed it,
 * written, which is a control; CR3 written; the entry. Each of these instructions is one more cycle.
 */
uint64_t vcpu_switch_cycles(const struct machine *m, bool changes_vpid);

#endif
