/* SPDX-License-Identifier: MIT */
/*
 * Untimed drivers of the walk engine: what memory says now, with nothing changed and nothing counted.
 */
#include "mmu/mmu.h"

/* The first host table, from which every nested translation of a probe starts. */
static enum walk_need start_host(struct walk *w)
{
    return walk_host_start(w, w->env->host.levels, (hv_hpa){w->env->host_root}, RADIX_ALL);
}

/* Runs a walk from `need`; with `stop_at_read`, only until that guest entry (host_level 0) is to be read. */
static enum walk_need drive(const struct mmu *m, struct walk *w, enum walk_need need, unsigned stop_at_guest_level)
{
    for (;;) {
        switch (need) {
        case WALK_READ:
            if (w->host_level == 0 && w->guest_step == stop_at_guest_level) {
                return WALK_READ;
            }
            need = walk_feed(w, physmem_read64(m->memory, w->read));
            break;
        case WALK_NESTED:
            need = start_host(w);
            break;
        case WALK_DONE:
        case WALK_FAULT:
            return need;
        }
    }
}

enum { NO_STOP = RADIX_MAX_LEVELS + 1 };

bool mmu_probe(const struct mmu *m, hv_gva gva, enum hv_access_kind access, struct walk *walk)
{
    return drive(m, walk, walk_begin(walk, &m->env, gva, access), NO_STOP) == WALK_DONE;
}

bool mmu_probe_guest_table(const struct mmu *m, hv_gva gva, enum hv_access_kind access, unsigned level,
                           struct walk *walk)
{
    return drive(m, walk, walk_begin(walk, &m->env, gva, access), level) == WALK_READ;
}

bool mmu_probe_host(const struct mmu *m, hv_gpa gpa, enum hv_access_kind access, unsigned stop_level,
                    struct walk *walk)
{
    /* The last row of the grid alone: the walk of a data page whose guest dimension is done. */
    walk->env = &m->env;
    walk->access = access;
    walk->gva = (hv_gva){0};
    walk->gpa = gpa;
    walk->update = 0;
    walk->guest_size = HV_PAGE_1G;
    walk->guest_step = 0;
    enum walk_need need = start_host(walk);
    while (need == WALK_READ && walk->host_level != 0 && walk->host_level > stop_level) {
        need = walk_feed(walk, physmem_read64(m->memory, walk->read));
    }
    return need == WALK_DONE || (need == WALK_READ && walk->host_level == stop_level);
}
