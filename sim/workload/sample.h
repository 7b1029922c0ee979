/* SPDX-License-Identifier: MIT */
/*
 * Sampling: which accesses of a stream are run when not all are.
 *
 * The first `skip` accesses are left out. Of every `period` after them the first `length` are kept, the others left
 * out; with a period of 0 all are kept. What is left out is not executed, nor are the instructions in the gaps before
 * it. Events do not count and are never left out, since they change how every later access translates: those between
 * accesses that are left out come at their place, with a gap of 0.
 */
#ifndef HV_WORKLOAD_SAMPLE_H
#define HV_WORKLOAD_SAMPLE_H

#include "base/err.h"
#include "base/event.h"

struct sample {
    uint64_t skip, period, length; /* length is 1..period, or both are 0 */
};

/* How many of a stream's first accesses are kept. */
uint64_t sample_kept(const struct sample *s, uint64_t accesses);

/* How many accesses a stream needs for so many, at least 1, to be kept; UINT64_MAX when that is beyond counting. */
uint64_t sample_needed(const struct sample *s, uint64_t kept);

/* How many accesses from this one on have its fate, and which that is. */
uint64_t sample_stretch(const struct sample *s, uint64_t position, bool *kept);

#define SAMPLE_ERROR ((size_t)-1)

/* Takes the sample of what a source yields. */
struct sampler {
    struct sample sample;
    uint64_t position; /* accesses of the source passed so far; begins at 0 */
    bool ended;        /* the source has no more */
    void *source;
    /* The next 1..capacity elements of the source; 0 at its end; SAMPLE_ERROR with the sentence. */
    size_t (*next)(void *source, struct hv_access *batch, size_t capacity, struct hv_err *err);
    /* Passes over at most so many, none an event; how many, or UINT64_MAX with the sentence. May be NULL. */
    uint64_t (*skip)(void *source, uint64_t accesses, struct hv_err *err);
};

/* Like the source's next. An interrupt while accesses are left out is an error, too. */
size_t sampler_next(struct sampler *s, struct hv_access *batch, size_t capacity, struct hv_err *err);

#endif
