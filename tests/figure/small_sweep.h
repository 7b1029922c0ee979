/* SPDX-License-Identifier: MIT */
/*
 * A sweep of two axes with a table, made by hand, for expressions over it:
 *
 *     paging.mode  mmu.walkers  core.cpi  mmu.walks
 *     native       1                   2          0
 *     native       2                   3         10
 *     nested       1                   6         40
 *     nested       2                   -         50      this run failed
 */
#ifndef HV_TESTS_FIGURE_SMALL_SWEEP_H
#define HV_TESTS_FIGURE_SMALL_SWEEP_H

#include "sweep/table.h"

enum { SMALL_ROWS = 4, SMALL_METRICS = 2 };

struct small_sweep {
    struct sweep sweep;
    struct sweep_axis axes[2];
    struct sweep_value modes[2], walkers[2];
    struct sweep_metric metrics[SMALL_METRICS];
    size_t wheels[2];
    struct table_entry entries[SMALL_ROWS * SMALL_METRICS];
    struct table table;
};

static inline void small_sweep_init(struct small_sweep *s)
{
    static const struct table_entry entries[SMALL_ROWS * SMALL_METRICS] = {
        {.count = 1, .mean = 2}, {.count = 1, .mean = 0},  {.count = 1, .mean = 3}, {.count = 1, .mean = 10},
        {.count = 1, .mean = 6}, {.count = 1, .mean = 40}, {.count = 0, .mean = 0}, {.count = 1, .mean = 50},
    };
    *s = (struct small_sweep){
        .modes = {{.label = "native", .cell = "native"}, {.label = "nested", .cell = "nested"}},
        .walkers = {{.label = "1", .cell = "1"}, {.label = "2", .cell = "2"}},
        .axes = {{.name = "paging.mode", .values = s->modes, .count = 2, .wheel = 0},
                 {.name = "mmu.walkers", .values = s->walkers, .count = 2, .wheel = 1}},
        .metrics = {{.name = "core.cpi"}, {.name = "mmu.walks"}},
        .wheels = {2, 2},
        .sweep = {.axes = s->axes, .axis_count = 2, .wheels = s->wheels, .wheel_count = 2, .rows = SMALL_ROWS,
                  .metrics = s->metrics, .metric_count = SMALL_METRICS},
        .table = {.sweep = &s->sweep, .entries = s->entries},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(entries); i++) {
        s->entries[i] = entries[i];
    }
}

#endif
