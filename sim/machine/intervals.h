/* SPDX-License-Identifier: MIT */
/*
 * A run's statistics as a series: what each interval of simulated time added to every counter.
 *
 * Interval k is the time from k * length on, counted from the beginning of the measurement. An access counts in the
 * interval in which it begins. So a core's counters are taken when it has ended its last access of the interval,
 * without waiting for other cores, whose order must not depend on whether somebody watches; the interval is complete
 * when every core has come so far, and what no core owns (last-level cache, DRAM, virtual machines) is taken then. An
 * interval in which nothing began is joined to the next. The sum of all intervals is the whole run, exactly.
 *
 * A row holds what can be added: counters, sums of them, machine.cycles, and the ratios of such. Maxima and
 * percentiles have no value of an interval and are left out. Complete rows go to a temporary file, so memory does not
 * grow.
 */
#ifndef HV_MACHINE_INTERVALS_H
#define HV_MACHINE_INTERVALS_H

#include <stdio.h>

#include "machine/machine.h"

struct intervals;

/* One row, valid until the next is read. */
struct interval {
    hv_cycles end;          /* since the measurement began */
    const uint64_t *values; /* by item of the machine's statistics; where intervals_has() says so, and of no ratio */
};

/* For a machine that will run in intervals of `length` cycles, at least 1. */
struct intervals *intervals_new(struct machine *m, hv_cycles length, struct hv_err *err);
void intervals_free(struct intervals *s); /* NULL is nothing to free */

/* The measurement begins now: every core is at `now`, its counters at zero. */
void intervals_begin(struct intervals *s, hv_cycles now);

/* A core has reached its sample_at, or its streams are over. */
void intervals_sample(struct intervals *s, unsigned core);

/* The run is over: the last interval ends where it is. */
void intervals_end(struct intervals *s);

/* 0, or the errno with which a row could not be kept: then the series is not whole and not to be read. */
int intervals_error(const struct intervals *s);

/* Reads the rows: from the first, and one after the other until there is none left. */
void intervals_rewind(struct intervals *s);
bool intervals_next(struct intervals *s, struct interval *row);

hv_cycles intervals_length(const struct intervals *s);

/* The machine's statistics, and whether rows have item i of them. */
const struct stat_registry *intervals_stats(const struct intervals *s);
bool intervals_has(const struct intervals *s, size_t i);

/* --- intervals_print.c --------------------------------------------------------------------------------------- */

/* A few columns for people. */
void intervals_write_text(struct intervals *s, FILE *out);

/* Every statistic: a header, then a line for each interval; of a ratio to zero nothing. */
void intervals_write_csv(struct intervals *s, FILE *out);

/* The elements of an array, a line each: {"cycles": END, "stats": {"dotted.name": number}}. */
void intervals_write_json(struct intervals *s, FILE *out);

#endif
