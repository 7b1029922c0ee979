/* SPDX-License-Identifier: MIT */
/*
 * The synthetic access streams that are one formula: sequential, stride, uniform, zipf, chase.
 *
 * All of them touch one region of whole 4 KiB pages that begins at SYNTH_BASE, with aligned 8-byte accesses. A
 * footprint that is not a multiple of a page is rounded up to one. Every element has the same gap; whether it is a
 * store is drawn per element. A stream depends on parameters and seed alone, never on the batches asked for.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/rng.h"
#include "workload/scatter.h"
#include "workload/stream.h"
#include "workload/zipf.h"

#define ACCESS_BYTES 8u
#define PAGE_WORDS (HV_PAGE_BYTES / ACCESS_BYTES)

struct synth {
    struct workload base;
    struct workload_region region;
    uint64_t footprint;           /* bytes, whole pages */
    uint64_t position;            /* bytes from SYNTH_BASE, or steps of the chase */
    uint64_t step;                /* bytes from one access to the next */
    uint64_t store_below;         /* 32 random bits below this make a store */
    struct hv_access template[2]; /* of a load and of a store, without the address */
    struct hv_rng rng;
    struct scatter scatter; /* which page has which rank, or comes when in the chase */
    struct zipf *zipf;      /* of kind zipf */
};

static struct synth *synth_of(struct workload *w)
{
    return (struct synth *)w;
}

/* Writes one element; the template is copied whole, so that it costs one wide store and one for the address. */
static inline void put(const struct synth *s, struct hv_access *element, uint64_t offset, uint32_t draw)
{
    *element = s->template[draw < s->store_below];
    element->gva.v = SYNTH_BASE + offset;
}

/* Sequential is a stride of one access. A stride that is no multiple of 8 is rounded down at each access. */
static size_t next_stride(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct synth *s = synth_of(w);
    struct hv_rng rng = s->rng;
    uint64_t position = s->position;
    for (size_t i = 0; i < capacity; i++) {
        put(s, &batch[i], position & ~(uint64_t)(ACCESS_BYTES - 1), (uint32_t)(rng_next(&rng) >> 32));
        position += s->step;
        position -= position >= s->footprint ? s->footprint : 0;
    }
    s->position = position;
    s->rng = rng;
    return capacity;
}

static size_t next_uniform(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct synth *s = synth_of(w);
    struct hv_rng rng = s->rng;
    uint64_t words = s->footprint / ACCESS_BYTES;
    for (size_t i = 0; i < capacity; i++) {
        /* High half: the word. Low half: what choosing it left over, again uniform (to 2^-21 at 64 TiB). */
        unsigned __int128 product = (unsigned __int128)rng_next(&rng) * words;
        put(s, &batch[i], (uint64_t)(product >> 64) * ACCESS_BYTES, (uint32_t)((uint64_t)product >> 32));
    }
    s->rng = rng;
    return capacity;
}

static size_t next_zipf(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct synth *s = synth_of(w);
    struct hv_rng rng = s->rng;
    for (size_t i = 0; i < capacity; i++) {
        struct zipf_draw draw = zipf_draw(s->zipf, &rng);
        uint64_t page = scatter_map(&s->scatter, draw.rank - 1);
        uint64_t word = draw.low_bits % PAGE_WORDS;
        put(s, &batch[i], page * HV_PAGE_BYTES + word * ACCESS_BYTES, draw.fresh_bits);
    }
    s->rng = rng;
    return capacity;
}

/*
 * The permutation of a counter visits every page once a cycle, always in the same order, so that an LRU cache of
 * fewer entries than pages never hits. Numbers outside the footprint are overwritten by the next element.
 */
static size_t next_chase(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct synth *s = synth_of(w);
    uint64_t position = s->position;
    for (size_t i = 0; i < capacity;) {
        uint64_t page = scatter_step(&s->scatter, position++);
        /* The line within the page is a hash of the page, so that the lines spread over all sets of a cache. */
        uint64_t line = (page * UINT64_C(0x9e3779b97f4a7c15)) >> 58;
        batch[i] = s->template[0];
        batch[i].gva.v = SYNTH_BASE + page * HV_PAGE_BYTES + line * SYNTH_LINE_BYTES;
        i += page < s->scatter.count;
    }
    s->position = position;
    return capacity;
}

static void synth_close(struct workload *w)
{
    free(synth_of(w)->zipf);
    free(w);
}

static const struct workload_ops synth_ops[WORKLOAD_KINDS] = {
    [WORKLOAD_SEQUENTIAL] = { next_stride, synth_close }, [WORKLOAD_STRIDE] = { next_stride, synth_close },
    [WORKLOAD_UNIFORM] = { next_uniform, synth_close },   [WORKLOAD_ZIPF] = { next_zipf, synth_close },
    [WORKLOAD_CHASE] = { next_chase, synth_close },
};

static void set_templates(struct synth *s, const struct workload_params *params)
{
    for (unsigned store = 0; store < 2; store++) {
        s->template[store] = (struct hv_access){
            .gap = (uint32_t)(params->instructions_per_access - 1),
            .kind = store ? HV_STORE : HV_LOAD,
            .flags = params->kind == WORKLOAD_CHASE ? HV_ACCESS_DEPENDENT : 0,
            .bytes = ACCESS_BYTES,
        };
    }
    s->store_below = (uint64_t)(params->write_fraction * 0x1p32);
}

static bool set_zipf(struct synth *s, const struct workload_params *params, struct hv_err *err)
{
    s->zipf = malloc(sizeof(*s->zipf));
    if (s->zipf == NULL) {
        return hv_fail(err, "out of memory for the table of workload.kind zipf");
    }
    zipf_init(s->zipf, s->region.pages, params->theta);
    return true;
}

struct workload *synth_open(const struct workload_params *params, struct hv_err *err)
{
    uint64_t footprint = stream_round_to_pages(params->footprint);
    if (params->kind == WORKLOAD_STRIDE && params->stride > footprint) {
        hv_fail(err, "workload.stride of %" PRIu64 " bytes is more than workload.footprint of %" PRIu64
                " bytes; a stride must be at most the footprint", params->stride, footprint);
        return NULL;
    }
    struct synth *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        hv_fail(err, "out of memory for the workload");
        return NULL;
    }
    s->footprint = footprint;
    s->step = params->kind == WORKLOAD_STRIDE ? params->stride : ACCESS_BYTES;
    s->region = (struct workload_region){ { SYNTH_BASE }, footprint / HV_PAGE_BYTES, 0 };
    s->base = (struct workload){
        .ops = &synth_ops[params->kind], .regions = &s->region, .region_count = 1, .total = params->accesses,
        .no_events = true,
    };
    set_templates(s, params);
    rng_init(&s->rng, rng_mix(params->seed));
    scatter_init(&s->scatter, s->region.pages, ~params->seed);
    if (params->kind == WORKLOAD_ZIPF && !set_zipf(s, params, err)) {
        free(s);
        return NULL;
    }
    return &s->base;
}
