/* SPDX-License-Identifier: MIT */
/*
 * What the cores of a machine were doing, as spans of time: the source of `--timeline` and `--vcd`.
 *
 * Spans may be added in any order, as a core that executes out of order finds them. They are kept in memory up to a
 * limit, after which the recording is over: what is kept is the beginning of the run.
 *
 * A core that nobody watches has no struct activity_core, and pays one comparison at places off its common path.
 */
#ifndef HV_BASE_ACTIVITY_H
#define HV_BASE_ACTIVITY_H

#include "base/types.h"

enum activity_track {
#define T(id, category, title) ACTIVITY_##id,
#include "base/activity.def"
#undef T
    ACTIVITY_TRACKS
};

struct activity_track_row {
    const char *category, *title;
};

extern const struct activity_track_row activity_track_rows[ACTIVITY_TRACKS];

/* On these two tracks something is always running, and spans have a number instead of a name. */
#define ACTIVITY_NUMBERED (ACTIVITY_VCPU + 1u)

struct activity_span {
    hv_cycles start;  /* since the recording began */
    hv_cycles cycles;
    const char *name; /* outlives the recording */
    uint32_t number;  /* of the process or virtual processor */
    uint16_t core;
    uint8_t track;    /* enum activity_track */
};

struct activity;

/* What one core tells the recording. */
struct activity_core {
    struct activity *whole;
    uint16_t core;
    struct {
        bool known;
        uint32_t number;
        hv_cycles since;
    } running[ACTIVITY_NUMBERED];
};

struct activity {
    struct activity_span *spans;
    size_t count, capacity, limit;
    hv_cycles begin; /* the simulated time that a span's start counts from */
    hv_cycles end;   /* what is known goes up to here, since the beginning; valid after activity_end() */
    bool cut;        /* the limit was reached: `end` is before the end of the run */
    struct activity_core *cores;
    unsigned core_count;
    bool has_devices; /* the last of them is no core: it stands for the machine's devices */
};

void activity_init(struct activity *a, unsigned cores, size_t limit);
void activity_fini(struct activity *a);

/* The recording begins at this time. A span that began before counts as begun now. */
void activity_begin(struct activity *a, hv_cycles now);

/* A core did something from `start` on. */
void activity_add(struct activity_core *c, enum activity_track track, hv_cycles start, hv_cycles cycles,
                  const char *name);

/* From `now` on the core runs this process or virtual processor. */
void activity_switch(struct activity_core *c, enum activity_track track, uint32_t number, hv_cycles now);

/* The core runs nothing any more. */
void activity_stop(struct activity_core *c, hv_cycles now);

/* The run is over at `now`, and all cores have stopped: puts the spans into the order of their starts. */
void activity_end(struct activity *a, hv_cycles now);

#endif
