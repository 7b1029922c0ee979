/* SPDX-License-Identifier: MIT */
#include "machine/watch.h"

#include "machine/io.h"
#include "machine/software.h"

static void watch_event(void *ctx, const struct mmu_event *e)
{
    const struct machine_watch *w = ctx;
    if (w->next.event != NULL) {
        w->next.event(w->next.ctx, e);
    }
    if (e->kind != MMU_EVENT_DONE && e->kind != MMU_EVENT_FAULT) {
        return;
    }
    if (e->queue_cycles > 0) {
        activity_add(w->activity, ACTIVITY_QUEUE, e->start - e->queue_cycles, e->queue_cycles, "waiting");
    }
    activity_add(w->activity, ACTIVITY_WALK, e->start, e->cycles,
                 e->fault == NULL ? "walk" : hv_fault_names[e->fault->kind]);
}

void machine_watch(struct machine *m, struct activity *activity, hv_cycles now)
{
    HV_ASSERT(activity->core_count == m->params.machine.cores + activity->has_devices, "%u cores are recorded",
              activity->core_count);
    activity_begin(activity, now);
    if (activity->has_devices) {
        io_watch(m->io, &activity->cores[m->params.machine.cores]);
    }
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct machine_core *c = &m->cores[i];
        c->watch = (struct machine_watch){&activity->cores[i], c->mmu.observer};
        c->core.activity = &activity->cores[i];
        mmu_observe(&c->mmu, (struct mmu_observer){watch_event, &c->watch});
        if (!c->over) {
            software_note_running(c);
        }
    }
}

void machine_unwatch(struct machine *m, struct activity *activity)
{
    hv_cycles end = 0;
    if (activity->has_devices) {
        io_watch(m->io, NULL);
    }
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct machine_core *c = &m->cores[i];
        activity_stop(&activity->cores[i], c->core.now);
        mmu_observe(&c->mmu, c->watch.next);
        c->core.activity = NULL;
        end = c->core.now > end ? c->core.now : end;
    }
    activity_end(activity, end);
}
