/* SPDX-License-Identifier: MIT */
/*
 * A calendar of something that serves one request at a time: which slots of time are taken.
 *
 * A slot is a cycle of a memory channel, or one of the n shares of a cycle of a cache with n ports. A request takes
 * the first free slots from the time at which it arrives. Requests may come in any order of time, because a simulated
 * access runs to its end before the next one begins: a late one does not delay an early one that comes after it, and
 * no slot is ever taken twice. Which slots are taken in the end does not depend on the order.
 *
 * Requests in the order of time are served exactly as behind one "free from" time. MODEL: a request that is simulated
 * after later ones gets the slots that they left, one by one where no gap is long enough; real arbitration would have
 * moved the later ones by as much.
 *
 * Time is cut into epochs of 64 slots, a bit each, kept in a ring. An epoch whose place in the ring a later one
 * needs, 1024 or more epochs ahead, is forgotten. Of the forgotten slots the latest row of taken ones without a gap,
 * as a long queue leaves behind, still counts as taken. MODEL: the others serve whoever comes at once.
 */
#ifndef HV_BASE_CALENDAR_H
#define HV_BASE_CALENDAR_H

#include "base/types.h"

enum { CALENDAR_EPOCH_LOG2 = 6, CALENDAR_EPOCH = 1 << CALENDAR_EPOCH_LOG2, CALENDAR_EPOCHS = 1024 };

struct calendar_epoch {
    uint64_t lap;  /* which time round the ring this place now stands for */
    uint64_t busy; /* bit n: slot n of the epoch is taken */
};

/* All zero: nothing is taken. */
struct calendar {
    struct calendar_epoch epoch[CALENDAR_EPOCHS];
    uint16_t skip[CALENDAR_EPOCHS]; /* of a full epoch: so many behind it are full as well; 0 of any other */
    uint64_t row_from, row_to;      /* the row of forgotten slots that were all taken; row_to is the one behind */
};

/* The part of calendar_take() for slots that are or may be taken, and for requests that reach over an epoch. */
uint64_t calendar_take_busy(struct calendar *c, uint64_t from, unsigned count);

/* Takes the first `count` (1..64) free slots at or after `from`. Returns the slot that follows the last one taken. */
static inline uint64_t calendar_take(struct calendar *c, uint64_t from, unsigned count)
{
    uint64_t number = from >> CALENDAR_EPOCH_LOG2, lap = number / CALENDAR_EPOCHS;
    unsigned first = (unsigned)(from % CALENDAR_EPOCH);
    struct calendar_epoch *epoch = &c->epoch[number % CALENDAR_EPOCHS];
    uint64_t wanted = UINT64_MAX >> (CALENDAR_EPOCH - count) << first;
    bool outdated = epoch->lap < lap && epoch->busy >> (CALENDAR_EPOCH - 1) == 0; /* and ends with no row */
    uint64_t busy = outdated ? 0 : epoch->busy;
    bool known = outdated || epoch->lap == lap;
    if (__builtin_expect(known && (busy & wanted) == 0 && first + count <= CALENDAR_EPOCH, 1)) {
        *epoch = (struct calendar_epoch){lap, busy | wanted};
        return from + count;
    }
    return calendar_take_busy(c, from, count);
}

void calendar_reset(struct calendar *c);

#endif
