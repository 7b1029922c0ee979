/* SPDX-License-Identifier: MIT */
/* Sweeps for the tests of this folder: from text, with a host that knows some configurations and runs without SystemC. */
#ifndef HV_TESTS_SWEEP_HOST_H
#define HV_TESTS_SWEEP_HOST_H

#include "sweep/sweep.h"

/*
 * A host. Any name that begins with "c" is a configuration and with "w" a workload, except that "broken" is none; they
 * leave all parameters alone but for "c-wide", which sets core.width to 8, and "w-short", which sets
 * workload.accesses to 100.
 */
extern const struct sweep_host test_host;

/* Loads a sweep from text; a mistake in it fails the test. */
void load_sweep(struct sweep *s, const char *text);

/* The same, expanded. */
void expand_sweep(struct sweep *s, const char *text);

/* Expects that the text is refused, or cannot be expanded, with this sentence. */
void assert_refused(const char *text, const char *sentence);

#endif
