/* SPDX-License-Identifier: MIT */
/* A workload of any kind of which only a sample runs: workload.skip, sample_period and sample_length. */
#include <inttypes.h>
#include <stdlib.h>

#include "workload/sample.h"
#include "workload/stream.h"

struct sampled {
    struct workload base;
    struct workload *whole;
    struct sampler sampler;
};

_Static_assert(SAMPLE_ERROR == (size_t)-1, "the sampler's error is the workload's");

static size_t next_of_whole(void *source, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return workload_next(source, batch, capacity, err);
}

static uint64_t skip_of_whole(void *source, uint64_t accesses, struct hv_err *err)
{
    return workload_skip(source, accesses, err);
}

static size_t next_sampled(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    return sampler_next(&((struct sampled *)w)->sampler, batch, capacity, err);
}

static void close_sampled(struct workload *w)
{
    workload_close(((struct sampled *)w)->whole);
    free(w);
}

static const struct workload_ops sampled_ops = { .next = next_sampled, .close = close_sampled };

static struct sample sample_of(const struct workload_params *params)
{
    return (struct sample){ params->skip, params->sample_period, params->sample_length };
}

bool sampled_whole(const struct workload_params *params, struct workload_params *whole, struct hv_err *err)
{
    struct sample sample = sample_of(params);
    *whole = *params;
    whole->skip = whole->sample_period = whole->sample_length = 0;
    if ((sample.period != 0 || sample.length != 0) && (sample.length < 1 || sample.length > sample.period)) {
        return hv_fail(err, "workload.sample_length is %" PRIu64 " and workload.sample_period %" PRIu64 "; the length "
                       "must be from 1 to the period, or both 0 to run all", sample.length, sample.period);
    }
    whole->accesses = sample_needed(&sample, params->accesses);
    return true;
}

static bool set_total(struct sampled *s, const struct workload_params *params, struct hv_err *err)
{
    uint64_t whole = workload_total(s->whole), kept = sample_kept(&s->sampler.sample, whole);
    s->base.total = params->accesses < kept ? params->accesses : kept;
    return kept > 0 || hv_fail(err, "workload.skip of %" PRIu64 " leaves nothing of a workload of %" PRIu64
                               "; lower it", params->skip, whole);
}

struct workload *sampled_open(struct workload *whole, const struct workload_params *params, struct hv_err *err)
{
    struct sample sample = sample_of(params);
    if (whole == NULL || (sample.skip == 0 && sample.period == 0)) {
        return whole;
    }
    struct sampled *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        hv_fail(err, "out of memory for the workload");
        workload_close(whole);
        return NULL;
    }
    s->whole = whole;
    s->sampler = (struct sampler){
        .sample = sample, .source = whole, .next = next_of_whole, .skip = skip_of_whole,
    };
    s->base.ops = &sampled_ops;
    s->base.no_events = whole->no_events;
    s->base.regions = workload_regions(whole, &s->base.region_count);
    if (!set_total(s, params, err)) {
        close_sampled(&s->base);
        return NULL;
    }
    return &s->base;
}
