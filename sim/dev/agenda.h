/* SPDX-License-Identifier: MIT */
/*
 * What a device does next: a time for each of its parts, and the earliest of them.
 *
 * A binary heap of parts with the place of each, so a part can be moved in O(log n). Of two parts that are due at the
 * same time the lower number is first, so the order never depends on how they came in.
 */
#ifndef HV_DEV_AGENDA_H
#define HV_DEV_AGENDA_H

#include "dev/dev.h"

struct agenda {
    uint32_t count;
    hv_cycles *when; /* by part */
    uint32_t *heap;  /* of parts */
    uint32_t *place; /* by part: where in the heap it is */
};

/* Nothing is due. */
void agenda_init(struct agenda *a, uint32_t parts);
void agenda_fini(struct agenda *a);
void agenda_clear(struct agenda *a);

/* Part `part` is due at `when`; DEV_NEVER: it is not. */
void agenda_set(struct agenda *a, uint32_t part, hv_cycles when);

static inline hv_cycles agenda_when(const struct agenda *a, uint32_t part)
{
    return a->when[part];
}

/* The part that is due first, and when that is. */
static inline uint32_t agenda_first(const struct agenda *a)
{
    return a->heap[0];
}

static inline hv_cycles agenda_next(const struct agenda *a)
{
    return a->when[a->heap[0]];
}

/* Takes the part that is due first from the agenda, with its time; false when nothing is due by `now`. */
bool agenda_take(struct agenda *a, hv_cycles now, uint32_t *part, hv_cycles *when);

#endif
