/* SPDX-License-Identifier: MIT */
/*
 * Statistics: one row of one table each.
 *
 * A block lists its counters in `<block>_stats.def`, one S() row each; the rows make the struct of uint64_t
 * counters that the block increments (each at the one place its event happens) and the descriptors from which
 * printing, JSON, CSV, reset, intervals and the reference page come. Ratios and percentiles are derived rows.
 *
 *     S(member, "unit", "help")
 */
#ifndef HV_BASE_STAT_H
#define HV_BASE_STAT_H

#include "base/types.h"

#define STAT_NAME_BYTES 96

struct stat_row {
    const char *name;
    size_t offset; /* of the uint64_t member */
    const char *unit;
    const char *help;
};

#define STAT_MEMBER(member, unit, help) uint64_t member;
#define STAT_ROW(block, member, unit, help) { #member, offsetof(block, member), unit, help },

/* How one registered statistic gets its value. */
enum stat_kind {
    STAT_COUNTER, /* *counter */
    STAT_SUM,     /* *counter + *second */
    STAT_VALUE,   /* value(ctx, arg): computed from a block's state, such as a percentile */
    STAT_RATIO,   /* numerator / denominator of two other statistics; 0/0 is absent */
};

struct stat_item {
    char name[STAT_NAME_BYTES];
    const char *unit;
    const char *help;
    enum stat_kind kind;
    uint64_t *counter;
    const uint64_t *second;
    uint64_t (*value)(const void *ctx, uint64_t arg);
    const void *ctx;
    uint64_t arg;
    size_t numerator, denominator; /* indices into the registry */
    size_t instances;  /* of the block: the value is the sum over all; of a name that ends in _max the greatest */
    size_t stride;     /* bytes from one instance to the next */
};

/* All statistics of a machine in printing order. Grows while the machine is built, never afterwards. */
struct stat_registry {
    struct stat_item *items;
    size_t count, capacity;
};

void stats_init(struct stat_registry *registry);
void stats_fini(struct stat_registry *registry);

/* Registers count rows under prefix ("tlb.l2"; "" for none); base is the struct that the rows describe. */
void stats_add(struct stat_registry *registry, const char *prefix, const struct stat_row *rows, size_t count,
               void *base);

void stats_add_counter(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                       uint64_t *counter);

/* The sum of two counters, which others register or nobody. */
void stats_add_sum(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                   uint64_t *counter, const uint64_t *second);

void stats_add_value(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                     uint64_t (*value)(const void *ctx, uint64_t arg), const void *ctx, uint64_t arg);

/* A derived row; both operands must have been registered. */
void stats_add_ratio(struct stat_registry *registry, const char *name, const char *help, const char *numerator,
                     const char *denominator);

/*
 * The block whose rows are items [first, count) exists several times, `stride` bytes apart (cores): each counter and
 * value becomes that of all of them together.
 */
void stats_repeat(struct stat_registry *registry, size_t first, size_t instances, size_t stride);

/* Index of a statistic by its dotted name, or -1. */
long stats_find(const struct stat_registry *registry, const char *name);

/* The value of a whole-number statistic; a ratio is a simulator bug. */
uint64_t stats_count(const struct stat_registry *registry, const char *name);

/* The same of item i. */
uint64_t stats_whole(const struct stat_registry *registry, size_t i);

/* Value of item i; false when it is a ratio to zero. Whole numbers below 2^53 are exact. */
bool stats_value(const struct stat_registry *registry, size_t i, double *value);

/*
 * Gives `visit` each counter that item i sums up: what they all grew by in some time is the statistic of that time.
 * False, with nothing visited, for one that has no such parts: a maximum, a ratio, what stats_add_value() made.
 */
bool stats_visit_counters(const struct stat_registry *registry, size_t i,
                          void (*visit)(void *ctx, const uint64_t *counter), void *ctx);

/* The value of ratio i if item j were wholes[j], for all j; false when it is one to zero. */
bool stats_ratio_of(const struct stat_registry *registry, size_t i, const uint64_t *wholes, double *value);

/* Sets every counter to zero (the end of a warm-up). Computed values are the blocks' own affair. */
void stats_reset(struct stat_registry *registry);

#endif
