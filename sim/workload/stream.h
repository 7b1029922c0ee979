/* SPDX-License-Identifier: MIT */
/* What every kind of workload embeds as its first member, and where its memory lies; private to this folder. */
#ifndef HV_WORKLOAD_STREAM_H
#define HV_WORKLOAD_STREAM_H

#include "base/event.h"
#include "workload/workload.h"

#define SYNTH_BASE UINT64_C(0x10000000000)      /* 1 TiB: canonical and aligned to every page size */
#define SYNTH_CODE_BASE UINT64_C(0x550000000000) /* 85 TiB: above all data, about where Linux puts a program */
#define SYNTH_LINE_BYTES 64u

struct workload_ops {
    /* Fills up to capacity elements, which is at most what is left of `total`; see workload_next. */
    size_t (*next)(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err);
    void (*close)(struct workload *w);
    /* May be NULL; see workload_skip. */
    uint64_t (*skip)(struct workload *w, uint64_t accesses, struct hv_err *err);
};

struct workload {
    const struct workload_ops *ops;
    const struct workload_region *regions;
    size_t region_count;
    uint64_t total; /* accesses */
    uint64_t done;
    bool no_events; /* known to have none; unset, it may have some */
};

/* How many of the elements that came from w are accesses. */
static inline size_t stream_count_accesses(const struct workload *w, const struct hv_access *batch, size_t count)
{
    size_t accesses = count;
    for (size_t i = 0; !w->no_events && i < count; i++) {
        accesses -= batch[i].kind == HV_EVENT;
    }
    return accesses;
}

/*
 * Passes over the next accesses without making them: at most so many, and no event. Returns how many, 0 when that is
 * no quicker than workload_next; UINT64_MAX with the sentence when a trace is damaged.
 */
uint64_t workload_skip(struct workload *w, uint64_t accesses, struct hv_err *err);

static inline uint64_t stream_round_to_pages(uint64_t bytes)
{
    return (bytes + HV_PAGE_BYTES - 1) & ~(HV_PAGE_BYTES - 1);
}

/* The kinds. */
struct workload *synth_open(const struct workload_params *params, struct hv_err *err);
struct workload *graph_open(const struct workload_params *params, struct hv_err *err);
struct workload *join_open(const struct workload_params *params, struct hv_err *err);
struct workload *kvstore_open(const struct workload_params *params, struct hv_err *err);
struct workload *trace_workload_open(const struct workload_params *params, struct hv_err *err);

/* What is put around a stream. It owns the stream from then on, and closes it when it fails. */
struct workload *events_open(struct workload *inner, const struct workload_params *params, struct hv_err *err);
struct workload *code_open(struct workload *inner, const struct workload_params *params);
bool events_wanted(const struct events_params *params);

/*
 * When the parameters ask for a sample of a stream, the stream is opened with what sampled_whole() makes of them, and
 * sampled_open() is put around it; when they do not, both change nothing. The latter takes NULL for a stream that could
 * not be opened.
 */
bool sampled_whole(const struct workload_params *params, struct workload_params *whole, struct hv_err *err);
struct workload *sampled_open(struct workload *whole, const struct workload_params *params, struct hv_err *err);

/* Puts around a stream all that the parameters ask for. NULL, and NULL again, when opening the stream failed. */
struct workload *stream_wrap(struct workload *w, const struct workload_params *params, struct hv_err *err);

#endif
