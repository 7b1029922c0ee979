/* SPDX-License-Identifier: MIT */
/* Whole streams of workloads, for tests that look at them from outside. */
#ifndef HV_TESTS_WORKLOAD_STREAMS_H
#define HV_TESTS_WORKLOAD_STREAMS_H

#include "base/event.h"
#include "workload/workload.h"

#include "gtest.h"

#define STREAM_BASE UINT64_C(0x10000000000)      /* where a synthetic workload's data begins: 1 TiB */
#define STREAM_CODE_BASE UINT64_C(0x550000000000) /* where its code does: 85 TiB */

/* The defaults as a user has them, with another kind, footprint and length. */
struct workload_params stream_params(enum workload_kind kind, uint64_t footprint, uint64_t accesses);

/* Reads a workload to its end in batches of one size, and closes it. The caller frees the elements. */
struct hv_access *stream_drain(struct workload *w, size_t batch, size_t *count);

/* Opens, reads and closes; any mistake fails the test. */
struct hv_access *stream_read(const struct workload_params *params, size_t batch, size_t *count);

/* The stream is as long as asked for, and the same in batches of 1, of 37 and in one. */
void assert_batches_do_not_show(const struct workload_params *params);

/* Two seeds make two streams, one seed one. */
void assert_seed_decides(const struct workload_params *params);

/* Every access lies in a region and in one line; every region is whole pages, ascending, apart from the next. */
void assert_within_regions(const struct workload_params *params);

/* Opening fails with a sentence that has this in it. */
void assert_refused(const struct workload_params *params, const char *words);

/* Of count draws with this probability, as many as five standard deviations allow. */
void assert_binomial(uint64_t seen, uint64_t count, double probability);

/* How many instructions elements stand for. */
uint64_t instructions_among(const struct hv_access *elements, size_t count);

#endif
