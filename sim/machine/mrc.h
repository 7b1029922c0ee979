/* SPDX-License-Identifier: MIT */
/*
 * The miss-ratio curve of the second-level TLB: the misses of every size from one pass over the stream.
 *
 * What the second level sees are the misses of the first, which do not depend on the second. So the first level is
 * simulated as it is, and its misses go to an LRU stack (fully associative: base/stack_distance.h), or to one array of
 * tags for each size (set-associative). The misses are those that a run with that size and `replacement: lru` counts as
 * tlb.l2.misses, to the last one.
 *
 * That needs translations that stay as they are: everything mapped before the run with its flags set, one process on
 * one core, no events in the stream. Anything else is refused with a sentence.
 */
#ifndef HV_MACHINE_MRC_H
#define HV_MACHINE_MRC_H

#include "machine/machine.h"

enum { MRC_MAX_SIZES = 4096, MRC_MAX_ENTRIES = 1 << 24 };

struct mrc_request {
    uint64_t sizes[MRC_MAX_SIZES]; /* entries, ascending, each 1..MRC_MAX_ENTRIES and a multiple of ways */
    size_t count;
    uint64_t ways;                 /* or PARAM_WAYS_FULL */
    bool show_progress;
};

struct mrc {
    uint64_t accesses, instructions; /* after the warm-up */
    uint64_t lookups;                /* of the second level */
    uint64_t misses[MRC_MAX_SIZES];  /* by size */
    bool complete;                   /* false: interrupted by the user */
};

/*
 * Whether the parameters allow a curve; the sentence says what to change. The size and ways of tlb.l2 itself do not
 * matter.
 */
bool mrc_check(const struct machine_params *params, const struct mrc_request *request, struct hv_err *err);

/* One pass over the stream of a new machine, which is used up by it. */
bool mrc_measure(struct machine *m, const struct mrc_request *request, struct mrc *result, struct hv_err *err);

#endif
