/* SPDX-License-Identifier: MIT */
/*
 * A line on a terminal that says how far long work has come: share done, rate, time left.
 *
 * Into a pipe or file nothing is written. This is the only place of the simulator that reads the wall clock while
 * it works; nothing of it reaches a result.
 */
#ifndef HV_BASE_PROGRESS_H
#define HV_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;         /* NULL when there is nobody to watch */
    const char *label; /* what is done, such as "run" */
    const char *unit;  /* what is counted, such as "accesses" */
    uint64_t total;    /* 0 when unknown */
    uint64_t start_ns, next_ns;
};

/* `out` is stderr, except in tests; label and unit must outlive the progress. */
void progress_init(struct progress *p, FILE *out, const char *label, const char *unit, uint64_t total);

/* Redraws the line when a fifth of a second has passed; cheap enough for every few thousand units of work. */
void progress_update(struct progress *p, uint64_t done);

/* Clears the line. */
void progress_fini(struct progress *p);

/* The line itself, after elapsed_ns: "run  42%  12.3M accesses/s  0:07 left". */
void progress_line(const struct progress *p, uint64_t done, uint64_t elapsed_ns, char *text, size_t bytes);

#endif
