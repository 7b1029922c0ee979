/* SPDX-License-Identifier: MIT */
/*
 * A synthetic stream that is made in pieces: some edges of a graph, a tuple of a join, a part of a request.
 *
 * A piece is up to PIECE_ELEMENTS elements. While a batch has room for that many, pieces are written right into it;
 * what does not fit into the end of a batch waits in the stream, so that batches do not show in it.
 */
#ifndef HV_WORKLOAD_PIECEWISE_H
#define HV_WORKLOAD_PIECEWISE_H

#include <string.h>

#include "workload/stream.h"

#define PIECE_ELEMENTS 32u

struct piecewise {
    struct workload base;
    struct workload_region region;
    uint32_t gap; /* of every element */
    unsigned next, end;
    struct hv_access waiting[PIECE_ELEMENTS]; /* from next to end */
};

/* Writes the next piece and returns how many elements it has. */
typedef size_t piece_fn(struct workload *w, struct hv_access *out);

/* The stream's own part of opening: from SYNTH_BASE on, so many bytes, rounded up to pages. */
static inline void piecewise_init(struct piecewise *p, const struct workload_ops *ops,
                                  const struct workload_params *params, uint64_t bytes)
{
    p->region = (struct workload_region){ { SYNTH_BASE }, stream_round_to_pages(bytes) / HV_PAGE_BYTES, 0 };
    p->gap = (uint32_t)(params->instructions_per_access - 1);
    p->base = (struct workload){
        .ops = ops, .regions = &p->region, .region_count = 1, .total = params->accesses, .no_events = true,
    };
}

/* Writes one element: kind, flags and bytes of its shape, at an address. */
static inline void piece_put(const struct piecewise *p, struct hv_access *out, const struct hv_access *shape,
                             uint64_t address)
{
    *out = *shape;
    out->gva.v = address;
    out->gap = p->gap;
}

static inline size_t piecewise_take(struct piecewise *p, struct hv_access *batch, size_t capacity)
{
    size_t waiting = p->end - p->next, taken = waiting < capacity ? waiting : capacity;
    memcpy(batch, p->waiting + p->next, taken * sizeof(*batch));
    p->next += (unsigned)taken;
    return taken;
}

/* The `next` of such a stream. Inlined, so that the piece is as well. */
static inline __attribute__((always_inline)) size_t piecewise_next(struct workload *w, struct hv_access *batch,
                                                                   size_t capacity, piece_fn *make)
{
    struct piecewise *p = (struct piecewise *)w;
    size_t done = piecewise_take(p, batch, capacity);
    while (capacity - done >= PIECE_ELEMENTS) {
        done += make(w, batch + done);
    }
    while (done < capacity) {
        p->next = 0;
        p->end = (unsigned)make(w, p->waiting);
        done += piecewise_take(p, batch + done, capacity - done);
    }
    return done;
}

#endif
