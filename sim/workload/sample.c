/* SPDX-License-Identifier: MIT */
#include "workload/sample.h"

#include "base/interrupt.h"

uint64_t sample_kept(const struct sample *s, uint64_t accesses)
{
    uint64_t rest = accesses < s->skip ? 0 : accesses - s->skip;
    if (s->period == 0) {
        return rest;
    }
    uint64_t last = rest % s->period;
    return rest / s->period * s->length + (last < s->length ? last : s->length);
}

uint64_t sample_needed(const struct sample *s, uint64_t kept)
{
    uint64_t needed = kept;
    bool beyond = false;
    if (s->period != 0) {
        uint64_t whole = (kept - 1) / s->length; /* periods before that of the last access */
        beyond = __builtin_mul_overflow(whole, s->period, &needed) ||
                 __builtin_add_overflow(needed, kept - whole * s->length, &needed);
    }
    beyond = beyond || __builtin_add_overflow(needed, s->skip, &needed);
    return beyond ? UINT64_MAX : needed;
}

uint64_t sample_stretch(const struct sample *s, uint64_t position, bool *kept)
{
    *kept = position >= s->skip;
    if (!*kept) {
        return s->skip - position;
    }
    if (s->period == 0) {
        return UINT64_MAX;
    }
    uint64_t place = (position - s->skip) % s->period;
    *kept = place < s->length;
    return (*kept ? s->length : s->period) - place;
}

/* Moves the events of a batch to its front; returns how many. */
static size_t keep_events(struct hv_access *batch, size_t count)
{
    size_t events = 0;
    for (size_t i = 0; i < count; i++) {
        if (batch[i].kind == HV_EVENT) {
            batch[events] = batch[i];
            batch[events++].gap = 0;
        }
    }
    return events;
}

static size_t count_accesses(const struct hv_access *batch, size_t count)
{
    size_t accesses = 0;
    for (size_t i = 0; i < count; i++) {
        accesses += batch[i].kind != HV_EVENT;
    }
    return accesses;
}

/*
 * Reads a piece of a stretch, all of which is kept or left out. No more elements are asked for than the stretch has
 * accesses left, so what comes after its last access is read with the next one.
 */
static size_t read_piece(struct sampler *s, struct hv_access *batch, size_t capacity, bool kept, struct hv_err *err)
{
    size_t got = s->next(s->source, batch, capacity, err);
    s->ended = got == 0;
    if (got == SAMPLE_ERROR) {
        return got;
    }
    s->position += count_accesses(batch, got);
    return kept ? got : keep_events(batch, got);
}

size_t sampler_next(struct sampler *s, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    bool kept;
    size_t count = 0;
    while (count == 0 && capacity > 0 && !s->ended) {
        uint64_t stretch = sample_stretch(&s->sample, s->position, &kept);
        uint64_t passed = !kept && s->skip != NULL ? s->skip(s->source, stretch, err) : 0;
        if (passed == UINT64_MAX) {
            return SAMPLE_ERROR;
        }
        if (!kept && interrupt_requested()) {
            hv_fail(err, "interrupted while accesses that the sample leaves out were passed over");
            return SAMPLE_ERROR;
        }
        s->position += passed;
        if (passed == 0) {
            count = read_piece(s, batch, stretch < capacity ? (size_t)stretch : capacity, kept, err);
        }
    }
    return count;
}
