/* SPDX-License-Identifier: MIT */
/* Machines for the tests of this folder, from settings as a user would write them. */
#ifndef HV_TESTS_MACHINE_BUILD_H
#define HV_TESTS_MACHINE_BUILD_H

#include "machine/run.h"

enum { BUILD_SETTINGS_BYTES = 4096 };

/* Applies "key=value key=value" to the parameters; a mistake in it fails the test. */
void apply_settings(struct machine_params *params, const char *settings);

/* The defaults with settings, resolved. */
void resolve_settings(struct machine_params *params, const char *settings);

/* Builds a machine, which the caller frees. With `base`, its settings come first, and the others may change them. */
struct machine *build_settings(const char *settings);
struct machine *build_with(const char *base, const char *settings);

/* NULL, and why, where the parameters are sound but no such machine can be built. */
struct machine *try_to_build(const char *base, const char *settings, struct hv_err *err);

/* Runs the workload to its end, without SystemC. */
void run_to_the_end(struct machine *m);

/* Builds and runs. */
struct machine *run_settings(const char *settings);
struct machine *run_with(const char *base, const char *settings);

/* A statistic by name: a count, and any of them as a number. */
uint64_t stat_of(const struct machine *m, const char *name);
double value_of(const struct machine *m, const char *name);

/*
 * What a switch of virtual processor takes. By VMX: the exit, of which the hypervisor reads the reason and the
 * interrupt; its work, and the interrupt's EOI; VMPTRLD; the VMCS's VPID read and, where the stream has changed it,
 * written, which is a control; CR3 written; the entry. Each of these instructions is one more cycle.
 */
uint64_t vcpu_switch_cycles(const struct machine *m, bool changes_vpid);

#endif
