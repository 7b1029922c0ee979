/* SPDX-License-Identifier: MIT */
#include "machine/timeline.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"

/* Threads that hold the spans of one core's track: each is free from `free_at` on. */
struct lane {
    hv_cycles free_at;
    unsigned thread;
};

struct track {
    struct lane *lanes;
    unsigned count;
};

struct timeline {
    FILE *out;
    uint64_t clock_mhz;
    struct track *tracks; /* by core and track */
    unsigned threads;     /* the last number that one was given */
    bool any;             /* an event has been written */
};

/* Numbers of processes begin at 1, as 0 means the idle process to some viewers. */
static unsigned process_of(unsigned core)
{
    return core + 1;
}

/* Begins an event; its other members follow. */
static void begin_event(struct timeline *t, const char *kind, unsigned core, unsigned thread)
{
    fprintf(t->out, "%s\n{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u", t->any ? "," : "", kind, process_of(core), thread);
    t->any = true;
}

static void name_core(struct timeline *t, const struct activity *a, unsigned core)
{
    begin_event(t, "M", core, 0);
    if (a->has_devices && core == a->core_count - 1) {
        fputs(",\"name\":\"process_name\",\"args\":{\"name\":\"devices\"}}", t->out);
    } else {
        fprintf(t->out, ",\"name\":\"process_name\",\"args\":{\"name\":\"core %u\"}}", core);
    }
    begin_event(t, "M", core, 0);
    fprintf(t->out, ",\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%u}}", core);
}

static void name_thread(struct timeline *t, unsigned core, unsigned track, unsigned lane, unsigned thread)
{
    begin_event(t, "M", core, thread);
    fprintf(t->out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"%s", activity_track_rows[track].title);
    if (lane > 0) {
        fprintf(t->out, " %u", lane + 1);
    }
    fputs("\"}}", t->out);
    begin_event(t, "M", core, thread);
    fprintf(t->out, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", track);
}

/* The thread of a span: the first lane of its track that is free, or a new one. Spans come in the order of starts. */
static unsigned thread_of(struct timeline *t, const struct activity_span *span)
{
    struct track *track = &t->tracks[span->core * (unsigned)ACTIVITY_TRACKS + span->track];
    unsigned lane = 0;
    while (lane < track->count && track->lanes[lane].free_at > span->start) {
        lane++;
    }
    if (lane == track->count) {
        track->lanes = reallocarray(track->lanes, ++track->count, sizeof(*track->lanes));
        HV_ASSERT(track->lanes != NULL, "out of memory");
        track->lanes[lane].thread = ++t->threads;
        name_thread(t, span->core, span->track, lane, t->threads);
    }
    track->lanes[lane].free_at = span->start + span->cycles;
    return track->lanes[lane].thread;
}

static uint64_t picoseconds_of(const struct timeline *t, hv_cycles cycles)
{
    return (uint64_t)(((unsigned __int128)cycles * 1000000 + t->clock_mhz / 2) / t->clock_mhz);
}

static void write_microseconds(const char *member, uint64_t picoseconds, FILE *out)
{
    fprintf(out, ",\"%s\":%" PRIu64 ".%06" PRIu64, member, picoseconds / 1000000, picoseconds % 1000000);
}

static void write_span(struct timeline *t, const struct activity_span *span)
{
    uint64_t start = picoseconds_of(t, span->start), end = picoseconds_of(t, span->start + span->cycles);
    begin_event(t, "X", span->core, thread_of(t, span));
    write_microseconds("ts", start, t->out);
    write_microseconds("dur", end - start, t->out);
    fprintf(t->out, ",\"cat\":\"%s\",\"name\":\"%s", activity_track_rows[span->track].category, span->name);
    if (span->track < ACTIVITY_NUMBERED) {
        fprintf(t->out, " %" PRIu32, span->number);
    }
    fprintf(t->out, "\",\"args\":{\"start\":%" PRIu64 ",\"cycles\":%" PRIu64 "}}", span->start, span->cycles);
}

void timeline_write(const struct activity *a, uint64_t clock_mhz, FILE *out)
{
    /* Numbers of threads follow those of processes: to some viewers, equal ones are a process and its main thread. */
    struct timeline t = {.out = out, .clock_mhz = clock_mhz, .threads = a->core_count};
    size_t tracks = a->core_count * (size_t)ACTIVITY_TRACKS;
    t.tracks = calloc(tracks, sizeof(*t.tracks));
    HV_ASSERT(t.tracks != NULL, "out of memory");
    fprintf(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"clock_mhz\":%" PRIu64 ",\"cycles\":%" PRIu64
            ",\"cut\":%s},\"traceEvents\":[", clock_mhz, a->end, a->cut ? "true" : "false");
    for (unsigned core = 0; core < a->core_count; core++) {
        name_core(&t, a, core);
    }
    for (size_t i = 0; i < a->count; i++) {
        write_span(&t, &a->spans[i]);
    }
    fputs("\n]}\n", out);
    for (size_t i = 0; i < tracks; i++) {
        free(t.tracks[i].lanes);
    }
    free(t.tracks);
}
