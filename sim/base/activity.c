/* SPDX-License-Identifier: MIT */
#include "base/activity.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

const struct activity_track_row activity_track_rows[ACTIVITY_TRACKS] = {
#define T(id, category, title) {category, title},
#include "base/activity.def"
#undef T
};

enum { FIRST_CAPACITY = 4096 };

void activity_init(struct activity *a, unsigned cores, size_t limit)
{
    *a = (struct activity){.limit = limit, .core_count = cores};
    a->cores = calloc(cores, sizeof(*a->cores));
    HV_ASSERT(a->cores != NULL, "out of memory");
    for (unsigned i = 0; i < cores; i++) {
        a->cores[i] = (struct activity_core){.whole = a, .core = (uint16_t)i};
    }
}

void activity_fini(struct activity *a)
{
    free(a->spans);
    free(a->cores);
    *a = (struct activity){0};
}

void activity_begin(struct activity *a, hv_cycles now)
{
    a->begin = now;
}

static hv_cycles since_begin(const struct activity *a, hv_cycles time)
{
    return time > a->begin ? time - a->begin : 0;
}

static void append(struct activity *a, const struct activity_span *span)
{
    if (a->count == a->capacity) {
        a->capacity = a->capacity == 0 ? FIRST_CAPACITY : 2 * a->capacity;
        a->spans = reallocarray(a->spans, a->capacity, sizeof(*a->spans));
        HV_ASSERT(a->spans != NULL, "out of memory");
    }
    a->spans[a->count++] = *span;
}

/* Whether there is room for a span that starts at this time; where the first has none, the recording is cut. */
static bool has_room(struct activity *a, hv_cycles start)
{
    if (a->count >= a->limit && !a->cut) {
        a->cut = true;
        a->end = since_begin(a, start);
    }
    return !a->cut;
}

void activity_add(struct activity_core *c, enum activity_track track, hv_cycles start, hv_cycles cycles,
                  const char *name)
{
    struct activity *a = c->whole;
    if (has_room(a, start)) {
        append(a, &(struct activity_span){
            .start = since_begin(a, start), .cycles = cycles, .name = name, .core = c->core, .track = (uint8_t)track,
        });
    }
}

/* What has been running on a track until `until`, counted from the beginning, becomes a span. */
static void end_running(struct activity_core *c, enum activity_track track, hv_cycles until)
{
    if (c->running[track].known) {
        hv_cycles since = c->running[track].since;
        append(c->whole, &(struct activity_span){
            .start = since, .cycles = until > since ? until - since : 0, .name = activity_track_rows[track].title,
            .number = c->running[track].number, .core = c->core, .track = (uint8_t)track,
        });
        c->running[track].known = false;
    }
}

void activity_switch(struct activity_core *c, enum activity_track track, uint32_t number, hv_cycles now)
{
    struct activity *a = c->whole;
    HV_ASSERT(track < ACTIVITY_NUMBERED, "nothing runs on track %d", track);
    if (has_room(a, now)) {
        end_running(c, track, since_begin(a, now));
        c->running[track].known = true;
        c->running[track].number = number;
        c->running[track].since = since_begin(a, now);
    }
}

/* A total order, so that spans that are not the same never change places. */
static int by_start(const void *x, const void *y)
{
    const struct activity_span *a = x, *b = y;
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    if (a->core != b->core) {
        return a->core < b->core ? -1 : 1;
    }
    if (a->track != b->track) {
        return a->track < b->track ? -1 : 1;
    }
    if (a->cycles != b->cycles) {
        return a->cycles < b->cycles ? -1 : 1;
    }
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

void activity_stop(struct activity_core *c, hv_cycles now)
{
    const struct activity *a = c->whole;
    for (unsigned track = 0; track < ACTIVITY_NUMBERED; track++) {
        end_running(c, (enum activity_track)track, a->cut ? a->end : since_begin(a, now));
    }
}

void activity_end(struct activity *a, hv_cycles now)
{
    a->end = a->cut ? a->end : since_begin(a, now);
    if (a->count > 0) {
        qsort(a->spans, a->count, sizeof(*a->spans), by_start);
    }
}
