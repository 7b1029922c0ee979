/* SPDX-License-Identifier: MIT */
/*
 * The timer of a local APIC. SDM Vol. 3A 11.5.4 "APIC Timer" (10.5.4 before 2022).
 *
 * MODEL: the timer's clock is in step with the write that starts it, so it is due exactly count * divisor clocks
 * later; silicon's first clock is up to a clock shorter. MODEL: the TSC runs at the core's clock.
 */
#include "apic/apic_parts.h"

enum apic_timer_mode apic_timer_mode(const struct apic *a)
{
    return (enum apic_timer_mode)(apic_get(a, APIC_LVT_TIMER) >> APIC_TIMER_MODE_SHIFT & 3);
}

/* Whether the timer counts down in a mode. MODEL: in the reserved mode it stands still. */
static bool counts(enum apic_timer_mode mode)
{
    return mode == APIC_ONE_SHOT || mode == APIC_PERIODIC;
}

/* One count, in core clocks. SDM figure 11-10 (10-10): 000b is 2, 110b is 128 and 111b is 1. */
static hv_cycles count_cycles(const struct apic *a)
{
    uint32_t divide = apic_get(a, APIC_DIVIDE), code = (divide & 8) >> 1 | (divide & 3);
    return a->params->timer_cycles << ((code + 1) & 7);
}

static hv_cycles add_saturating(hv_cycles a, hv_cycles b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* When the count is down to zero. At most 2^32 counts of 2^27 cycles: the product fits. */
static hv_cycles zero_at(const struct apic *a)
{
    return add_saturating(a->timer.since, a->timer.count * count_cycles(a));
}

uint32_t apic_timer_current(const struct apic *a, hv_cycles now)
{
    if (!counts(apic_timer_mode(a)) || a->timer.count == 0) {
        return 0;
    }
    uint64_t elapsed = now > a->timer.since ? (now - a->timer.since) / count_cycles(a) : 0;
    return elapsed < a->timer.count ? a->timer.count - (uint32_t)elapsed : 0;
}

void apic_timer_stop(struct apic *a)
{
    a->timer = (struct apic_timer){0};
}

hv_cycles apic_timer_next(const struct apic *a)
{
    enum apic_timer_mode mode = apic_timer_mode(a);
    if ((apic_get(a, APIC_LVT_TIMER) & APIC_MASKED) != 0) {
        return UINT64_MAX;
    }
    if (mode == APIC_TSC_DEADLINE) {
        return a->timer.deadline != 0 ? a->timer.due : UINT64_MAX;
    }
    return counts(mode) && a->timer.count != 0 ? zero_at(a) : UINT64_MAX;
}

static void fire(struct apic *a, uint64_t times, hv_cycles when)
{
    if ((apic_get(a, APIC_LVT_TIMER) & APIC_MASKED) == 0) {
        a->stats.timer_fires += times;
        apic_deliver_local(a, APIC_LVT_TIMER, when);
    }
}

/* Several periods at once are one interrupt: nobody could have acknowledged in between. */
static void advance_count(struct apic *a, hv_cycles now)
{
    hv_cycles due = zero_at(a);
    uint64_t times = 1;
    if (apic_timer_mode(a) == APIC_PERIODIC) {
        uint32_t initial = apic_get(a, APIC_INITIAL_COUNT);
        hv_cycles period = initial * count_cycles(a);
        times += (now - due) / period;
        a->timer.count = initial;
        a->timer.since = due + (times - 1) * period;
    } else {
        a->timer.count = 0;
    }
    fire(a, times, due);
}

void apic_advance(struct apic *a, hv_cycles now)
{
    enum apic_timer_mode mode = apic_timer_mode(a);
    if (mode == APIC_TSC_DEADLINE && a->timer.deadline != 0 && now >= a->timer.due) {
        a->timer.deadline = 0;
        fire(a, 1, a->timer.due);
    } else if (counts(mode) && a->timer.count != 0 && now >= zero_at(a)) {
        advance_count(a, now);
    }
}

/*
 * SDM 11.5.4.1 (10.5.4.1): a change to or from TSC-deadline mode disarms the timer. MODEL: between one-shot and
 * periodic mode it goes on counting.
 */
void apic_timer_write_lvt(struct apic *a, uint32_t value, hv_cycles now)
{
    (void)now;
    enum apic_timer_mode before = apic_timer_mode(a);
    enum apic_timer_mode after = (enum apic_timer_mode)(value >> APIC_TIMER_MODE_SHIFT & 3);
    if (before != after && !(counts(before) && counts(after))) {
        apic_timer_stop(a);
    }
}

/* MODEL: the count goes on from its value with the new divisor; the part of a count that has passed is lost. */
void apic_timer_write_divide(struct apic *a, uint32_t value, hv_cycles now)
{
    a->timer.count = apic_timer_current(a, now);
    a->timer.since = now;
    *apic_register_at(a, APIC_DIVIDE) = value;
}

/* SDM 11.5.4.1 (10.5.4.1): ignored in TSC-deadline mode. */
void apic_timer_write_initial(struct apic *a, uint32_t value, hv_cycles now)
{
    if (apic_timer_mode(a) == APIC_TSC_DEADLINE) {
        return;
    }
    *apic_register_at(a, APIC_INITIAL_COUNT) = value;
    a->timer.count = counts(apic_timer_mode(a)) ? value : 0;
    a->timer.since = now;
}

static void arm(struct apic *a, uint64_t deadline, hv_cycles now)
{
    uint64_t tsc = now + a->tsc_offset;
    a->timer.deadline = deadline;
    a->timer.due = deadline > tsc ? add_saturating(now, deadline - tsc) : now;
    apic_advance(a, now);
}

/* SDM 11.5.4.1 (10.5.4.1): ignored in the other modes; zero disarms; one that has passed fires at once. */
void apic_timer_write_deadline(struct apic *a, uint64_t deadline, hv_cycles now)
{
    if (apic_timer_mode(a) == APIC_TSC_DEADLINE) {
        arm(a, deadline, now);
    }
}

void apic_set_tsc_offset(struct apic *a, uint64_t offset, hv_cycles now)
{
    apic_advance(a, now);
    a->tsc_offset = offset;
    if (a->timer.deadline != 0) {
        arm(a, a->timer.deadline, now);
    }
}
