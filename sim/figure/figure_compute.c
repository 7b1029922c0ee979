/* SPDX-License-Identifier: MIT */
/* From a recipe to its points, its table and its picture. */
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "figure/figure.h"
#include "sweep/plot.h"
#include "sweep/rehearse.h"
#include "sweep/store.h"

/* What is missing or has changed, in the order of computing. */
static size_t list_points(const struct figure *f, const char *directory, bool fresh, size_t *points)
{
    const struct sweep *s = &f->sweep;
    size_t count = 0;
    for (size_t i = 0; i < s->point_count; i++) {
        if (fresh || store_state(directory, &s->points[i]) != SWEEP_DONE) {
            points[count++] = i;
        }
    }
    sweep_order_points(s, points, count);
    return count;
}

/* Keeps the first failure of a point. */
static void note_failures(struct figure *f, const struct sweep_job *job)
{
    for (size_t i = 0; i < job->count && f->failure[0] == '\0'; i++) {
        if (job->outcomes[i].end == SWEEP_FAILED) {
            char row[256];
            sweep_describe_row(&f->sweep, f->sweep.points[job->points[i]].row, row, sizeof(row));
            snprintf(f->failure, sizeof(f->failure), "%s: %.200s", row, job->outcomes[i].reason);
        }
    }
}

static bool run_points(struct figure *f, const char *directory, const struct figure_effort *effort, size_t *points,
                       struct hv_err *err)
{
    size_t count = list_points(f, directory, effort->fresh, points);
    struct sweep_outcome *outcomes = calloc(count + 1, sizeof(*outcomes));
    HV_ASSERT(outcomes != NULL, "out of memory");
    struct sweep_job job = {
        .sweep = &f->sweep, .points = points, .count = count, .processes = effort->processes,
        .directory = directory, .outcomes = outcomes,
    };
    struct hv_err why = {""};
    bool ok = store_open(directory, err);
    /* A machine that cannot be built is the recipe's failure, and the other figures go on. */
    if (ok && !sweep_rehearse(&f->sweep, points, count, &why)) {
        snprintf(f->failure, sizeof(f->failure), "%.500s", why.text);
    } else if (ok && count > 0) {
        ok = effort->engine->run(&job, err);
        note_failures(f, &job);
    }
    free(outcomes);
    return ok;
}

bool figure_draw_plot(const struct figure *f, const struct table *table, const char *directory, struct hv_err *err)
{
    return table_save(table, directory, err) &&
           sweep_plot_draw(&f->sweep, directory, err) != SWEEP_PLOT_NOT_WRITTEN;
}

bool figure_compute(struct figure *f, const char *directory, const struct figure_effort *effort, struct table *table,
                    struct hv_err *err)
{
    if (f->failure[0] != '\0') {
        return true;
    }
    size_t *points = calloc(f->sweep.point_count + 1, sizeof(*points));
    HV_ASSERT(points != NULL, "out of memory");
    bool ok = run_points(f, directory, effort, points, err);
    free(points);
    table_load(table, &f->sweep, directory);
    if (!ok || interrupt_requested() || f->failure[0] != '\0') {
        return ok;
    }
    return f->picture->draw(f, table, directory, err);
}
