/* SPDX-License-Identifier: MIT */
#include "base/calendar.h"

#include <string.h>

void calendar_reset(struct calendar *c)
{
    memset(c, 0, sizeof(*c));
}

/* An epoch whose last slot is taken leaves the ring: it goes on with the row that was forgotten, or begins another. */
static void forget(struct calendar *c, uint64_t number, uint64_t busy)
{
    uint64_t begin = number << CALENDAR_EPOCH_LOG2, end = begin + CALENDAR_EPOCH;
    if (busy != UINT64_MAX) {
        c->row_from = end - (unsigned)__builtin_clzll(~busy);
    } else if (c->row_to != begin) {
        c->row_from = begin;
    }
    c->row_to = end;
}

/* The epoch of a number, emptied if its place stood for an earlier one. NULL: the place stands for a later one. */
static struct calendar_epoch *epoch_at(struct calendar *c, uint64_t number)
{
    uint64_t place = number % CALENDAR_EPOCHS, lap = number / CALENDAR_EPOCHS;
    struct calendar_epoch *epoch = &c->epoch[place];
    if (epoch->lap < lap) {
        if (epoch->busy >> (CALENDAR_EPOCH - 1) != 0) {
            forget(c, epoch->lap * CALENDAR_EPOCHS + place, epoch->busy);
        }
        *epoch = (struct calendar_epoch){lap, 0};
        c->skip[place] = 0;
    }
    return epoch->lap == lap ? epoch : NULL;
}

/* 0 if the epoch is not known to be full, else how far ahead the next one is of which that has to be asked. */
static uint64_t full_for(struct calendar *c, uint64_t number)
{
    struct calendar_epoch *epoch = epoch_at(c, number);
    return epoch != NULL && epoch->busy == UINT64_MAX ? 1u + c->skip[number % CALENDAR_EPOCHS] : 0;
}

/*
 * The first epoch from `number` on that is not known to be full. Each epoch passed on the way learns how far its
 * successor's knowledge reaches, so that a long row of full ones is passed in few steps, as in a union-find forest.
 */
static uint64_t with_room(struct calendar *c, uint64_t number)
{
    uint64_t step = full_for(c, number);
    while (step != 0) {
        uint64_t next = number + step, further = full_for(c, next);
        if (further != 0 && step + further < CALENDAR_EPOCHS) {
            c->skip[number % CALENDAR_EPOCHS] = (uint16_t)(step + further - 1);
        }
        number = next;
        step = further;
    }
    return number;
}

/* The lowest `count` bits that are set, or all if there are fewer. */
static uint64_t lowest(uint64_t bits, unsigned count)
{
    if ((unsigned)__builtin_popcountll(bits) <= count) {
        return bits;
    }
    uint64_t rest = bits;
    for (; count > 0; count--) {
        rest &= rest - 1;
    }
    return bits ^ rest;
}

uint64_t calendar_take_busy(struct calendar *c, uint64_t from, unsigned count)
{
    for (;;) {
        uint64_t number = from >> CALENDAR_EPOCH_LOG2;
        struct calendar_epoch *epoch = epoch_at(c, number);
        if (epoch == NULL) {
            if (from < c->row_from || from >= c->row_to) {
                return from + count;
            }
            from = c->row_to;
            continue;
        }
        if (epoch->busy == UINT64_MAX) {
            from = with_room(c, number) << CALENDAR_EPOCH_LOG2;
            continue;
        }
        uint64_t taken = lowest(~epoch->busy & UINT64_MAX << from % CALENDAR_EPOCH, count);
        epoch->busy |= taken;
        count -= (unsigned)__builtin_popcountll(taken);
        from = (number + 1) << CALENDAR_EPOCH_LOG2;
        if (count == 0) {
            return from - (unsigned)__builtin_clzll(taken);
        }
    }
}
