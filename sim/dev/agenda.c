/* SPDX-License-Identifier: MIT */
#include "dev/agenda.h"

#include <stdlib.h>

#include "base/err.h"

void agenda_init(struct agenda *a, uint32_t parts)
{
    HV_ASSERT(parts > 0, "an agenda of nothing");
    a->count = parts;
    a->when = malloc(parts * sizeof(*a->when));
    a->heap = malloc(parts * sizeof(*a->heap));
    a->place = malloc(parts * sizeof(*a->place));
    HV_ASSERT(a->when != NULL && a->heap != NULL && a->place != NULL, "out of memory");
    agenda_clear(a);
}

void agenda_fini(struct agenda *a)
{
    free(a->when);
    free(a->heap);
    free(a->place);
    *a = (struct agenda){0};
}

void agenda_clear(struct agenda *a)
{
    for (uint32_t part = 0; part < a->count; part++) {
        a->when[part] = DEV_NEVER;
        a->heap[part] = part;
        a->place[part] = part;
    }
}

static bool is_before(const struct agenda *a, uint32_t part, uint32_t other)
{
    return a->when[part] != a->when[other] ? a->when[part] < a->when[other] : part < other;
}

static void put(struct agenda *a, uint32_t at, uint32_t part)
{
    a->heap[at] = part;
    a->place[part] = at;
}

static void sift_up(struct agenda *a, uint32_t at, uint32_t part)
{
    while (at > 0 && is_before(a, part, a->heap[(at - 1) / 2])) {
        put(a, at, a->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(a, at, part);
}

static void sift_down(struct agenda *a, uint32_t at, uint32_t part)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= a->count) {
            break;
        }
        if (child + 1 < a->count && is_before(a, a->heap[child + 1], a->heap[child])) {
            child++;
        }
        if (!is_before(a, a->heap[child], part)) {
            break;
        }
        put(a, at, a->heap[child]);
        at = child;
    }
    put(a, at, part);
}

void agenda_set(struct agenda *a, uint32_t part, hv_cycles when)
{
    hv_cycles before = a->when[part];
    a->when[part] = when;
    if (when < before) {
        sift_up(a, a->place[part], part);
    } else if (when > before) {
        sift_down(a, a->place[part], part);
    }
}

bool agenda_take(struct agenda *a, hv_cycles now, uint32_t *part, hv_cycles *when)
{
    *part = agenda_first(a);
    *when = agenda_next(a);
    if (*when > now || *when == DEV_NEVER) {
        return false;
    }
    agenda_set(a, *part, DEV_NEVER);
    return true;
}
