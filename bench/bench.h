/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark program and the hand-tuned limit loops share.
 */
#ifndef HV_BENCH_BENCH_H
#define HV_BENCH_BENCH_H

#include <stdint.h>

/* Seconds of a monotonic clock. */
double bench_now(void);

/*
 * The limit loops: the bare minimum of the work of a scenario, hand-tuned, with none of the model's generality.
 * Each runs n accesses and returns a value that depends on all of them, so that nothing is optimised away.
 */
struct limit; /* tables prepared once */

struct limit *limit_new(uint64_t footprint);
void limit_free(struct limit *l);

uint64_t limit_hits(struct limit *l, uint64_t n);                /* 4-way TLB probes that all hit */
uint64_t limit_zipf(struct limit *l, const uint64_t *pages, uint64_t n); /* probes; a miss walks 24 references */
uint64_t limit_walks(struct limit *l, uint64_t n);               /* uniform pages: 24 references each, in batches */

#endif
