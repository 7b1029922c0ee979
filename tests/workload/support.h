/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share: a scratch folder, files as byte strings, and streams to write. */
#ifndef HV_TESTS_WORKLOAD_SUPPORT_H
#define HV_TESTS_WORKLOAD_SUPPORT_H

#include "base/err.h"
#include "base/event.h"
#include "base/rng.h"

#include "gtest.h"

#define SCRATCH_PATH_BYTES 64

/* cmocka fixtures: *state becomes the path of an empty folder, which disappears afterwards with all in it. */
int scratch_make(void **state);
int scratch_remove(void **state);

/* A test with these fixtures. */
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

/* The path of a file in the scratch folder. */
void scratch_path(void **state, const char *name, char path[SCRATCH_PATH_BYTES]);

/* How many files the scratch folder holds. */
size_t scratch_files(void **state);

/* A whole file, in memory that the caller frees. */
unsigned char *file_read(const char *path, size_t *bytes);
void file_write(const char *path, const void *data, size_t bytes);

/* A random access that a trace may hold, and a random event. */
struct hv_access random_access(struct hv_rng *rng);
struct hv_access random_event(struct hv_rng *rng);

/* So many accesses in memory that the caller frees, and the same with one event among eight after the first. */
struct hv_access *random_records(size_t count, uint64_t seed);
struct hv_access *random_elements(size_t count, uint64_t seed);

void assert_access_equal(const struct hv_access *actual, const struct hv_access *expected);

/* Writes a whole trace; any mistake fails the test. */
void write_trace(const char *path, const struct hv_access *records, size_t count);

#endif
