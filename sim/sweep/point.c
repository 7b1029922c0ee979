/* SPDX-License-Identifier: MIT */
/* One point: from parameters to its file. */
#include "sweep/engine.h"
#include "sweep/store.h"

static bool simulate(const struct sweep_job *job, const struct sweep_point *point, struct run *run, struct hv_err *err)
{
    job->sweep->host->simulate(run);
    run_finish(run);
    if (run->end == RUN_DAMAGED_STREAM) {
        return hv_fail(err, "%s", run->err.text);
    }
    if (run->end != RUN_COMPLETE) {
        return hv_fail(err, "it was interrupted");
    }
    return job->directory == NULL || store_write(job->sweep, point, run, job->directory, err);
}

bool sweep_compute_point(const struct sweep_job *job, const struct sweep_point *point, struct machine *prepared,
                         struct run *run, struct hv_err *err)
{
    struct machine *m = prepared != NULL ? prepared : machine_prepare(&point->params, NULL, err);
    struct run_options options = {.show_progress = false};
    bool ok = m != NULL && machine_build(m, &point->params, err) && run_begin(run, m, &options, err) &&
              simulate(job, point, run, err);
    if (m != NULL) {
        machine_free(m);
    }
    return ok;
}
